//! A `forEach` as the steps that it stands for, where they mean the same.
//!
//! They do not if the collection is empty or unknown, if the step bounds how many items run at once or has a guard, if
//! something of an item would remain in an expression, if two names are the same, or if another step waits for anything but
//! the success or the end of all items.

use marsh_expr::{Cel, Mode, expand};
use serde_json::{Map, Value, json};

use super::Copy;
use crate::run::for_each_items;
use crate::schema::{Condition, Job, Step};

impl Copy<'_> {
    pub(super) fn unroll(&self, job: &Job, step: &Step) -> Result<Option<Vec<Value>>, serde_json::Error> {
        let Some(each) = &step.for_each else { return Ok(None) };
        if !self.unrolls || step.guard.is_some() || step.concurrency.is_some() || !dependents_allow(job, step)
        {
            return Ok(None);
        }
        let list = Value::from(each.items.as_str());
        let known = self.known();
        let Ok(list) = expand(&list, &Cel::default(), &known.scope, Mode::Strict, |_| false) else {
            return Ok(None);
        };
        let named = |value: &Value| match self.known_with(&each.item, value).text(&step.name) {
            Value::String(name) if !marsh_expr::contains_expression(&Value::from(name.as_str())) => {
                Some(name)
            }
            _ => None,
        };
        let Ok(items) = for_each_items(step, each, list.value, named) else { return Ok(None) };
        let is_taken = |name: &str| job.steps.iter().any(|other| other.name == *name);
        if items.is_empty() || items.iter().any(|item| is_taken(&item.name)) {
            return Ok(None);
        }
        let own = format!("self.{}", each.item);
        let mut steps = Vec::with_capacity(items.len());
        for item in items {
            let mut document =
                serde_json::to_value(Step { for_each: None, name: item.name, ..step.clone() })?;
            document["task"] = self.known_with(&each.item, &item.value).task(&document["task"]);
            if names_item(&document, &own) {
                return Ok(None);
            }
            steps.push(document);
        }
        Ok(Some(steps))
    }
}

/// Whether what depends on the step asks only for what its items can answer one by one.
fn dependents_allow(job: &Job, step: &Step) -> bool {
    let mut entries = job.steps.iter().flat_map(|other| &other.depends_on);
    entries.all(|entry| {
        entry.step != step.name
            || matches!(entry.condition, Condition::Succeeded | Condition::Completed | Condition::Always)
    })
}

/// Whether anything of the item is left: in an expression, or in a text that is one.
fn names_item(value: &Value, own: &str) -> bool {
    match value {
        Value::String(text) => text.contains(own),
        Value::Array(items) => items.iter().any(|item| names_item(item, own)),
        Value::Object(map) => map.values().any(|item| names_item(item, own)),
        _ => false,
    }
}

/// Lets a step depend on the steps that stand for a `forEach`, in place of the one that is gone.
pub(super) fn rename_dependencies(step: &mut Value, replaced: &Map<String, Value>) {
    let Some(entries) = step.get_mut("dependsOn").and_then(Value::as_array_mut) else { return };
    let mut renamed = Vec::with_capacity(entries.len());
    for entry in entries.drain(..) {
        let names = entry["step"].as_str().and_then(|name| replaced.get(name)?.as_array());
        match names {
            None => renamed.push(entry),
            Some(names) => renamed.extend(
                names.iter().map(|name| json!({ "step": name, "condition": entry["condition"].clone() })),
            ),
        }
    }
    *entries = renamed;
}
