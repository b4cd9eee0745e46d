//! What can be known of an expression without evaluating it: that its types fit, and that its names exist.
//!
//! Types of variables are unknown, so what is found is about literals and results of functions: `1 == 1.0`,
//! `true ? 1 : "a"`, `size(1)`. Such an expression never has a value, whatever its context, and is not evaluated at all.

use std::sync::Arc;

use super::ast::{Binary, Each, Id, Op, Tree, Unary};
use super::signatures::{self, Signature, named};
use super::types::Type;
use crate::declared::Declared;
use crate::error::{ExprError, ExprErrorKind};
use crate::namespaces::{Namespace, namespace};
use crate::near::{near, unknown_function};
use crate::value::{Kind, Value};

/// `declared`: what the expression may name. Without it, every name is accepted.
pub(crate) fn check(tree: &Tree, declared: Option<&Declared>) -> Vec<ExprError> {
    let mut checker = Checker { tree, declared, locals: Vec::new(), problems: Vec::new() };
    checker.of(tree.root);
    checker.problems
}

/// Names that mean a type or a namespace, and no variable.
pub(crate) fn constant(name: &str) -> Option<(Type, Option<Value>)> {
    let of_type = match name {
        "string" => "string",
        "bool" => "bool",
        "int" => "int",
        "uint" => "uint",
        "double" => "double",
        "map" => "map",
        "list" => "list",
        "bytes" => "bytes",
        "null_type" => "null",
        "type" => "type",
        "optional" => return Some((Type::Namespace("optional"), None)),
        "cel" => return Some((Type::Namespace("cel"), None)),
        _ => return None,
    };
    Some((Type::OfTypes, Some(Value::new(Kind::Type(of_type)))))
}

struct Checker<'t> {
    tree: &'t Tree,
    declared: Option<&'t Declared>,
    locals: Vec<(Arc<str>, Type)>,
    problems: Vec<ExprError>,
}

impl<'t> Checker<'t> {
    fn problem(&mut self, kind: ExprErrorKind, id: Id) -> Type {
        let node = self.tree.node(id);
        // A name stands at the end of the path that it ends.
        let span = match &node.op {
            Op::Field { name, .. } if matches!(kind, ExprErrorKind::NoSuchKey { .. }) => {
                node.span.end.saturating_sub(name.len())..node.span.end
            }
            _ => node.span.clone(),
        };
        self.problems.push(ExprError::at(kind, span));
        Type::Dyn
    }

    fn mismatch(&mut self, message: String, id: Id) -> Type {
        self.problem(ExprErrorKind::Types { message, hint: None }, id)
    }

    fn local(&self, name: &str) -> Option<&Type> {
        self.locals.iter().rev().find(|(local, _)| **local == *name).map(|(_, of)| of)
    }

