//! The secrets of a run: sentinels stand for them before they are needed, and masks replace them in output.
//!
//! If the automaton that finds secrets cannot be built, all text is masked (`without_a_matcher_everything_is_masked`).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::Secret;

/// The text that replaces a secret.
pub const MASK: &str = "***";

/// Shorter values are not searched in text: they would be found everywhere. Their sentinels are replaced all the same.
const SHORTEST: usize = 3;
/// Encoded forms and single lines of a secret are searched from this length on, in bytes.
const SHORTEST_PART: usize = 8;

/// The secrets that entered a run. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub struct Secrets {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// So that runs without secrets pay nothing.
    any: AtomicBool,
    known: RwLock<Known>,
}

struct Known {
    /// Part of every sentinel, so that text which merely looks like one means nothing.
    nonce: String,
    /// By the number in their sentinel.
    held: Vec<Secret>,
    forms: Vec<Secret>,
    matcher: Option<Arc<Matcher>>,
}

/// Finds secrets.
struct Matcher {
    /// `None`: it could not be built, and every text counts as a secret.
    automaton: Option<AhoCorasick>,
    /// Bytes of the longest form.
    longest: usize,
}

impl Matcher {
    fn new(forms: &[Secret]) -> Matcher {
        let longest = forms.iter().map(|form| form.expose().len()).max().unwrap_or(0);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(forms.iter().map(|form| form.expose()))
            .inspect_err(|error| tracing::error!(%error, "cannot search for secrets: all output is masked"))
            .ok();
        Matcher { automaton, longest }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        match &self.automaton {
            Some(automaton) => automaton.is_match(bytes),
            None => !bytes.is_empty(),
        }
    }

    /// The byte ranges of secrets, in order.
    fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        match &self.automaton {
            Some(automaton) => automaton.find_iter(bytes).map(|found| found.range()).collect(),
            None if bytes.is_empty() => Vec::new(),
            None => std::iter::once(0..bytes.len()).collect(),
        }
    }

    fn replace(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut at = 0;
        for found in self.find(text.as_bytes()) {
            // Every form is text, so it begins and ends at the border of a character.
            masked.push_str(text.get(at..found.start).unwrap_or_default());
            masked.push_str(MASK);
            at = found.end;
        }
        masked.push_str(text.get(at..).unwrap_or_default());
        masked
    }
}

impl Default for Known {
    fn default() -> Known {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        Known { nonce: nonce[..8].to_owned(), held: Vec::new(), forms: Vec::new(), matcher: None }
    }
}

