//! Walking a tree to its value.
//!
//! Secrets spread: what is computed from a secret is secret, and so is what was chosen by one (`secret == "x" ? a : b`, a
//! list filtered by one). Containers that hold a secret are not secret themselves. Messages say types, never secrets.

use std::sync::Arc;

use super::ast::{Binary, Each, Id, Op, Tree, Unary};
use super::check::constant;
use super::functions;
use super::ops::{self, type_error};
use super::regexes::Regexes;
use crate::error::{ExprError, ExprErrorKind};
use crate::limits::{EvaluationLimits, Meter};
use crate::namespaces::namespace;
use crate::near::unknown_function;
use crate::near::{MOST, near};
use crate::scope::Scope;
use crate::sources;
use crate::value::{Kind, List, Value};

type Evaluation = Result<Value, ExprError>;

pub(crate) fn evaluate(tree: &Tree, scope: &dyn Scope, limits: &EvaluationLimits) -> Evaluation {
    let meter = Meter::new(limits);
    let mut machine = Machine { tree, scope, meter, regexes: Regexes::default(), locals: Vec::new() };
    let value = machine.eval(tree.root)?;
    Ok(match &value.kind {
        Kind::Optional(Some(inside)) => Value::clone(inside).tainted(value.secret),
        Kind::Optional(None) => Value::NULL.tainted(value.secret),
        _ => value,
    })
}

struct Machine<'e> {
    tree: &'e Tree,
    scope: &'e dyn Scope,
    meter: Meter,
    regexes: Regexes,
    locals: Vec<(Arc<str>, Value)>,
}

impl<'e> Machine<'e> {
    fn eval(&mut self, id: Id) -> Evaluation {
        let result = match self.meter.steps(1) {
            Ok(()) => self.eval_op(id),
            Err(kind) => Err(kind.into()),
        };
        match result {
            Err(error) => Err(error.or_at(self.tree.node(id).span.clone())),
            value => value,
        }
    }

    // Every arm is a call, so that the frame of what recurses stays small.
    fn eval_op(&mut self, id: Id) -> Evaluation {
        let tree = self.tree;
        match tree.op(id) {
            Op::Literal(value) => Ok(value.clone()),
            Op::Name(name) => self.name(name),
            Op::Word(word) => Ok(self.local(word).unwrap_or_else(|| Value::from(&**word))),
            Op::Field { object, name, optional } => self.field(*object, name, *optional),
            Op::Index { object, index, optional } => self.index(*object, *index, *optional),
            Op::Call { name, arguments } => self.call(name, arguments),
            Op::Method { receiver, name, arguments } => self.method(*receiver, name, arguments),
            Op::List(items) => self.list(items),
            Op::Map(entries) => self.map(entries),
            Op::Unary(operator, operand) => self.unary(*operator, *operand),
            Op::Binary(..) => self.chain(id),
            Op::Ternary { condition, yes, no } => self.ternary(*condition, *yes, *no),
            Op::Has(path) => self.has(*path),
            Op::Each { each, range, variable, condition, result } => {
                self.each(*each, *range, variable, *condition, *result)
            }
            Op::Bind { variable, value, result } => self.bind(variable, *value, *result),
            Op::Or { receiver, other, unwrap } => self.or(*receiver, *other, *unwrap),
        }
    }

    fn made(&mut self, value: Value) -> Evaluation {
        self.meter.bytes(value.size())?;
        Ok(value)
    }

    fn local(&self, name: &str) -> Option<Value> {
        self.locals.iter().rev().find(|(local, _)| **local == *name).map(|(_, value)| value.clone())
    }

    fn name(&mut self, name: &str) -> Evaluation {
        if let Some(value) = self.local(name) {
            return Ok(value);
        }
        if let Some((_, Some(value))) = constant(name) {
            return Ok(value);
        }
        if let Some(value) = self.scope.variable(name)? {
            return Ok(value);
        }
        if name == "google" {
            return sources::google().map_err(Into::into);
        }
        let known = self.scope.names();
        let near = near(name, known.iter().map(String::as_str));
        Err(ExprErrorKind::UnknownVariable { name: name.to_owned(), known, near }.into())
    }

    fn field(&mut self, object: Id, name: &str, optional: bool) -> Evaluation {
        let value = self.eval(object)?;
        if optional || matches!(value.kind, Kind::Optional(_)) {
            return self.optionally(&value, |inside| match inside.kind {
                Kind::Map(_) | Kind::Lazy(_) => Ok(inside.get(name)?),
                _ => Ok(None),
            });
        }
        match value.get(name)? {
            Some(found) => Ok(found),
            None => Err(self.no_such_key(&value, name, object, false)),
        }
    }

