//! The keys that marsh adds to the format: `retry`, `timeout`, `code`.

use std::time::Duration;

pub use marsh_api::workflow::CodePolicy;
use serde::{Serialize, Serializer};

/// The words that `code` can have in a file.
pub(super) const CODE_POLICIES: [&str; 2] = ["follow", "pinned"];

/// How often, and after which failures, a step is tried again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retry {
    /// The first try included.
    pub attempts: u32,
    /// How long to wait between two tries.
    pub backoff: Backoff,
    /// The share of a pause that is drawn at random: 0 is none, 1 all of it.
    pub jitter: f64,
    /// The kinds of failure that are tried again.
    pub on: Vec<FailureKind>,
}

/// The pause before each further try: `initial`, then each `factor` times the one before, up to `max`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backoff {
    /// The first wait.
    #[serde(serialize_with = "as_text")]
    pub initial: Duration,
    /// By what each further wait is longer.
    pub factor: f64,
    /// The longest wait.
    #[serde(serialize_with = "as_text")]
    pub max: Duration,
}

/// Why a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The method threw, the command failed, the nested workflow failed.
    Error,
    /// It did not end in time.
    Timeout,
    /// Its host process died.
    Crash,
    /// An assert did not hold.
    Assert,
    /// A guard or an assert could not be evaluated, which nothing allows.
    Expression,
    /// Another attempt fails the same way: wrong arguments, expressions or names, or code that needs more memory than it may
    /// use. Never retried.
    Invalid,
    /// It was stopped from outside.
    Cancelled,
}

impl FailureKind {
    /// Those that `retry.on` may name.
    pub const WORDS: [&'static str; 3] = ["error", "timeout", "crash"];

    /// The kind of failure of that word.
    pub fn of_word(word: &str) -> Option<FailureKind> {
        match word {
            "error" => Some(FailureKind::Error),
            "timeout" => Some(FailureKind::Timeout),
            "crash" => Some(FailureKind::Crash),
            _ => None,
        }
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { initial: Duration::from_secs(1), factor: 2.0, max: Duration::from_secs(60) }
    }
}

impl Retry {
    /// Whether a failure of the try with this number (from 1) is followed by another one.
    pub fn wants(&self, attempt: u32, kind: FailureKind) -> bool {
        attempt < self.attempts && self.on.contains(&kind)
    }

    /// The pause after the failed try with this number. `random` is from 0 up to 1.
    pub fn pause(&self, attempt: u32, random: f64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let max = self.backoff.max.as_secs_f64();
        let full = (self.backoff.initial.as_secs_f64() * self.backoff.factor.powi(exponent)).min(max);
        let seconds = full * (1.0 - self.jitter * random.clamp(0.0, 1.0));
        Duration::try_from_secs_f64(seconds).unwrap_or(self.backoff.max)
    }
}

pub(super) fn as_text<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let millis = duration.as_millis();
    let text =
        if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") };
    serializer.serialize_str(&text)
}

#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
pub(super) fn as_optional_text<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => as_text(duration, serializer),
        None => serializer.serialize_none(),
    }
}

/// `500ms`, `30s`, `5m`, `1h`, `7d`; a bare number is seconds. Zero is invalid.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(millis)?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, FailureKind, Retry, parse_duration};

    #[test]
    fn pauses_grow_up_to_a_limit_and_jitter_only_shortens_them() {
        let second = Duration::from_secs;
        let backoff = Backoff { initial: second(2), factor: 3.0, max: second(10) };
        let retry = Retry { attempts: 4, backoff, jitter: 0.5, on: vec![FailureKind::Error] };
        let pauses: Vec<Duration> = (1..=4).map(|attempt| retry.pause(attempt, 0.0)).collect();
        assert_eq!(pauses, [second(2), second(6), second(10), second(10)]);
        assert_eq!(retry.pause(1, 1.0), second(1));
        assert!(retry.wants(3, FailureKind::Error) && !retry.wants(4, FailureKind::Error));
        assert!(!retry.wants(1, FailureKind::Timeout) && !retry.wants(1, FailureKind::Cancelled));
    }

    #[test]
    fn durations_read() {
        assert_eq!(parse_duration("90"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("2h"), Some(Duration::from_secs(7200)));
        for bad in ["", "s", "0", "-1", "1w2", "99999999999999999999d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