/// A part of a text that holds sentinels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text between sentinels.
    Text(&'a str),
    /// The secret of a sentinel.
    Secret(Secret),
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Secrets {
    /// No secrets.
    pub fn new() -> Secrets {
        Secrets::default()
    }

    /// Adds a secret and returns the sentinel that stands for it until [`reveal`](Self::reveal).
    pub fn hold(&self, secret: &Secret) -> String {
        self.track(secret);
        let mut known = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        let number = match known.held.iter().position(|held| held == secret) {
            Some(number) => number,
            None => {
                known.held.push(secret.clone());
                known.held.len() - 1
            }
        };
        self.shared.any.store(true, Ordering::Release);
        format!("__SWAMP_VSEC_{}_{number}__", known.nonce)
    }

    /// Adds a secret that is in clear somewhere, so that it is masked from now on.
    pub fn track(&self, secret: &Secret) {
        if secret.expose().trim().chars().count() < SHORTEST {
            return;
        }
        let mut known = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.forms.contains(secret) {
            return;
        }
        for form in forms(secret.expose()) {
            let form = Secret::new(form);
            if !known.forms.contains(&form) {
                known.forms.push(form);
            }
        }
        known.matcher = None;
        self.shared.any.store(true, Ordering::Release);
    }

    /// [`track`](Self::track) for every text in a value; other scalars count as their JSON text.
    pub fn track_value(&self, value: &Value) {
        match value {
            Value::String(text) => self.track(&Secret::new(text.clone())),
            Value::Array(items) => items.iter().for_each(|item| self.track_value(item)),
            Value::Object(map) => map.values().for_each(|item| self.track_value(item)),
            Value::Number(number) => self.track(&Secret::new(number.to_string())),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Whether no secret entered the run yet.
    pub fn is_empty(&self) -> bool {
        !self.shared.any.load(Ordering::Acquire)
    }

    /// The text with values in the place of sentinels, for the code that needs them.
    pub fn reveal<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let pieces = self.pieces(text);
        if let [Piece::Text(_)] | [] = pieces.as_slice() {
            return Cow::Borrowed(text);
        }
        let revealed = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Secret(secret) => secret.expose(),
        });
        Cow::Owned(revealed.collect())
    }

    /// [`reveal`](Self::reveal) for every text in a value.
    pub fn reveal_value(&self, value: &mut Value) {
        self.each_text(value, &|text| self.reveal(text));
    }

    /// Splits a text at its sentinels.
    pub fn pieces<'a>(&self, text: &'a str) -> Vec<Piece<'a>> {
        if self.is_empty() || !text.contains("__SWAMP_VSEC_") {
            return vec![Piece::Text(text)];
        }
        let known = self.shared.known.read().unwrap_or_else(PoisonError::into_inner);
        let prefix = format!("__SWAMP_VSEC_{}_", known.nonce);
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut from = 0;
        while let Some(found) = rest[from..].find(&prefix) {
            let start = from + found;
            let number = &rest[start + prefix.len()..];
            let secret = number.find("__").and_then(|end| {
                let index: usize = number[..end].parse().ok()?;
                Some((known.held.get(index)?.clone(), start + prefix.len() + end + 2))
            });
            match secret {
                Some((secret, end)) => {
                    if start > 0 {
                        pieces.push(Piece::Text(&rest[..start]));
                    }
                    pieces.push(Piece::Secret(secret));
                    rest = &rest[end..];
                    from = 0;
                }
                None => from = start + prefix.len(),
            }
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        pieces
    }

    /// Whether a text holds a sentinel.
    pub fn holds_sentinel(&self, text: &str) -> bool {
        self.pieces(text).iter().any(|piece| matches!(piece, Piece::Secret(_)))
    }

    /// Replaces secrets and sentinels in a text by [`MASK`].
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = Cow::Borrowed(text);
        if let [Piece::Text(_)] | [] = self.pieces(text).as_slice() {
        } else {
            let pieces = self.pieces(text).into_iter().map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Secret(_) => MASK.to_owned(),
            });
            masked = Cow::Owned(pieces.collect());
        }
        match self.matcher() {
            Some(matcher) if matcher.is_in(masked.as_bytes()) => Cow::Owned(matcher.replace(&masked)),
            _ => masked,
        }
    }

    /// [`redact`](Self::redact) for every text in a value. Keys, numbers and booleans stay.
    pub fn redact_value(&self, value: &mut Value) {
        self.each_text(value, &|text| self.redact(text));
    }

    /// [`redact_value`](Self::redact_value), but only below these keys. The other fields are names and states that readers
    /// need, and a short secret may look like one.
    pub fn redact_fields(&self, value: &mut Value, keys: &[&str]) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_fields(item, keys)),
            Value::Object(map) => {
                for (key, item) in map {
                    if keys.contains(&key.as_str()) {
                        self.redact_value(item);
                    } else {
                        self.redact_fields(item, keys);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether a text holds a sentinel, or a secret that is long enough not to be there by chance.
    pub fn is_surely_in(&self, text: &str) -> bool {
        let long = |matcher: Arc<Matcher>| {
            matcher.find(text.as_bytes()).iter().any(|found| found.len() >= SHORTEST_PART)
        };
        self.matcher().is_some_and(long) || self.holds_sentinel(text)
    }

    /// Whether the bytes hold a secret in one of its forms.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.matcher().is_some_and(|matcher| matcher.is_in(bytes))
    }

    /// Whether a stream holds a secret. Reads it in pieces, so memory stays bounded.
    ///
    /// # Errors
    ///
    /// The stream cannot be read.
    pub fn find_in(&self, source: &mut dyn std::io::Read) -> std::io::Result<bool> {
        let Some(matcher) = self.matcher() else { return Ok(false) };
        let mut window = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = source.read(&mut buffer)?;
            if read == 0 {
                return Ok(false);
            }
            window.extend_from_slice(&buffer[..read]);
            if matcher.is_in(&window) {
                return Ok(true);
            }
            let keep = matcher.longest.saturating_sub(1).min(window.len());
            window.drain(..window.len() - keep);
        }
    }

    /// Masks bytes that arrive in pieces. A secret that lies across the border of two pieces is masked, too.
    pub fn stream(&self) -> RedactedStream {
        RedactedStream { secrets: self.clone(), carry: Vec::new() }
    }

    fn each_text(&self, value: &mut Value, change: &dyn Fn(&str) -> Cow<'_, str>) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                let changed = match change(text) {
                    Cow::Owned(changed) => Some(changed),
                    Cow::Borrowed(_) => None,
                };
                if let Some(changed) = changed {
                    *text = changed;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.each_text(item, change)),
            Value::Object(map) => map.values_mut().for_each(|item| self.each_text(item, change)),
            _ => {}
        }
    }

    fn matcher(&self) -> Option<Arc<Matcher>> {
        if self.is_empty() {
            return None;
        }
        if let Some(matcher) = &self.shared.known.read().unwrap_or_else(PoisonError::into_inner).matcher {
            return Some(Arc::clone(matcher));
        }
        let mut known = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.forms.is_empty() {
            return None;
        }
        let matcher = Arc::new(Matcher::new(&known.forms));
        known.matcher = Some(Arc::clone(&matcher));
        Some(matcher)
    }
}