    fn index(&mut self, object: Id, index: Id, optional: bool) -> Evaluation {
        let value = self.eval(object)?;
        let key = self.eval(index)?;
        if optional || matches!(value.kind, Kind::Optional(_)) {
            return self.optionally(&value, |inside| ops::element(inside, &key));
        }
        if let Some(found) = ops::element(&value, &key)? {
            return Ok(found);
        }
        if let (Kind::List(list), Some(index)) = (&value.kind, key.as_f64()) {
            let index = if key.secret { "(secret)".to_owned() } else { crate::value::write_double(index) };
            let path = self.tree.source(object).to_owned();
            return Err(ExprErrorKind::OutOfBounds { path, index, length: list.items.len() }.into());
        }
        let name = ops::key_text(&key).unwrap_or_else(|| key.type_name().to_owned());
        Err(self.no_such_key(&value, &name, object, key.secret))
    }

    /// What `get` finds in an optional or a plain value, as an optional.
    fn optionally(
        &mut self,
        value: &Value,
        get: impl FnOnce(&Value) -> Result<Option<Value>, ExprErrorKind>,
    ) -> Evaluation {
        let found = match &value.kind {
            Kind::Optional(None) => None,
            Kind::Optional(Some(inside)) => get(&Value::clone(inside).tainted(value.secret))?,
            _ => get(value)?,
        };
        Ok(Value::optional(found)?.tainted(value.secret))
    }

    fn no_such_key(&mut self, value: &Value, key: &str, object: Id, secret: bool) -> ExprError {
        let path = self.tree.source(object).to_owned();
        let shown = if secret { "(secret)" } else { key }.to_owned();
        let kind = match &value.kind {
            Kind::Map(_) | Kind::Lazy(_) => {
                let keys: Vec<String> = match &value.kind {
                    Kind::Map(map) if !value.secret && !secret => {
                        map.entries.keys().map(ToString::to_string).collect()
                    }
                    Kind::Lazy(lookup) if !value.secret && !secret => lookup.keys().unwrap_or_default(),
                    _ => Vec::new(),
                };
                // Looking for the nearest takes a while, and this may be in a loop whose other turns make up for it.
                if let Err(kind) = self.meter.steps(20 * keys.len().min(MOST) as u64) {
                    return kind.into();
                }
                let near = near(key, keys.iter().map(String::as_str));
                ExprErrorKind::NoSuchKey { key: shown, path, near }
            }
            _ => ExprErrorKind::NotAContainer { key: shown, path, kind: ops::article(value) },
        };
        kind.into()
    }

    fn call(&mut self, name: &str, arguments: &[Id]) -> Evaluation {
        let arguments = self.all(arguments)?;
        let value = functions::call(name, &arguments, &mut self.meter)?;
        self.made(value)
    }

    fn method(&mut self, receiver: Id, name: &str, arguments: &[Id]) -> Evaluation {
        if let Op::Name(space) = self.tree.op(receiver) {
            let is_local = self.locals.iter().any(|(local, _)| local == space);
            if !is_local && namespace(space).is_some() {
                let arguments = self.all(arguments)?;
                self.meter.steps(100)?;
                return Ok(sources::call(self.scope, space, name, &arguments)?);
            }
            if !is_local && **space == *"optional" {
                let arguments = self.all(arguments)?;
                return match (name, arguments.as_slice()) {
                    ("none", []) => Ok(Value::optional(None)?),
                    ("of", [value]) => Ok(Value::optional(Some(value.clone()))?),
                    _ => Err(unknown_function(name, &["none", "of"]).into()),
                };
            }
        }
        let receiver = self.eval(receiver)?;
        let arguments = self.all(arguments)?;
        let value = functions::method(&receiver, name, &arguments, &mut self.meter, &mut self.regexes)?;
        self.made(value)
    }

    fn all(&mut self, ids: &[Id]) -> Result<Vec<Value>, ExprError> {
        // A loop: the adapters of iterators have frames of their own.
        let mut values = Vec::with_capacity(ids.len());
        for id in ids {
            values.push(self.eval(*id)?);
        }
        Ok(values)
    }

    fn list(&mut self, items: &[Id]) -> Evaluation {
        let items = self.all(items)?;
        let list = Value::list(items)?;
        self.made(list)
    }

    fn map(&mut self, entries: &[(Id, Id)]) -> Evaluation {
        let mut made: Vec<(Arc<str>, Value)> = Vec::with_capacity(entries.len());
        let mut secret = false;
        for (key_id, value) in entries {
            let key = self.eval(*key_id)?;
            let Some(text) = ops::key_text(&key) else {
                let message =
                    format!("a key of a map is a text, a number or a bool, and this is {}", key.type_name());
                let error = ExprError::at(type_error(message, None), self.tree.node(*key_id).span.clone());
                return Err(error);
            };
            // A key has no room for a mark of its own.
            secret |= key.secret;
            made.push((text.into(), self.eval(*value)?));
        }
        let map = Value::map(made)?.tainted(secret);
        self.made(map)
    }

