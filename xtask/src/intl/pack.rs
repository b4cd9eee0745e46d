//! Many sections of many locales in one file.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Map, Value, json};

pub struct Pack {
    index: Map<String, Value>,
    /// Whole sections, for the differences of the locales below.
    whole: HashMap<(String, &'static str), Value>,
    /// Where sections lie that were added before, by content.
    known: HashMap<Vec<u8>, usize>,
    supplement: Value,
    body: Vec<u8>,
}

fn deflate(value: &Value) -> Result<Vec<u8>, String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(value.to_string().as_bytes()).map_err(|error| error.to_string())?;
    encoder.finish().map_err(|error| error.to_string())
}

/// What has to change in `from` to get `to`; `null` takes a member away. Nothing for equal ones.
fn difference(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(before), Value::Object(after)) = (from, to) else { return Some(to.clone()) };
    let mut changed = Map::new();
    for (key, value) in after {
        if let Some(inner) = difference(before.get(key).unwrap_or(&Value::Null), value) {
            changed.insert(key.clone(), inner);
        }
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        changed.insert(key.clone(), Value::Null);
    }
    Some(Value::Object(changed))
}

impl Pack {
    pub fn new(supplement: Value) -> Pack {
        Pack { index: Map::new(), whole: HashMap::new(), known: HashMap::new(), supplement, body: Vec::new() }
    }

    pub fn add(
        &mut self,
        locale: &str,
        parent: Option<&str>,
        sections: BTreeMap<&'static str, Value>,
    ) -> Result<(), String> {
        let mut at = Map::new();
        for (name, section) in sections {
            let base = parent.and_then(|parent| self.whole.get(&(parent.to_owned(), name)));
            if let Some(changed) = difference(base.unwrap_or(&Value::Object(Map::new())), &section) {
                at.insert(name.to_owned(), self.place(&changed)?);
            }
            self.whole.insert((locale.to_owned(), name), section);
        }
        self.index.insert(locale.to_owned(), json!({ "parent": parent, "sections": at }));
        Ok(())
    }

    fn place(&mut self, value: &Value) -> Result<Value, String> {
        let bytes = deflate(value)?;
        let next = self.body.len();
        let offset = *self.known.entry(bytes.clone()).or_insert(next);
        if offset == next {
            self.body.extend_from_slice(&bytes);
        }
        Ok(json!([offset, bytes.len()]))
    }

    pub fn finish(mut self) -> Result<Vec<u8>, String> {
        let supplement = std::mem::take(&mut self.supplement);
        let supplement = self.place(&supplement)?;
        let index = deflate(&json!({ "supplement": supplement, "locales": self.index }))?;
        let length = u32::try_from(index.len()).map_err(|error| error.to_string())?;
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(index);
        bytes.extend(self.body);
        Ok(bytes)
    }
}