/// The forms in which a value may appear: as it is, inside JSON, trimmed, line by line, and encoded.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    let trimmed = value.trim();
    forms.push(trimmed.to_owned());
    for text in [value, trimmed] {
        let quoted = Value::String(text.to_owned()).to_string();
        forms.push(quoted[1..quoted.len() - 1].to_owned());
    }
    if trimmed.len() >= SHORTEST_PART {
        forms.extend(base64_forms(trimmed.as_bytes()));
        forms.push(percent(trimmed));
        // Output is masked line by line.
        forms.extend(
            trimmed.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_PART).map(str::to_owned),
        );
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms.sort();
    forms.dedup();
    forms
}

/// The characters of a value that are the same in Base64 wherever it begins in the encoded bytes. There are three such
/// places, and the characters at its ends depend on its neighbours.
fn base64_forms(value: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for (before, unsure) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&[0; 2][..before], value].concat();
        let sure = bytes.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.extend(encoded.get(unsure..sure).map(str::to_owned));
        }
    }
    forms
}

fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Masks secrets in a stream of bytes.
#[derive(Debug)]
pub struct RedactedStream {
    secrets: Secrets,
    /// The last bytes, which may be the beginning of a secret.
    carry: Vec<u8>,
}

impl RedactedStream {
    /// Takes in bytes and returns those that are decided by now, masked.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.carry.is_empty() && self.secrets.is_empty() {
            return bytes.to_vec();
        }
        self.carry.extend_from_slice(bytes);
        let Some(matcher) = self.secrets.matcher() else { return std::mem::take(&mut self.carry) };
        // From here on a match can still grow, or begin.
        let open = self.carry.len().saturating_sub(matcher.longest.saturating_sub(1));
        self.emit(&matcher, open)
    }

    /// The remaining bytes, masked.
    pub fn finish(&mut self) -> Vec<u8> {
        match self.secrets.matcher() {
            Some(matcher) => {
                let all = self.carry.len();
                self.emit(&matcher, all)
            }
            None => std::mem::take(&mut self.carry),
        }
    }

    fn emit(&mut self, matcher: &Matcher, until: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(until);
        let mut at = 0;
        for found in matcher.find(&self.carry) {
            if found.start >= until {
                break;
            }
            out.extend_from_slice(&self.carry[at..found.start]);
            out.extend_from_slice(MASK.as_bytes());
            at = found.end;
        }
        if at < until {
            out.extend_from_slice(&self.carry[at..until]);
            at = until;
        }
        self.carry.drain(..at);
        out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Piece, Secrets};
    use crate::Secret;

    fn knowing(values: &[&str]) -> Secrets {
        let secrets = Secrets::new();
        for value in values {
            secrets.track(&Secret::new(*value));
        }
        secrets
    }

    #[test]
    fn a_secret_is_masked_in_all_its_forms() {
        let secrets = knowing(&["p\"ss/word", "line one\nline two\n"]);
        for (text, masked) in [
            ("a p\"ss/word b", "a *** b"),
            (r#"{"x":"p\"ss/word"}"#, r#"{"x":"***"}"#),
            ("https://x/?p=p%22ss%2Fword", "https://x/?p=***"),
            ("basic cCJzcy93b3Jk", "basic ***"),
            // `a:p"ss/word` and `ab:p"ss/word!`
            ("basic YTpwInNzL3dvcmQ=", "basic YTp***Q="),
            ("basic YWI6cCJzcy93b3JkIQ==", "basic YWI6***IQ=="),
            ("line one\nline two\n", "***"),
            ("only line two here", "only *** here"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(secrets.redact(text), masked, "{text}");
        }
    }

    #[test]
    fn the_longest_secret_wins_and_short_ones_are_not_searched() {
        let secrets = knowing(&["abc", "abcdef", "x", "  "]);
        assert_eq!(secrets.redact("abcdef abc x"), "*** *** x");
    }

    #[test]
    fn only_texts_of_a_value_are_masked() {
        let secrets = knowing(&["123", "key"]);
        let mut value = json!({"key": ["a 123", 123, true]});
        secrets.redact_value(&mut value);
        assert_eq!(value, json!({"key": ["a ***", 123, true]}));
    }

    #[test]
    fn a_sentinel_stands_for_its_secret_until_it_is_revealed() {
        let secrets = Secrets::new();
        let (first, second) = (secrets.hold(&Secret::new("one")), secrets.hold(&Secret::new("2")));
        assert_eq!(secrets.hold(&Secret::new("one")), first);
        assert!(!first.contains("one"));
        let text = format!("a {first}{second} b");
        assert_eq!(secrets.reveal(&text), "a one2 b");
        assert_eq!(secrets.redact(&text), "a ****** b");
        assert_eq!(
            secrets.pieces(&text),
            [
                Piece::Text("a "),
                Piece::Secret(Secret::new("one")),
                Piece::Secret(Secret::new("2")),
                Piece::Text(" b")
            ]
        );
        // What was made elsewhere, or never, stands for nothing.
        let foreign = Secrets::new().hold(&Secret::new("three"));
        for text in
            [foreign.as_str(), "__SWAMP_VSEC_", &first.replace("_0__", "_7__"), &first.replace("_0__", "_0_")]
        {
            assert_eq!(secrets.reveal(text), text);
        }
    }

    #[test]
    fn a_stream_is_masked_wherever_its_pieces_end() {
        let secrets = knowing(&["secret-value", "secret"]);
        let text = "a secret-value, secretive, secret-valu";
        let whole = secrets.redact(text).into_owned();
        assert_eq!(whole, "a ***, ***ive, ***-valu");
        for size in 1..text.len() {
            let mut stream = secrets.stream();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                out.extend(stream.push(piece));
            }
            out.extend(stream.finish());
            assert_eq!(String::from_utf8(out).unwrap(), whole, "pieces of {size}");
        }
    }

    #[test]
    fn without_a_matcher_everything_is_masked() {
        let matcher = super::Matcher { automaton: None, longest: 0 };
        assert_eq!(matcher.replace("anything"), "***");
        assert_eq!(matcher.replace(""), "");
        assert!(matcher.is_in(b"x") && !matcher.is_in(b""));
    }

    #[test]
    fn a_secret_that_is_added_later_is_masked_from_then_on() {
        let secrets = Secrets::new();
        assert!(secrets.is_empty());
        assert_eq!(secrets.redact("hidden"), "hidden");
        secrets.track_value(&json!({"a": ["hidden", 4711]}));
        assert_eq!(secrets.redact("hidden 4711"), "*** ***");
        assert!(secrets.is_in(b"xhiddenx") && !secrets.is_in(b"x"));
        assert_eq!(format!("{secrets:?}"), "Secrets(***)");
    }
}
