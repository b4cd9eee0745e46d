//! Retention policies: when data expire, and which versions are kept. They keep the text of the format verbatim.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An invalid retention policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum PolicyError {
    #[error("invalid age {0:?}: expected a number and h, m (minutes), d, w, mo or y, for example 30d")]
    Age(String),
    #[error("invalid lifetime {0:?}: expected infinite, ephemeral, workflow, job or an age such as 30d")]
    Lifetime(String),
    #[error(
        "invalid garbage collection policy {0}: expected a number of versions from 1, or an age such as 30d"
    )]
    GarbageCollection(String),
}

/// A duration as written: `12h`, `3mo`. Equal text, equal age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Age {
    text: String,
    seconds: u64,
}

impl Age {
    /// The length.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Age {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let refuse = || PolicyError::Age(text.to_owned());
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
        let (number, unit) = text.split_at(split);
        let unit: u64 = match unit {
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            "mo" => 30 * 86_400,
            "y" => 365 * 86_400,
            _ => return Err(refuse()),
        };
        let number: u64 = number.parse().map_err(|_| refuse())?;
        let seconds = number.checked_mul(unit).ok_or_else(refuse)?;
        Ok(Age { text: text.to_owned(), seconds })
    }
}

/// When data expire, measured from their latest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifetime {
    /// Never.
    Infinite,
    /// In memory, for one run.
    Ephemeral,
    /// Until the record of the workflow run is gone.
    Workflow,
    /// The same, for a job.
    Job,
    /// After this age.
    After(Age),
}

impl FromStr for Lifetime {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Ok(match text {
            "infinite" => Lifetime::Infinite,
            "ephemeral" => Lifetime::Ephemeral,
            "workflow" => Lifetime::Workflow,
            "job" => Lifetime::Job,
            age => match age.parse::<Age>() {
                // The format says so: no time at all means until the run is gone.
                Ok(age) if age.seconds == 0 => Lifetime::Workflow,
                Ok(age) => Lifetime::After(age),
                Err(_) => return Err(PolicyError::Lifetime(text.to_owned())),
            },
        })
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lifetime::Infinite => "infinite",
            Lifetime::Ephemeral => "ephemeral",
            Lifetime::Workflow => "workflow",
            Lifetime::Job => "job",
            Lifetime::After(age) => &age.text,
        })
    }
}

impl Serialize for Lifetime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Which versions can be deleted. The newest always stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GarbageCollection {
    /// Keep this many, at least one.
    Keep(u32),
    /// Remove what is older.
    OlderThan(Age),
}

impl GarbageCollection {
    /// `None` for zero.
    pub fn keep(versions: u32) -> Option<Self> {
        (versions > 0).then_some(GarbageCollection::Keep(versions))
    }
}

impl FromStr for GarbageCollection {
    type Err = PolicyError;

    /// An age. Numbers are numbers in the format, not text.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let refuse = |_| PolicyError::GarbageCollection(format!("{text:?}"));
        text.parse().map(GarbageCollection::OlderThan).map_err(refuse)
    }
}

impl fmt::Display for GarbageCollection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GarbageCollection::Keep(versions) => write!(f, "{versions}"),
            GarbageCollection::OlderThan(age) => f.write_str(&age.text),
        }
    }
}

impl Serialize for GarbageCollection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            GarbageCollection::Keep(versions) => serializer.serialize_u32(*versions),
            GarbageCollection::OlderThan(age) => serializer.serialize_str(&age.text),
        }
    }
}

impl<'de> Deserialize<'de> for GarbageCollection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde_json::Value;
        // Through a JSON value: with `arbitrary_precision` numbers reach a visitor in a form that only it understands.
        let value = Value::deserialize(deserializer)?;
        let refuse = || D::Error::custom(PolicyError::GarbageCollection(value.to_string()));
        match &value {
            Value::String(text) => text.parse().map_err(D::Error::custom),
            Value::Number(number) => {
                // Numbers that come from JavaScript may be doubles.
                let whole =
                    number.as_f64().filter(|count| count.fract() == 0.0 && *count <= f64::from(u32::MAX));
                let count = number.as_u64().or(whole.filter(|count| *count >= 1.0).map(|count| count as u64));
                count
                    .and_then(|count| u32::try_from(count).ok())
                    .and_then(GarbageCollection::keep)
                    .ok_or_else(refuse)
            }
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Age, GarbageCollection, Lifetime};

    #[test]
    fn lifetimes_render_as_they_were_written() {
        for text in ["infinite", "ephemeral", "workflow", "job", "1h", "007d", "3mo", "15m", "2w", "1y"] {
            assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), text);
        }
        assert_eq!("0d".parse::<Lifetime>().unwrap(), Lifetime::Workflow);
        for text in [
            "",
            "forever",
            "10",
            "10s",
            "h",
            "-1d",
            "1 d",
            "1D",
            "99999999999999999999y",
            "9999999999999999y",
        ] {
            let message = text.parse::<Lifetime>().unwrap_err().to_string();
            assert!(message.starts_with(&format!("invalid lifetime {text:?}")), "{message}");
        }
    }

    #[test]
    fn an_age_has_a_length() {
        for (text, seconds) in
            [("15m", 900), ("2h", 7200), ("1d", 86_400), ("1mo", 2_592_000), ("1y", 31_536_000)]
        {
            assert_eq!(text.parse::<Age>().unwrap().duration().as_secs(), seconds);
        }
    }

    #[test]
    fn garbage_collection_is_a_number_or_an_age() {
        for json in ["10", "1", "\"30d\""] {
            let policy: GarbageCollection = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&policy).unwrap(), json);
        }
        assert_eq!(serde_json::from_str::<GarbageCollection>("5.0").unwrap(), GarbageCollection::Keep(5));
        for json in ["0", "-1", "1.5", "\"10\"", "\"x\"", "true"] {
            assert!(serde_json::from_str::<GarbageCollection>(json).is_err(), "{json}");
        }
    }
}