    fn unary(&mut self, operator: Unary, operand: Id) -> Evaluation {
        let value = self.eval(operand)?;
        let result = match (operator, &value.kind) {
            (Unary::Not, Kind::Bool(truth)) => Value::from(!truth),
            (Unary::Minus, Kind::Int(number)) => match number.checked_neg() {
                Some(number) => Value::from(number),
                None => return Err(ops::OVERFLOW.into()),
            },
            (Unary::Minus, Kind::Double(_) | Kind::Large(_)) => {
                Value::from(-value.as_f64().unwrap_or(f64::NAN))
            }
            (Unary::Not, _) => {
                return Err(
                    type_error(format!("`!` takes a bool, and this is {}", value.type_name()), None).into()
                );
            }
            (Unary::Minus, _) => {
                return Err(type_error(
                    format!("`-` takes a number, and this is {}", value.type_name()),
                    None,
                )
                .into());
            }
        };
        Ok(result.tainted(value.secret))
    }

    /// Operators from left to right, in a loop.
    fn chain(&mut self, id: Id) -> Evaluation {
        let tree = self.tree;
        let (chain, first) = tree.spine(id);
        let mut left = self.eval(first);
        for link in chain.into_iter().rev() {
            let Op::Binary(operator, left_id, right) = tree.op(link) else { continue };
            left = match (operator, left) {
                (_, Err(error)) if error.is_final() => return Err(error),
                (Binary::And | Binary::Or, left) => {
                    self.logical(*operator == Binary::Or, left, *left_id, *right)
                }
                (_, Err(error)) => Err(error),
                (operator, Ok(left)) => self.eval(*right).and_then(|right| {
                    let span = tree.node(link).span.clone();
                    let value = ops::binary(*operator, &left, &right, &mut self.meter);
                    value
                        .map_err(ExprError::from)
                        .and_then(|value| self.made(value))
                        .map_err(|e| e.or_at(span))
                }),
            };
        }
        left
    }

    /// `||` if `decisive`, else `&&`. A side that decides makes up for a left side that failed.
    fn logical(&mut self, decisive: bool, left: Evaluation, left_id: Id, right: Id) -> Evaluation {
        let secret = match &left {
            Ok(left) if left.as_bool() == Some(decisive) => return Ok(left.clone()),
            Ok(left) => left.secret,
            Err(_) => false,
        };
        let value = self.eval(right)?;
        let symbol = if decisive { "||" } else { "&&" };
        let wrong = |value: &Value, id: Id| {
            let message = format!("`{symbol}` takes two bools, and this is {}", value.type_name());
            ExprError::at(type_error(message, None), self.tree.node(id).span.clone())
        };
        match value.as_bool() {
            None => return Err(wrong(&value, right)),
            Some(truth) if truth == decisive => {}
            Some(_) => {
                let left = left?;
                if left.as_bool().is_none() {
                    return Err(wrong(&left, left_id));
                }
            }
        }
        Ok(value.tainted(secret))
    }

    fn condition(&mut self, id: Id, what: &str) -> Result<(bool, bool), ExprError> {
        let value = self.eval(id)?;
        match value.as_bool() {
            Some(truth) => Ok((truth, value.secret)),
            None => {
                let message = format!("{what} must be a bool, and it is {}", value.type_name());
                Err(ExprError::at(type_error(message, None), self.tree.node(id).span.clone()))
            }
        }
    }

    fn ternary(&mut self, condition: Id, yes: Id, no: Id) -> Evaluation {
        let (truth, secret) = self.condition(condition, "the condition")?;
        Ok(self.eval(if truth { yes } else { no })?.tainted(secret))
    }

    /// Whether the last step of a path is there; those before it must be.
    fn has(&mut self, path: Id) -> Evaluation {
        let mut steps = Vec::new();
        let mut root = path;
        while let Op::Field { object, name, optional } = self.tree.op(root) {
            steps.push((*object, name.clone(), *optional));
            root = *object;
        }
        let mut value = self.eval(root)?;
        let mut lenient = false;
        while let Some((object, name, optional)) = steps.pop() {
            lenient |= optional;
            let found = match &value.kind {
                Kind::Optional(Some(inside)) => inside.get(&name)?.map(|found| found.tainted(value.secret)),
                _ => value.get(&name)?,
            };
            match found {
                Some(found) => value = found,
                None if steps.is_empty() || lenient => return Ok(Value::from(false).tainted(value.secret)),
                None => return Err(self.no_such_key(&value, &name, object, false)),
            }
        }
        Ok(Value::from(true).tainted(value.secret))
    }

