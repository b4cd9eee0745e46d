//! The format as JSON Schemas, for editors. `tests/it/schema.rs` holds them to the parser: what one takes, the other takes.

use serde_json::{Value, json};

/// The schemas of all parts, by name.
pub fn json_schemas() -> Value {
    json!({
        "workflow": workflow(),
        "job": job(),
        "jobDependency": dependency("job"),
        "step": step(),
        "stepDependency": dependency("step"),
        "stepTask": task(),
        "triggerCondition": condition(),
    })
}

fn object(properties: Value, required: &[&str], open: bool) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": open })
}

fn with_placement(mut properties: Value) -> Value {
    if let (Value::Object(all), Value::Object(placement)) = (&mut properties, placement()) {
        all.extend(placement);
    }
    properties
}

fn placement() -> Value {
    json!({
        "affinity": { "type": "boolean" },
        "target": { "type": "string" },
        "labels": { "type": "object", "additionalProperties": { "type": "string" } },
        "platform": { "type": "string" },
        "queueTimeout": { "type": "number", "minimum": 0, "description": "seconds" },
    })
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0, "description": "0: no limit" })
}

fn duration() -> Value {
    json!({
        "description": "a number of seconds, or 500ms, 30s, 5m, 1h, 7d",
        "anyOf": [
            { "type": "number", "exclusiveMinimum": 0 },
            { "type": "string", "pattern": "^\\s*[0-9]+(ms|s|m|h|d)?\\s*$" },
        ],
    })
}

fn code() -> Value {
    json!({ "enum": ["follow", "pinned"] })
}

fn workflow() -> Value {
    let properties = with_placement(json!({
        "id": {
            "type": "string",
            "description": "a UUID; others that can be the name of a directory are taken with a warning",
            "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$",
        },
        "name": text(),
        "description": { "type": "string" },
        "trigger": object(json!({ "schedule": { "type": "string" }, "inputs": { "type": "object" } }), &[], true),
        "tags": { "type": "object", "additionalProperties": { "type": "string" } },
        "inputs": { "type": "object", "description": "a JSON Schema of the inputs" },
        "jobs": { "type": "array", "minItems": 1, "items": job() },
        "version": { "type": "integer", "minimum": 1 },
        "concurrency": count(),
        "reports": { "type": "object" },
        "code": code(),
    }));
    let mut schema = object(properties, &["id", "name", "jobs"], false);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema
}

fn job() -> Value {
    let properties = with_placement(json!({
        "name": text(),
        "description": { "type": "string" },
        "steps": { "type": "array", "minItems": 1, "items": step() },
        "dependsOn": { "type": "array", "items": dependency("job") },
        "needs": needs(),
        "weight": { "type": "number" },
        "concurrency": count(),
        "timeout": duration(),
    }));
    object(properties, &["name", "steps"], false)
}

fn step() -> Value {
    let each = json!({ "item": text(), "in": text() });
    let overrides = json!({
        "specName": text(),
        "lifetime": {},
        "garbageCollection": {},
        "tags": { "type": "object" },
        "vary": { "type": "array", "items": { "type": "string" } },
        "vaultName": { "type": "string" },
    });
    let properties = with_placement(json!({
        "name": text(),
        "description": { "type": "string" },
        "task": task(),
        "forEach": object(each, &["item", "in"], true),
        "dependsOn": { "type": "array", "items": dependency("step") },
        "needs": needs(),
        "weight": { "type": "number" },
        "concurrency": count(),
        "dataOutputOverrides": { "type": "array", "items": object(overrides, &["specName"], true) },
        "allowFailure": { "type": "boolean" },
        "guard": { "type": "string" },
        "retry": retry(),
        "timeout": duration(),
        "code": code(),
    }));
    object(properties, &["name", "task"], false)
}

fn needs() -> Value {
    json!({
        "description": "read as `dependsOn` with the condition `succeeded`; write that",
        "anyOf": [text(), { "type": "array", "items": text() }],
    })
}

fn retry() -> Value {
    let attempts = json!({ "type": "integer", "minimum": 1, "maximum": 1000 });
    let backoff = object(
        json!({ "initial": duration(), "factor": { "type": "number", "minimum": 1 }, "max": duration() }),
        &[],
        false,
    );
    let full = json!({
        "attempts": attempts,
        "backoff": { "anyOf": [duration(), backoff] },
        "jitter": { "type": "number", "minimum": 0, "maximum": 1 },
        "on": { "type": "array", "items": { "enum": ["error", "timeout", "crash"] } },
    });
    json!({ "anyOf": [attempts, object(full, &["attempts"], false)] })
}

fn dependency(what: &str) -> Value {
    object(json!({ what: text(), "condition": condition() }), &[what, "condition"], true)
}

/// Conditions hold conditions, so those inside are described by their type alone.
fn condition() -> Value {
    let inner =
        json!({ "type": "object", "properties": { "type": { "type": "string" } }, "required": ["type"] });
    let of = |types: Value, more: Value, required: &[&str]| {
        let mut properties = json!({ "type": { "enum": types } });
        if let (Value::Object(all), Value::Object(more)) = (&mut properties, more) {
            all.extend(more);
        }
        object(properties, required, true)
    };
    json!({ "oneOf": [
        of(json!(["always", "succeeded", "failed", "completed", "skipped"]), json!({}), &["type"]),
        of(
            json!(["and", "or"]),
            json!({ "conditions": { "type": "array", "minItems": 2, "items": inner } }),
            &["type", "conditions"],
        ),
        of(json!(["not"]), json!({ "condition": inner }), &["type", "condition"]),
    ] })
}

fn task() -> Value {
    let map = json!({ "anyOf": [{ "type": "object" }, { "type": "string", "pattern": "^\\s*\\$\\{\\{" }] });
    let of = |kind: &str, more: Value, required: &[&str]| {
        let mut properties = json!({ "type": { "const": kind } });
        if let (Value::Object(all), Value::Object(more)) = (&mut properties, more) {
            all.extend(more);
        }
        object(properties, required, true)
    };
    json!({ "oneOf": [
        of(
            "model_method",
            json!({ "modelIdOrName": text(), "methodName": text(), "inputs": map, "modelType": false, "modelName": false, "globalArgs": false, "arguments": false }),
            &["type", "modelIdOrName", "methodName"],
        ),
        of(
            "model_method",
            json!({ "modelType": text(), "modelName": text(), "methodName": text(), "inputs": map, "globalArgs": map, "modelIdOrName": false, "arguments": false }),
            &["type", "modelType", "modelName", "methodName"],
        ),
        of("workflow", json!({ "workflowIdOrName": text(), "inputs": map, "arguments": false }), &["type", "workflowIdOrName"]),
        of(
            "manual_approval",
            json!({ "prompt": text(), "timeout": { "type": "number", "exclusiveMinimum": 0 } }),
            &["type", "prompt"],
        ),
        of(
            "assert",
            json!({ "expr": text(), "message": text(), "severity": { "enum": ["low", "medium", "high"] } }),
            &["type", "expr", "message"],
        ),
    ] })
}
