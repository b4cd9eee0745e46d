//! Reading `retry`, `timeout` and `code`.

use std::time::Duration;

use serde_json::Value;

use super::fields::{Fields, Reader, Unknown, join};
use super::read::unknown_word;
use super::retry::{Backoff, CODE_POLICIES, CodePolicy, FailureKind, Retry, parse_duration};
use marsh_types::yaml::{Node, NodeKind};

/// A duration: a number of seconds, or text such as `30s`.
fn duration_of(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Duration> {
    let found = match &node.kind {
        NodeKind::Scalar(Value::String(text)) => parse_duration(text),
        NodeKind::Scalar(Value::Number(number)) => number
            .as_f64()
            .filter(|seconds| *seconds > 0.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        _ => None,
    };
    if found.is_none() {
        reader.fail(path, node.at, format!("`{path}` must be a duration above 0, such as 30, 30s, 5m or 1h"));
    }
    found
}

impl Fields<'_> {
    pub(super) fn duration(&self, reader: &mut Reader<'_>, key: &str) -> Option<Duration> {
        duration_of(reader, self.get(key)?, &self.path_of(key))
    }

    /// `code: follow` or `code: pinned`.
    pub(super) fn code_policy(&self, reader: &mut Reader<'_>) -> Option<CodePolicy> {
        match self.text(reader, "code")?.as_str() {
            "follow" => Some(CodePolicy::Follow),
            "pinned" => Some(CodePolicy::Pinned),
            other => {
                let message = unknown_word("code policy", other, &CODE_POLICIES);
                reader.fail(&self.path_of("code"), self.value_at("code"), message);
                None
            }
        }
    }

    /// `retry: 3`, or a map.
    pub(super) fn retry(&self, reader: &mut Reader<'_>) -> Option<Retry> {
        let node = self.get("retry")?;
        let on = [FailureKind::Error, FailureKind::Timeout, FailureKind::Crash];
        let mut retry = Retry { attempts: 1, backoff: Backoff::default(), jitter: 0.0, on: on.to_vec() };
        if let NodeKind::Scalar(_) = &node.kind {
            retry.attempts = attempts(reader, self, "retry")?;
            return Some(retry);
        }
        let known = ["attempts", "backoff", "jitter", "on"];
        let fields = reader.fields(node, &self.path_of("retry"), &known, Unknown::Error)?;
        fields.required(reader, "attempts")?;
        retry.attempts = attempts(reader, &fields, "attempts")?;
        if let Some(node) = fields.get("backoff") {
            retry.backoff = backoff(reader, node, &fields.path_of("backoff"))?;
        }
        if let Some(jitter) = fields.number_from(reader, "jitter", 0.0, false) {
            if jitter > 1.0 {
                let path = fields.path_of("jitter");
                reader.fail(&path, fields.value_at("jitter"), format!("`{path}` must be at most 1"));
            }
            retry.jitter = jitter.min(1.0);
        }
        if fields.has("on") {
            retry.on = kinds(reader, &fields);
        }
        Some(retry)
    }
}

fn attempts(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<u32> {
    let count = fields.count(reader, key)?;
    if !(1..=1000).contains(&count) {
        let path = fields.path_of(key);
        reader.fail(
            &path,
            fields.value_at(key),
            format!("`{path}` must be from 1 to 1000, the first try included"),
        );
        return None;
    }
    Some(count)
}

/// A duration, which never grows, or a map.
fn backoff(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Backoff> {
    if let NodeKind::Scalar(_) = &node.kind {
        let pause = duration_of(reader, node, path)?;
        return Some(Backoff { initial: pause, factor: 1.0, max: pause });
    }
    let fields = reader.fields(node, path, &["initial", "factor", "max"], Unknown::Error)?;
    let default = Backoff::default();
    let initial = fields.duration(reader, "initial").unwrap_or(default.initial);
    let factor = fields.number_from(reader, "factor", 1.0, false).unwrap_or(default.factor);
    let max = fields.duration(reader, "max").unwrap_or_else(|| default.max.max(initial));
    if max < initial {
        let path = join(path, "max");
        reader.fail(&path, fields.value_at("max"), format!("`{path}` must not be less than `initial`"));
    }
    Some(Backoff { initial, factor, max })
}

fn kinds(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<FailureKind> {
    let path = fields.path_of("on");
    let list = fields.list(reader, "on");
    let mut kinds = Vec::new();
    for item in list {
        let NodeKind::Scalar(Value::String(word)) = &item.kind else {
            let known = FailureKind::WORDS.join(", ");
            reader.fail(&path, item.at, format!("`{path}` must be a list of {known}"));
            continue;
        };
        match FailureKind::of_word(word) {
            Some(kind) => kinds.push(kind),
            None => {
                let message = unknown_word("kind of failure", word, &FailureKind::WORDS);
                reader.fail(&path, item.at, message);
            }
        }
    }
    kinds
}