    fn of(&mut self, id: Id) -> Type {
        let tree = self.tree;
        match tree.op(id) {
            Op::Literal(value) => type_of_literal(value),
            Op::Name(name) => self.name(id, name),
            Op::Word(name) => self.local(name).cloned().unwrap_or(Type::String),
            Op::Field { object, optional, .. } => {
                if let Some(of) = self.declared_path(id) {
                    return of;
                }
                let object = self.of(*object);
                self.access(id, &object, None, *optional)
            }
            Op::Index { object, index, optional } => {
                let object = self.of(*object);
                let index = self.of(*index);
                self.access(id, &object, Some(&index), *optional)
            }
            Op::Call { name, arguments } => self.call(id, name, arguments),
            Op::Method { receiver, name, arguments } => self.method(id, *receiver, name, arguments),
            Op::List(items) => Type::list(self.common(items.iter().copied())),
            Op::Map(entries) => {
                let key = self.common(entries.iter().map(|(key, _)| *key));
                let value = self.common(entries.iter().map(|(_, value)| *value));
                Type::map(key, value)
            }
            Op::Unary(operator, operand) => {
                let of = self.of(*operand);
                match (operator, &of) {
                    (Unary::Not, Type::Dyn | Type::Bool) => Type::Bool,
                    (Unary::Minus, Type::Dyn | Type::Int | Type::Double) => of,
                    (Unary::Not, _) => self.mismatch(format!("`!` takes a bool, and this is {of}"), id),
                    (Unary::Minus, _) => self.mismatch(format!("`-` takes a number, and this is {of}"), id),
                }
            }
            Op::Binary(..) => {
                let (chain, first) = tree.spine(id);
                let mut left = self.of(first);
                for link in chain.into_iter().rev() {
                    let Op::Binary(operator, _, right) = tree.op(link) else { continue };
                    let right = self.of(*right);
                    left = self.binary(link, *operator, &left, &right);
                }
                left
            }
            Op::Ternary { condition, yes, no } => {
                let of = self.of(*condition);
                if !of.may_be_bool() {
                    self.mismatch(format!("the condition must be a bool, and it is {of}"), *condition);
                }
                let (yes, no) = (self.of(*yes), self.of(*no));
                yes.unify(&no).unwrap_or_else(|| {
                    let message = format!("the branches have different types, {yes} and {no}");
                    let hint = "convert one of them, or use dyn() around it".to_owned();
                    self.problem(ExprErrorKind::Types { message, hint: Some(hint) }, id)
                })
            }
            Op::Has(path) => {
                self.has(*path);
                Type::Bool
            }
            Op::Each { each, range, variable, condition, result } => {
                self.each(*each, *range, variable, *condition, *result)
            }
            Op::Bind { variable, value, result } => {
                let of = self.of(*value);
                self.with_local(variable, of, |checker| checker.of(*result))
            }
            Op::Or { receiver, other, unwrap } => self.or(id, *receiver, *other, *unwrap),
        }
    }

    fn with_local<T>(&mut self, name: &Arc<str>, of: Type, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push((name.clone(), of));
        let result = inside(self);
        self.locals.pop();
        result
    }

    fn common(&mut self, items: impl Iterator<Item = Id>) -> Type {
        let mut common: Option<Type> = None;
        for item in items {
            let of = self.of(item);
            common = Some(match common {
                None => of,
                Some(before) => before.unify(&of).unwrap_or(Type::Dyn),
            });
        }
        common.unwrap_or(Type::Any)
    }

    fn name(&mut self, id: Id, name: &str) -> Type {
        if let Some(of) = self.local(name) {
            return of.clone();
        }
        if let Some((of, _)) = constant(name) {
            return of;
        }
        if let Some(declared) = self.declared
            && !declared.has_variable(name)
            && name != "google"
        {
            let kind = match namespace(name) {
                Some(space) if declared.has_namespace(name) => {
                    let functions: Vec<String> =
                        space.functions.iter().map(|(function, _)| format!("{name}.{function}()")).collect();
                    let message = format!("`{name}` is not a value; it has {}", functions.join(", "));
                    ExprErrorKind::Types { message, hint: None }
                }
                _ => declared.unknown_variable(name),
            };
            return self.problem(kind, id);
        }
        Type::Dyn
    }

    /// A path into a variable whose keys are declared.
    fn declared_path(&mut self, id: Id) -> Option<Type> {
        let (declared, tree) = (self.declared?, self.tree);
        let Op::Field { object, name, optional } = tree.op(id) else { return None };
        let Op::Name(root) = tree.op(*object) else { return None };
        if self.local(root).is_some() || *optional {
            return None;
        }
        let keys = declared.keys_of(root)?;
        if !keys.iter().any(|key| **key == **name) {
            let near = near(name, keys.iter().map(String::as_str));
            self.problem(
                ExprErrorKind::NoSuchKey { key: name.to_string(), path: root.to_string(), near },
                id,
            );
        }
        Some(Type::Dyn)
    }

