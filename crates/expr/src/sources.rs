//! Calls of `data.…`, `file.…`, `vault.…`, `workers.…` and `model.method`. Arguments are checked here, for all callers, and
//! results are marked as secret where they are.

use crate::error::ExprErrorKind;
use crate::lookup_error::LookupError;
use crate::namespaces::{Namespace, namespace};
use crate::near::unknown_function;
use crate::scope::{DataSource, Scope};
use crate::too_deep::TooDeep;
use crate::value::{Kind, Value};

type Called = Result<Value, ExprErrorKind>;

/// `google.protobuf.Timestamp` and `google.protobuf.Duration`, the types.
pub(crate) fn google() -> Result<Value, TooDeep> {
    let of = |name| Value::new(Kind::Type(name));
    let protobuf = Value::map([
        ("Timestamp", of("google.protobuf.Timestamp")),
        ("Duration", of("google.protobuf.Duration")),
    ])?;
    Value::map([("protobuf", protobuf)])
}

pub(crate) fn call(scope: &dyn Scope, space: &str, function: &str, arguments: &[Value]) -> Called {
    let full = format!("{space}.{function}");
    let Some(space) = namespace(space) else { return Err(unknown_function(&full, &[])) };
    let Some(forms) = space.forms(function) else {
        let known: Vec<&str> = space.functions.iter().map(|(name, _)| *name).collect();
        return Err(unknown_function(function, &known));
    };
    let fits = |form: &str| {
        form.len() == arguments.len() && form.chars().zip(arguments).all(|(letter, value)| is(letter, value))
    };
    if !forms.iter().any(|form| fits(form)) {
        let given: Vec<&str> = arguments.iter().map(Value::type_name).collect();
        let ways: Vec<String> = forms
            .iter()
            .map(|form| {
                let parameters: Vec<&str> = form.chars().map(Namespace::parameter).collect();
                format!("{full}({})", parameters.join(", "))
            })
            .collect();
        let message = format!("`{full}` does not take ({})", given.join(", "));
        return Err(ExprErrorKind::Types { message, hint: Some(format!("it is {}", ways.join(" or "))) });
    }
    let not_available = || ExprErrorKind::Lookup(LookupError::NotAvailable { name: format!("{full}()") });
    let text = |index: usize| arguments.get(index).and_then(Value::as_str).unwrap_or_default();
    let value = match (space.name, function) {
        ("data", _) => data(scope.data().ok_or_else(not_available)?, function, arguments)?,
        ("file", _) => match scope.files().ok_or_else(not_available)?.contents(text(0), text(1))? {
            Some(text) => Value::from(text),
            None => Value::NULL,
        },
        ("workers", _) => list(scope.workers().ok_or_else(not_available)?.connected()?)?,
        ("vault", _) => {
            Value::from(scope.vaults().ok_or_else(not_available)?.secret(text(0), text(1))?).into_secret()
        }
        _ => scope.methods().ok_or_else(not_available)?.call(text(0), text(1), arguments.get(2))?,
    };
    Ok(value.tainted(arguments.iter().any(Value::has_secret)))
}

fn is(letter: char, value: &Value) -> bool {
    match letter {
        's' => value.as_str().is_some(),
        'n' => value.as_whole().is_some(),
        'l' => value.as_list().is_some(),
        _ => matches!(value.kind, Kind::Map(_)),
    }
}

fn list(items: Vec<Value>) -> Called {
    Value::list(items).map_err(ExprErrorKind::TooDeep)
}

fn data(data: &dyn DataSource, function: &str, arguments: &[Value]) -> Called {
    let text = |index: usize| arguments.get(index).and_then(Value::as_str).unwrap_or_default();
    Ok(match function {
        "latest" => data.latest(text(0), &varied(text(1), arguments.get(2))?)?,
        "version" => {
            let (vary, number) = match arguments {
                [_, _, vary, number] => (Some(vary), number),
                [.., number] => (None, number),
                [] => (None, &Value::NULL),
            };
            let number = number.as_whole().and_then(|number| u64::try_from(number).ok());
            let number = number
                .filter(|number| *number > 0)
                .ok_or_else(|| ExprErrorKind::Argument { message: "versions count from 1".to_owned() })?;
            data.version(text(0), &varied(text(1), vary)?, number)?
        }
        "listVersions" => {
            let versions = data.list_versions(text(0), &varied(text(1), arguments.get(2))?)?;
            list(versions.into_iter().map(|version| Value::from(version as f64)).collect())?
        }
        "findBySpec" => list(data.find_by_spec(text(0), text(1))?)?,
        "findByTag" => list(data.find_by_tag(text(0), text(1))?)?,
        _ => list(data.query(text(0), arguments.get(1).and_then(Value::as_str))?)?,
    })
}

/// `name-v1-v2` of a name and a vary list.
fn varied(name: &str, vary: Option<&Value>) -> Result<String, ExprErrorKind> {
    let mut full = name.to_owned();
    for value in vary.and_then(Value::as_list).unwrap_or_default() {
        let text = match &value.kind {
            Kind::String(_) | Kind::Int(_) | Kind::Double(_) | Kind::Bool(_) => {
                value.to_text().unwrap_or_default()
            }
            _ => String::new(),
        };
        if text.is_empty() || text == "." || text == ".." || text.contains(['/', '\\', '\0']) {
            let message =
                "a vary value is a text that can be part of a file's name: not empty, no `/`".to_owned();
            return Err(ExprErrorKind::Argument { message });
        }
        full.push('-');
        full.push_str(&text);
    }
    Ok(full)
}
