//! Changes of the key `triggers` in the text of `serve.yaml`. The rest of the text stays as it was written, comments
//! included, where the key has lines of its own; otherwise the file is written anew.

use marsh_types::yaml;
use serde_json::{Map, Value, json};

use crate::config::{Config, Override};
use crate::error::TriggerError;

const KEY: &str = "triggers";

/// The text of the file with this entry for a workflow, or without one.
///
/// # Errors
///
/// When the text is invalid.
pub fn with_override(text: &str, workflow: &str, over: Option<&Override>) -> Result<String, TriggerError> {
    let invalid = |message: String| TriggerError::Config { place: "the file".to_owned(), message };
    Config::parse(text)?;
    let written: Value = yaml::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let mut file = match written {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let mut triggers = match file.remove(KEY) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    match over {
        Some(over) => triggers.insert(workflow.to_owned(), entry(over)),
        None => triggers.remove(workflow),
    };
    let block = if triggers.is_empty() {
        String::new()
    } else {
        let block = json!({ KEY: triggers });
        file.insert(KEY.to_owned(), Value::Object(triggers));
        yaml::to_string(&block).map_err(|error| invalid(error.to_string()))?
    };
    let edited = replaced(text, &block);
    let wanted = if file.is_empty() { Value::Null } else { Value::Object(file) };
    if yaml::from_str::<Value>(&edited).is_ok_and(|found| found == wanted) {
        return Ok(edited);
    }
    match wanted {
        Value::Null => Ok(String::new()),
        wanted => yaml::to_string(&wanted).map_err(|error| invalid(error.to_string())),
    }
}

fn entry(over: &Override) -> Value {
    let mut entry = Map::new();
    if let Some(schedule) = &over.schedule {
        entry.insert("schedule".to_owned(), Value::from(schedule.as_str()));
    }
    if let Some(inputs) = &over.inputs {
        entry.insert("inputs".to_owned(), Value::Object(inputs.clone()));
    }
    Value::Object(entry)
}

/// The text with the lines of the key replaced, or with the block at its end.
fn replaced(text: &str, block: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_key = |line: &str| line.strip_prefix(KEY).is_some_and(|rest| rest.starts_with(':'));
    let Some(start) = lines.iter().position(|line| is_key(line)) else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{gap}{block}");
    };
    let is_below = |line: &str| line.trim().is_empty() || line.starts_with([' ', '\t', '#', '}']);
    let mut end = start + 1;
    while lines.get(end).is_some_and(|line| is_below(line)) {
        end += 1;
    }
    // Comments and empty lines in front of the next key belong to it.
    while end > start + 1 && (lines[end - 1].trim().is_empty() || lines[end - 1].starts_with('#')) {
        end -= 1;
    }
    format!("{}{block}{}", lines[..start].concat(), lines[end..].concat())
}

#[cfg(test)]
mod tests {
    use super::with_override;
    use crate::config::Override;
    use serde_json::json;

    fn nightly() -> Override {
        let inputs = json!({ "region": "eu" }).as_object().unwrap().clone();
        Override { schedule: Some("0 3 * * *".into()), inputs: Some(inputs) }
    }

    const ENTRY: &str = "triggers:\n  nightly:\n    schedule: 0 3 * * *\n    inputs:\n      region: eu\n";

    #[test]
    fn entry_changes_nothing_else_of_the_text() {
        for (before, after) in
            [("", ""), ("port: 1 # mine\n", ""), ("# head\nport: 1\n\n", "# tail\nhost: h\n")]
        {
            let empty = format!("{before}{after}");
            let old = format!("{before}triggers:\n  # gone\n  nightly: {{schedule: 1 1 1 1 1}}\n{after}");
            let set = |text: &str| with_override(text, "nightly", Some(&nightly())).unwrap();
            assert_eq!(set(&old), format!("{before}{ENTRY}{after}"));
            assert_eq!(set(&empty), format!("{empty}{ENTRY}"));
            assert_eq!(with_override(&old, "nightly", None).unwrap(), empty);
        }
    }

    #[test]
    fn entries_of_other_workflows_stay() {
        let old = "triggers: {a: {schedule: 1 1 1 1 1}, b: {inputs: {x: 1}}}\nport: 1\n";
        let new = with_override(old, "a", None).unwrap();
        assert_eq!(new, "triggers:\n  b:\n    inputs:\n      x: 1\nport: 1\n");
    }

    #[test]
    fn text_that_cannot_be_edited_by_lines_is_written_anew() {
        for old in [
            "{port: 1}\n",
            "\"triggers\": {a: {inputs: {x: 1}}}\nport: 1\n",
            "triggers: {\n  a: {}\n}\nport: 1\n",
        ] {
            let new = with_override(old, "nightly", Some(&nightly())).unwrap();
            let config = crate::Config::parse(&new).unwrap();
            assert_eq!((config.port, config.triggers.get("nightly")), (Some(1), Some(&nightly())), "{new}");
            assert_eq!(config.triggers.len(), 1 + usize::from(old.contains("a:")), "{new}");
        }
        assert!(with_override("port: x\n", "nightly", None).is_err());
    }
}
