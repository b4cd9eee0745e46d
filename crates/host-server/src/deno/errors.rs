//! From an error of V8, as `start.mjs` describes it, to the protocol's.

use marsh_host_protocol::{CallError, ErrorKind};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    stack: Option<String>,
    #[serde(default)]
    code: Option<String>,
    /// As text: it may be nested deeper than it can be read, and then it is left out.
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// How files are named in stacks: what Deno loads from a file goes by the name that the other engine uses for it.
#[derive(Debug, Default)]
pub struct Names(pub Vec<(String, String)>);

impl Names {
    fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (url, name)| text.replace(url, name))
    }
}

/// The error of a call.
pub fn thrown(description: &str, names: &Names) -> CallError {
    let Ok(Described { name, message, stack, code, data }) = serde_json::from_str(description) else {
        return CallError::new(ErrorKind::Threw, "the module threw a value that cannot be described");
    };
    let kind = match (name.as_deref(), message.as_str()) {
        (Some("RangeError"), "Maximum call stack size exceeded") => ErrorKind::StackOverflow,
        (Some("RangeError"), "Array buffer allocation failed" | "Invalid string length") => {
            ErrorKind::OutOfMemory
        }
        _ => ErrorKind::Threw,
    };
    let message = names.apply(&message);
    let stack = stack.map(|stack| names.apply(&stack));
    let data = data.and_then(|data| serde_json::from_str(data.get()).ok());
    let data = data.or_else(|| {
        let (file, line, column) = location(stack.as_deref()?)?;
        Some(json!({ "file": file, "line": line, "column": column }))
    });
    CallError { kind, message, name, code, stack, data, place: None }
}

/// The error of a module that did not load. A syntax error has its location in the message, which becomes its first frame.
pub fn not_loaded(description: &str, names: &Names) -> CallError {
    let mut error = thrown(description, names);
    // Deno's own parser says the name in the message, and shows the line.
    let own = error.message.strip_prefix("SyntaxError: ").map(str::to_owned);
    let is_syntax = own.is_some() || error.name.as_deref() == Some("SyntaxError");
    let missing = error.message.contains("does not provide an export named");
    if !is_syntax || missing {
        if error.kind == ErrorKind::Threw {
            error.kind = ErrorKind::Load;
        }
    } else {
        error.kind = ErrorKind::Syntax;
        error.name = Some("SyntaxError".to_owned());
        error.code = None;
    }
    if is_syntax
        && let Some((message, place)) = error.message.rsplit_once(" at ")
        && let Some((file, line, column)) = parse_place(place)
    {
        error.data = Some(json!({ "file": file, "line": line, "column": column }));
        error.stack = Some(format!("    at {place}\n"));
        let message = own.as_deref().and_then(|own| own.lines().next()).unwrap_or(message);
        error.message = message.trim_end().to_owned();
    }
    error
}

/// The first frame that is neither Deno's nor the shim's.
fn location(stack: &str) -> Option<(&str, u32, u32)> {
    stack.lines().find_map(|line| {
        let line = line.trim().strip_prefix("at ")?;
        let place = match (line.rfind('('), line.strip_suffix(')')) {
            (Some(open), Some(inner)) => inner.get(open + 1..)?,
            _ => line.strip_prefix("async ").unwrap_or(line),
        };
        let (file, line, column) = parse_place(place)?;
        let own = ["marsh:", "node:", "ext:"].iter().any(|scheme| file.starts_with(scheme));
        (!own).then_some((file, line, column))
    })
}

fn parse_place(place: &str) -> Option<(&str, u32, u32)> {
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file, line.parse().ok()?, column.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use marsh_host_protocol::ErrorKind;
    use serde_json::json;

    use super::{Names, not_loaded, thrown};

    #[test]
    fn error_of_a_module_has_the_location_of_its_own_first_frame() {
        let names = Names(vec![("file:///support/shim.mjs".into(), "marsh:shim".into())]);
        let stack = "    at f (file:///support/shim.mjs:1:1)\n    at async file:///m/bundle.js?fp=1:7:3\n";
        let description = json!({ "name": "TypeError", "message": "no", "stack": stack }).to_string();
        let error = thrown(&description, &names);
        assert_eq!(error.kind, ErrorKind::Threw);
        assert_eq!(error.data, Some(json!({ "file": "file:///m/bundle.js?fp=1", "line": 7, "column": 3 })));
        assert!(error.stack.is_some_and(|stack| stack.contains("at f (marsh:shim:1:1)")));
    }

    #[test]
    fn syntax_error_of_either_parser_has_the_location_of_its_message() {
        let message =
            "SyntaxError: Expected ',', got '}'\n  |\n9 |  const m = {\n    at file:///m.js?fp=1:9:22";
        let description = json!({ "name": "TypeError", "message": message, "stack": "" }).to_string();
        let error = not_loaded(&description, &Names::default());
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Syntax, "Expected ',', got '}'"));
        assert_eq!(error.data, Some(json!({ "file": "file:///m.js?fp=1", "line": 9, "column": 22 })));
        let message = "Missing initializer in const declaration at file:///m/bundle.js?fp=1:2:7";
        let description = json!({ "name": "SyntaxError", "message": message, "stack": "" }).to_string();
        let error = not_loaded(&description, &Names::default());
        assert_eq!(error.kind, ErrorKind::Syntax);
        assert_eq!(error.message, "Missing initializer in const declaration");
        assert_eq!(error.data, Some(json!({ "file": "file:///m/bundle.js?fp=1", "line": 2, "column": 7 })));
    }
}
