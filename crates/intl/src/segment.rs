//! `Intl.Segmenter`: where characters, words and sentences end, by ICU4X.

use icu_segmenter::options::{SentenceBreakInvariantOptions, WordBreakInvariantOptions};
use icu_segmenter::{GraphemeClusterSegmenter, SentenceSegmenter, WordSegmenter};

/// The ends of the segments in UTF-16 code units, and for words whether each is one.
pub fn segment(granularity: &str, text: &str) -> Vec<(usize, bool)> {
    // From bytes to the units of JavaScript.
    let mut units = Units { text, bytes: 0, units: 0 };
    match granularity {
        "word" => {
            let segmenter = WordSegmenter::new_dictionary(WordBreakInvariantOptions::default());
            let ends = segmenter.segment_str(text);
            let mut start = 0;
            let segments = ends.skip(1).map(|end| {
                let word = text[start..end].chars().any(char::is_alphanumeric);
                start = end;
                // ICU4X goes by the last character, which may be a mark or a picture.
                (units.at(end), word)
            });
            segments.collect()
        }
        "sentence" => {
            let segmenter = SentenceSegmenter::new(SentenceBreakInvariantOptions::default());
            segmenter.segment_str(text).skip(1).map(|end| (units.at(end), false)).collect()
        }
        _ => GraphemeClusterSegmenter::new()
            .segment_str(text)
            .skip(1)
            .map(|end| (units.at(end), false))
            .collect(),
    }
}

struct Units<'a> {
    text: &'a str,
    bytes: usize,
    units: usize,
}

impl Units<'_> {
    fn at(&mut self, bytes: usize) -> usize {
        self.units += self.text[self.bytes..bytes].encode_utf16().count();
        self.bytes = bytes;
        self.units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_counted_in_utf_16() {
        assert_eq!(segment("grapheme", "a👍🏽b"), [(1, false), (5, false), (6, false)]);
        assert_eq!(segment("word", "Hi there."), [(2, true), (3, false), (8, true), (9, false)]);
        assert_eq!(segment("word", ""), []);
    }
}