    fn access(&mut self, id: Id, object: &Type, index: Option<&Type>, optional: bool) -> Type {
        let (inside, optional) = match object {
            Type::Optional(of) => (&**of, true),
            other => (other, optional),
        };
        let of = match inside {
            Type::Dyn => Type::Dyn,
            Type::List(of) => match index {
                Some(Type::Int | Type::Dyn | Type::Any) => (**of).clone(),
                Some(index) => {
                    self.mismatch(format!("the index of a list must be an int, and this is {index}"), id)
                }
                None => self.mismatch("a list has no fields; its elements are `list[0]`".to_owned(), id),
            },
            Type::Map(_, value) => (**value).clone(),
            Type::Any => Type::Dyn,
            other => self.mismatch(format!("{other} has no fields or elements"), id),
        };
        if optional { Type::optional(of) } else { of }
    }

    fn has(&mut self, path: Id) {
        let tree = self.tree;
        let mut root = path;
        let mut steps = 0;
        while let Op::Field { object, .. } = tree.op(root) {
            root = *object;
            steps += 1;
        }
        let is_plain = matches!(tree.op(root), Op::Name(_))
            && steps > 0
            && matches!(tree.op(path), Op::Field { optional: false, .. });
        if is_plain {
            self.of(root);
        } else {
            self.mismatch("`has()` takes a path of fields, such as `inputs.a.b`".to_owned(), path);
        }
    }

    fn each(
        &mut self,
        each: Each,
        range: Id,
        variable: &Arc<str>,
        condition: Option<Id>,
        result: Option<Id>,
    ) -> Type {
        let name = each.name();
        let element = match self.of(range) {
            Type::Dyn => Type::Dyn,
            Type::List(of) if *of == Type::Any => Type::Dyn,
            Type::List(of) => (*of).clone(),
            // Keys are text, whatever they were written as.
            Type::Map(..) => Type::String,
            other => self.mismatch(format!("`{name}` goes over a list or a map, and this is {other}"), range),
        };
        self.with_local(variable, element.clone(), |checker| {
            if let Some(condition) = condition {
                let of = checker.of(condition);
                if !of.may_be_bool() {
                    checker.mismatch(
                        format!("the condition of `{name}` must be a bool, and it is {of}"),
                        condition,
                    );
                }
            }
            match (each, result) {
                (Each::Map, Some(result)) => Type::list(checker.of(result)),
                (Each::Filter, _) => Type::list(element),
                _ => Type::Bool,
            }
        })
    }

    fn or(&mut self, id: Id, receiver: Id, other: Id, unwrap: bool) -> Type {
        let name = if unwrap { "orValue" } else { "or" };
        let inside = |of: &Type| match of {
            Type::Dyn => Some(Type::Dyn),
            Type::Optional(of) => Some((**of).clone()),
            _ => None,
        };
        let of = self.of(receiver);
        let Some(left) = inside(&of) else {
            let message = format!("`{name}` is for optionals, such as `a.?b`, and this is {of}");
            return self.mismatch(message, receiver);
        };
        let of = self.of(other);
        let right = if unwrap { Some(of.clone()) } else { inside(&of) };
        let Some(right) = right else {
            return self.mismatch(format!("`or` takes an optional, and this is {of}"), other);
        };
        match left.unify(&right) {
            Some(of) if unwrap => of,
            Some(of) => Type::optional(of),
            None => self.mismatch(format!("`{name}` joins different types, {left} and {right}"), id),
        }
    }

    fn call(&mut self, id: Id, name: &str, arguments: &[Id]) -> Type {
        let types: Vec<Type> = arguments.iter().map(|argument| self.of(*argument)).collect();
        let found = named(name, false);
        if found.is_empty() {
            return self.problem(unknown_function(name, signatures::names(false)), id);
        }
        match found.iter().find(|signature| accepts(signature, &types)) {
            Some(signature) => signature.result.clone(),
            None => self.problem(no_overload(name, None, &types, &found), id),
        }
    }

