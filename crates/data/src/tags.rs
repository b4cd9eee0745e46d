//! Tags: an ordered map from text to text.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Tags in insertion order. Setting a tag again replaces its value in place: later layers win, the order stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(IndexMap<String, String>);

impl Tags {
    /// No tags.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Sets a tag.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// Removes a tag and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.0.shift_remove(key)
    }

    /// The tags, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many tags there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Tags {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, tags: I) {
        for (key, value) in tags {
            self.set(key, value);
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(tags: I) -> Self {
        let mut result = Tags::new();
        result.extend(tags);
        result
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TagsVisitor;
        impl<'de> Visitor<'de> for TagsVisitor {
            type Value = Tags;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tags")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags = Tags::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    tags.set(key, value);
                }
                Ok(tags)
            }
        }
        deserializer.deserialize_map(TagsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::Tags;

    #[test]
    fn later_wins_and_order_stays() {
        let mut tags: Tags = [("type", "resource"), ("env", "dev")].into_iter().collect();
        tags.extend([("env", "prod"), ("team", "a")]);
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("type", "resource"), ("env", "prod"), ("team", "a")]);
        assert_eq!(serde_json::to_string(&tags).unwrap(), r#"{"type":"resource","env":"prod","team":"a"}"#);
        assert_eq!(tags.remove("env").as_deref(), Some("prod"));
    }

    /// Code sets as many as it likes, and the parent must not take long over them.
    #[test]
    fn many_tags_are_set_and_read_in_time_that_grows_with_their_number() {
        let begun = std::time::Instant::now();
        let tags: Tags = (0..200_000).map(|n| (format!("key-{n}"), "value")).collect();
        let text = serde_json::to_string(&tags).unwrap();
        let read: Tags = serde_json::from_str(&text).unwrap();
        assert_eq!((read.len(), read.get("key-199999")), (200_000, Some("value")));
        // Comparing each with all others takes minutes.
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
