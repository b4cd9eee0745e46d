//! A scope with every source there is, for the tests of this crate.

use marsh_expr::{
    Cel, DataSource, Evaluated, Evaluator, ExprError, FileSource, Looked, Lookup, LookupError, MethodSource,
    Scope, Value, Variables, VaultSource, WorkerSource,
};
use marsh_types::ErrorCode;
use serde_json::{Value as Json, json};

#[derive(Debug)]
pub struct World(pub Variables);

/// The variables of the results table.
pub fn variables() -> Variables {
    let mut variables = Variables::new()
        .with(
            "inputs",
            json!({
                "n": 3, "f": 1.5, "s": "abc", "l": [1, 2, 3], "o": {"k": "v", "a-b": 1}, "nul": null, "b": true,
                "objs": [{"id": 1, "t": "one"}, {"id": 2, "t": "two"}], "big": 9_007_199_254_740_993_i64,
                "emoji": "a😀b",
            }),
        )
        .with("env", json!({"HOME": "/root"}));
    variables.set_value("model", Value::lazy(std::sync::Arc::new(Models)));
    variables
}

pub fn world() -> World {
    World(variables())
}

pub fn eval(expression: &str) -> Result<Value, ExprError> {
    Cel::default().evaluate(expression, &world())
}

pub fn json_of(expression: &str) -> Result<Evaluated, ExprError> {
    eval(expression).and_then(|value| Evaluated::of(&value))
}

/// `model.<name>`: every name but `absent` is one, and has an input.
#[derive(Debug)]
struct Models;

impl Lookup for Models {
    fn get(&self, key: &str) -> Looked<Option<Value>> {
        match key {
            "absent" => Ok(None),
            "broken" => Err(LookupError::failed(
                ErrorCode::InvalidDefinition,
                "the definition of `broken` cannot be read",
            )),
            _ => Value::from_json(&json!({"input": {"name": key}}))
                .map(Some)
                .map_err(|error| LookupError::failed(ErrorCode::ExpressionTooLarge, error.to_string())),
        }
    }

    fn keys(&self) -> Looked<Vec<String>> {
        Ok(vec!["web".to_owned(), "my-vpc".to_owned()])
    }
}

impl Scope for World {
    fn variable(&self, name: &str) -> Looked<Option<Value>> {
        self.0.variable(name)
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }

    fn data(&self) -> Option<&dyn DataSource> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn FileSource> {
        Some(self)
    }

    fn vaults(&self) -> Option<&dyn VaultSource> {
        Some(self)
    }

    fn workers(&self) -> Option<&dyn WorkerSource> {
        Some(self)
    }

    fn methods(&self) -> Option<&dyn MethodSource> {
        Some(self)
    }
}

fn record(attributes: Json) -> Looked<Value> {
    let record = json!({"attributes": attributes, "version": 2});
    Value::from_json(&record)
        .map_err(|error| LookupError::failed(ErrorCode::ExpressionTooLarge, error.to_string()))
}

impl DataSource for World {
    fn latest(&self, model: &str, name: &str) -> Looked<Value> {
        match model {
            "absent" => Ok(Value::NULL),
            "broken" => {
                Err(LookupError::failed(ErrorCode::DataUnreadable, "`broken` cannot be read")
                    .with_hint("fix it"))
            }
            "safe" => {
                let json = json!({"attributes": {"user": "ada", "pass": "s3cret-data"}});
                Value::from_json_with_secrets(&json, &|pointer| pointer == "/attributes/pass")
                    .map_err(|error| LookupError::failed(ErrorCode::ExpressionTooLarge, error.to_string()))
            }
            _ => record(json!({"v": 41, "name": format!("{model}/{name}")})),
        }
    }

    fn version(&self, model: &str, name: &str, version: u64) -> Looked<Value> {
        record(json!({"name": format!("{model}/{name}@{version}")}))
    }

    fn list_versions(&self, _: &str, _: &str) -> Looked<Vec<u64>> {
        Ok(vec![1, 2, 5])
    }

    fn find_by_spec(&self, model: &str, spec: &str) -> Looked<Vec<Value>> {
        Ok(vec![record(json!({"name": format!("{model}:{spec}")}))?])
    }

    fn find_by_tag(&self, key: &str, value: &str) -> Looked<Vec<Value>> {
        Ok(vec![record(json!({"name": format!("{key}={value}")}))?])
    }

    fn query(&self, predicate: &str, select: Option<&str>) -> Looked<Vec<Value>> {
        Ok(vec![Value::from(format!("{predicate} -> {}", select.unwrap_or("row")))])
    }
}

impl FileSource for World {
    fn contents(&self, model: &str, spec: &str) -> Looked<Option<String>> {
        Ok((model != "absent").then(|| format!("{model}:{spec}")))
    }
}

impl VaultSource for World {
    fn secret(&self, vault: &str, key: &str) -> Looked<String> {
        match vault {
            "missing" => Err(LookupError::failed(ErrorCode::VaultNotFound, "there is no vault `missing`")),
            _ => Ok(format!("s3cret-{vault}-{key}")),
        }
    }
}

impl WorkerSource for World {
    fn connected(&self) -> Looked<Vec<Value>> {
        Ok(vec![Value::from("w1")])
    }
}

impl MethodSource for World {
    fn call(&self, model: &str, method: &str, inputs: Option<&Value>) -> Looked<Value> {
        let inputs = inputs.map(|inputs| format!("{inputs:?}")).unwrap_or_default();
        Ok(Value::from(format!("{model}.{method}({inputs})")))
    }
}