    fn method(&mut self, id: Id, receiver: Id, name: &str, arguments: &[Id]) -> Type {
        if let Op::Name(space) = self.tree.op(receiver)
            && self.local(space).is_none()
            && let Some(space) = namespace(space)
        {
            return self.namespaced(id, space, name, arguments);
        }
        let of = self.of(receiver);
        let types: Vec<Type> = arguments.iter().map(|argument| self.of(*argument)).collect();
        if of == Type::Namespace("optional") {
            return match (name, types.as_slice()) {
                ("none", []) => Type::optional(Type::Any),
                ("of", [of]) => Type::optional(of.clone()),
                _ => self.problem(
                    unknown_function(&format!("optional.{name}"), &["optional.none", "optional.of"]),
                    id,
                ),
            };
        }
        if let (Type::Optional(inside), "value", []) = (&of, name, types.as_slice()) {
            return (**inside).clone();
        }
        let all = named(name, true);
        if all.is_empty() {
            return self.problem(unknown_function(name, signatures::names(true)), id);
        }
        let found: Vec<&Signature> =
            all.iter().filter(|each| each.arguments.len() == types.len()).copied().collect();
        let mut results = found.iter().map(|each| each.result.clone());
        if let (true, Some(first)) = (of.is_dyn(), results.next()) {
            return results.fold(first, |a, b| a.unify(&b).unwrap_or(Type::Dyn));
        }
        let fits = |each: &&&Signature| {
            each.receiver.as_ref().is_some_and(|receiver| of.matches(receiver)) && accepts(each, &types)
        };
        match found.iter().find(fits) {
            Some(each) => each.result.clone(),
            None => self.problem(no_overload(name, Some(&of), &types, &all), id),
        }
    }

    fn namespaced(&mut self, id: Id, space: &Namespace, name: &str, arguments: &[Id]) -> Type {
        let types: Vec<Type> = arguments.iter().map(|argument| self.of(*argument)).collect();
        let full = format!("{}.{name}", space.name);
        if let Some(declared) = self.declared
            && !declared.has_namespace(space.name)
        {
            let error = crate::lookup_error::LookupError::NotAvailable { name: format!("{full}()") };
            return self.problem(ExprErrorKind::Lookup(error), id);
        }
        let Some(forms) = space.forms(name) else {
            let known: Vec<String> =
                space.functions.iter().map(|(function, _)| format!("{}.{function}", space.name)).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return self.problem(unknown_function(&full, &known), id);
        };
        let fits = |form: &&&str| {
            form.len() == types.len()
                && form.chars().zip(&types).all(|(letter, of)| signatures::accepts_parameter(letter, of))
        };
        if !forms.iter().any(|form| fits(&form)) {
            let ways: Vec<String> = forms
                .iter()
                .map(|form| {
                    let parameters: Vec<&str> = form.chars().map(Namespace::parameter).collect();
                    format!("{full}({})", parameters.join(", "))
                })
                .collect();
            let message = format!("`{full}` does not take ({})", list(&types));
            let hint = Some(format!("it is {}", ways.join(" or ")));
            return self.problem(ExprErrorKind::Types { message, hint }, id);
        }
        match (space.name, name) {
            ("vault", "get") => Type::String,
            _ => Type::Dyn,
        }
    }

    fn binary(&mut self, id: Id, operator: Binary, left: &Type, right: &Type) -> Type {
        use Binary::{Add, And, Divide, Equal, In, Multiply, NotEqual, Or, Remainder, Subtract};
        let of = match operator {
            Or | And => (left.may_be_bool() && right.may_be_bool()).then_some(Type::Bool),
            Equal | NotEqual => equality(left, right).then_some(Type::Bool),
            In => membership(left, right).then_some(Type::Bool),
            Add | Subtract | Multiply | Divide | Remainder => arithmetic(operator, left, right),
            _ => comparison(left, right).then_some(Type::Bool),
        };
        of.unwrap_or_else(|| {
            let symbol = operator.symbol();
            let message = format!("there is no {left} {symbol} {right}");
            let numbers = [left, right].iter().all(|of| matches!(of, Type::Int | Type::Uint | Type::Double));
            let hint = match operator {
                Or | And => Some(format!("`{symbol}` takes two bools")),
                _ if numbers => Some("convert one with int(), uint() or double()".to_owned()),
                Add if [left, right].contains(&&Type::String) => {
                    Some("convert the other side with string()".to_owned())
                }
                _ => None,
            };
            self.problem(ExprErrorKind::Types { message, hint }, id)
        })
    }
}