    fn bind(&mut self, variable: &Arc<str>, value: Id, result: Id) -> Evaluation {
        let value = self.eval(value)?;
        self.locals.push((variable.clone(), value));
        let result = self.eval(result);
        self.locals.pop();
        result
    }

    fn or(&mut self, receiver: Id, other: Id, unwrap: bool) -> Evaluation {
        let not_optional = |machine: &Self, value: &Value, id: Id| {
            let name = if unwrap { "orValue" } else { "or" };
            let message =
                format!("`{name}` is for optionals, such as `a.?b`, and this is {}", value.type_name());
            ExprError::at(type_error(message, None), machine.tree.node(id).span.clone())
        };
        let value = self.eval(receiver)?;
        let Kind::Optional(inside) = &value.kind else { return Err(not_optional(self, &value, receiver)) };
        if let Some(inside) = inside {
            let kept = if unwrap { Value::clone(inside) } else { value.clone() };
            return Ok(kept.tainted(value.secret));
        }
        let secret = value.secret;
        let value = self.eval(other)?;
        if !unwrap && !matches!(value.kind, Kind::Optional(_)) {
            return Err(not_optional(self, &value, other));
        }
        Ok(value.tainted(secret))
    }

    fn each(
        &mut self,
        each: Each,
        range: Id,
        variable: &Arc<str>,
        condition: Option<Id>,
        result: Option<Id>,
    ) -> Evaluation {
        let over = self.eval(range)?;
        let Some(items) = self.elements(&over)? else {
            let message =
                format!("`{}` goes over a list or a map, and this is {}", each.name(), over.type_name());
            return Err(ExprError::at(type_error(message, None), self.tree.node(range).span.clone()));
        };
        let mut state = Loop { secret: over.secret, kept: Vec::new(), held: 0, failed: None };
        let depth = self.locals.len();
        let mut decided = None;
        for at in 0..items.len() {
            let Some(item) = items.get(at) else { break };
            let item = item.tainted(over.secret);
            self.locals.push((variable.clone(), item.clone()));
            let outcome = self.turn(each, item, condition, result, &mut state);
            self.locals.truncate(depth);
            match outcome {
                Ok(false) => {}
                Ok(true) => {
                    decided = Some(each == Each::Exists);
                    break;
                }
                // An element that decides makes up for others that failed.
                Err(error) if matches!(each, Each::All | Each::Exists) && !error.is_final() => {
                    state.failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        let value = match each {
            Each::Filter | Each::Map => Value::list(state.kept)?,
            Each::ExistsOne => Value::from(state.held == 1),
            Each::All | Each::Exists => match (decided, state.failed) {
                (Some(decided), _) => Value::from(decided),
                (None, Some(error)) => return Err(error),
                (None, None) => Value::from(each == Each::All),
            },
        };
        self.made(value.tainted(state.secret))
    }

    /// What macros go over: the elements of a list, the keys of a map. `None`: it is neither.
    fn elements(&mut self, over: &Value) -> Result<Option<Elements>, ExprError> {
        if let Kind::List(list) = &over.kind {
            return Ok(Some(Elements::Of(list.clone())));
        }
        let keys = ops::keys(over)?;
        self.meter.bytes(keys.as_ref().map_or(0, Vec::len) * size_of::<Value>())?;
        Ok(keys.map(Elements::Keys))
    }

    /// One element. True: the outcome is decided.
    fn turn(
        &mut self,
        each: Each,
        item: Value,
        condition: Option<Id>,
        result: Option<Id>,
        state: &mut Loop,
    ) -> Result<bool, ExprError> {
        self.meter.steps(1)?;
        if let Some(condition) = condition {
            let (truth, secret) =
                self.condition(condition, &format!("the condition of `{}`", each.name()))?;
            state.secret |= secret;
            match each {
                Each::All => return Ok(!truth),
                Each::Exists => return Ok(truth),
                _ if !truth => return Ok(false),
                _ => state.held += 1,
            }
        }
        match (each, result) {
            (Each::Map, Some(result)) => state.kept.push(self.eval(result)?),
            (Each::Filter, _) => state.kept.push(item),
            _ => {}
        }
        self.meter.bytes(size_of::<Value>())?;
        Ok(false)
    }
}

enum Elements {
    Of(Arc<List>),
    Keys(Vec<Arc<str>>),
}

impl Elements {
    fn len(&self) -> usize {
        match self {
            Elements::Of(list) => list.items.len(),
            Elements::Keys(keys) => keys.len(),
        }
    }

    fn get(&self, at: usize) -> Option<Value> {
        match self {
            Elements::Of(list) => list.items.get(at).cloned(),
            Elements::Keys(keys) => keys.get(at).map(|key| Value::new(Kind::String(key.clone()))),
        }
    }
}

struct Loop {
    secret: bool,
    kept: Vec<Value>,
    held: usize,
    failed: Option<ExprError>,
}