fn type_of_literal(value: &Value) -> Type {
    match &value.kind {
        Kind::Null => Type::Null,
        Kind::Bool(_) => Type::Bool,
        Kind::Int(_) => Type::Int,
        Kind::Uint(_) => Type::Uint,
        Kind::Double(_) => Type::Double,
        Kind::String(_) => Type::String,
        Kind::Bytes(_) => Type::Bytes,
        _ => Type::Dyn,
    }
}

fn accepts(signature: &Signature, types: &[Type]) -> bool {
    signature.arguments.len() == types.len()
        && signature.arguments.iter().zip(types).all(|(wanted, of)| of.matches(wanted))
}

fn list(types: &[Type]) -> String {
    types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ")
}

fn no_overload(name: &str, receiver: Option<&Type>, types: &[Type], found: &[&Signature]) -> ExprErrorKind {
    let receiver = receiver.map(|of| format!("{of}.")).unwrap_or_default();
    let message = format!("there is no {receiver}{name}({})", list(types));
    ExprErrorKind::Types { message, hint: Some(format!("there is {}", signatures::forms(found))) }
}

fn arithmetic(operator: Binary, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Bytes, Double, Duration, Int, String, Timestamp, Uint};
    let mut found: Option<Type> = None;
    let mut add = |a: &Type, b: &Type, result: Type| {
        if left.matches(a) && right.matches(b) {
            found = Some(match found.take() {
                None => result,
                Some(before) => before.unify(&result).unwrap_or(Type::Dyn),
            });
        }
    };
    add(&Int, &Int, Int);
    add(&Uint, &Uint, Uint);
    add(&Int, &Double, Double);
    add(&Double, &Int, Double);
    if operator != Binary::Remainder {
        add(&Double, &Double, Double);
    }
    if operator == Binary::Add {
        add(&String, &String, String);
        add(&Bytes, &Bytes, Bytes);
        add(&Timestamp, &Duration, Timestamp);
        add(&Duration, &Timestamp, Timestamp);
    }
    if operator == Binary::Subtract {
        add(&Timestamp, &Timestamp, Duration);
        add(&Timestamp, &Duration, Timestamp);
    }
    if matches!(operator, Binary::Add | Binary::Subtract) {
        add(&Duration, &Duration, Duration);
    }
    if operator == Binary::Add {
        let lists = match (left, right) {
            (Type::List(a), Type::List(b)) if a.same_as(b) => Some(left.clone()),
            (Type::List(_), Type::Dyn) => Some(left.clone()),
            (Type::Dyn, Type::List(_)) => Some(Type::list(Type::Dyn)),
            (Type::Dyn, Type::Dyn) => Some(Type::Dyn),
            _ => None,
        };
        found = match (found, lists) {
            (Some(a), Some(b)) => Some(a.unify(&b).unwrap_or(Type::Dyn)),
            (a, b) => a.or(b),
        };
    }
    found
}

fn equality(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Dyn | Type::Any, _) => true,
        (Type::Optional(_) | Type::Namespace(_), _) => false,
        (_, Type::Dyn | Type::Any) => true,
        _ => left.same_as(right),
    }
}

fn membership(left: &Type, right: &Type) -> bool {
    match right {
        Type::Dyn | Type::Any => true,
        Type::List(of) => left.is_dyn() || of.is_dyn() || left.same_as(of),
        Type::Map(key, _) => left.is_dyn() || key.is_dyn() || left.same_as(key),
        _ => false,
    }
}

fn comparison(left: &Type, right: &Type) -> bool {
    let kind = |of: &Type| match of {
        Type::Dyn | Type::Any => Some(0),
        Type::Int | Type::Uint | Type::Double => Some(1),
        Type::Bool => Some(2),
        Type::String => Some(3),
        Type::Timestamp => Some(4),
        Type::Duration => Some(5),
        _ => None,
    };
    matches!((kind(left), kind(right)), (Some(a), Some(b)) if a == b || a == 0 || b == 0)
}
