//! Numbers, dates and order for people. What is expected here is what V8 prints; `crates/conformance/cases/intl` compares more.

use crate::common::run_body;
use serde_json::json;

#[test]
fn numbers_are_grouped_and_rounded() {
    let value = run_body(
        "const usd = (options) => ({ style: 'currency', currency: 'USD', ...options });
         return [
            (1234567.5).toLocaleString(), (1234.5).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
            (1.005).toLocaleString('en-US', { maximumFractionDigits: 2 }), (0.00049).toLocaleString(), (-1234.5678).toLocaleString(),
            (1234.5).toLocaleString('en-US', usd()), (1999.5).toLocaleString('en-US', usd({ maximumFractionDigits: 0 })), (-3).toLocaleString(undefined, usd()),
            (0.256).toLocaleString('en-US', { style: 'percent' }), (1e21).toLocaleString(), 12345678901234567890n.toLocaleString(),
            (7).toLocaleString('en-US', { minimumIntegerDigits: 2 }), (12345).toLocaleString('en', { useGrouping: false }),
            NaN.toLocaleString(), (-Infinity).toLocaleString(), [1000, 2.5].toLocaleString(),
         ];",
    );
    let expected = json!([
        "1,234,567.5",
        "1,234.50",
        "1.01",
        "0",
        "-1,234.568",
        "$1,234.50",
        "$2,000",
        "-$3.00",
        "26%",
        "1,000,000,000,000,000,000,000",
        "12,345,678,901,234,567,890",
        "07",
        "12345",
        "NaN",
        "-∞",
        "1,000,2.5",
    ]);
    assert_eq!(value, expected);
}

#[test]
fn dates_are_written_in_american_english() {
    let value = run_body(
        "const d = new Date('2026-08-02T15:04:05Z'); const utc = { timeZone: 'UTC' };
         return [
            d.toLocaleDateString('en-US', { year: 'numeric', month: 'long', day: 'numeric', ...utc }), d.toLocaleString('en-US', utc),
            d.toLocaleDateString(undefined, utc), d.toLocaleTimeString('en-US', utc), d.toLocaleDateString('en-US', { weekday: 'short', month: 'short', day: '2-digit', ...utc }),
            d.toLocaleString('en-US', { dateStyle: 'full', timeStyle: 'short', ...utc }), d.toLocaleTimeString('en-US', { hour: '2-digit', minute: '2-digit', hour12: false, ...utc }),
            d.toLocaleString('en-US', { month: 'long', hour: 'numeric', timeZoneName: 'short', ...utc }), new Date(NaN).toLocaleDateString(),
         ];",
    );
    let expected = json!([
        "August 2, 2026",
        "8/2/2026, 3:04:05 PM",
        "8/2/2026",
        "3:04:05 PM",
        "Sun, Aug 02",
        "Sunday, August 2, 2026 at 3:04 PM",
        "15:04",
        "August at 3 PM UTC",
        "Invalid Date",
    ]);
    assert_eq!(value, expected);
}

#[test]
fn text_is_ordered_as_in_a_dictionary() {
    let value = run_body(
        "const sorted = (list, ...more) => list.sort((a, b) => a.localeCompare(b, ...more)).join(' ');
         return [
            sorted(['b', 'a', 'C', 'A', 'é', 'f', 'e', '10', '9', '_x', '-y', 'résumé', 'resume', 'Straße', 'strasse']),
            sorted(['v10', 'v9', 'v1'], undefined, { numeric: true }), 'a'.localeCompare('A', 'en', { sensitivity: 'accent' }),
            'a'.localeCompare('á', 'en', { sensitivity: 'base' }), 'a'.localeCompare('b'), 'b'.localeCompare('a'), 'a'.localeCompare('a'),
         ];",
    );
    let sorted = "_x -y 10 9 a A b C e é f resume résumé strasse Straße";
    assert_eq!(value, json!([sorted, "v1 v9 v10", 0, 0, -1, 1, 0]));
}

#[test]
fn other_languages_zones_and_calendars_are_spoken() {
    let value = run_body(
        "const at = Date.UTC(2026, 2, 29, 1, 0, 0);
         return [
            (1234.5).toLocaleString('de-DE'), new Date(at).toLocaleString('de-DE', { timeZone: 'Europe/Berlin' }),
            new Date(at - 1000).toLocaleTimeString('fr', { timeZone: 'Europe/Paris', timeZoneName: 'short' }),
            new Intl.DateTimeFormat('ja-JP-u-ca-japanese', { dateStyle: 'long', timeZone: 'Asia/Tokyo' }).format(at),
            new Intl.PluralRules('pl').select(22), new Intl.ListFormat('es').format(['padre', 'iglesia']), ['z', 'ä', 'a'].sort(new Intl.Collator('sv').compare),
            [...new Intl.Segmenter('en', { granularity: 'word' }).segment('It is 3.14!')].length, 'i'.toLocaleUpperCase('tr'),
         ];",
    );
    let expected = json!([
        "1.234,5",
        "29.3.2026, 03:00:00",
        "1:59:59 UTC+1",
        "令和8年3月29日",
        "few",
        "padre e iglesia",
        ["a", "z", "ä"],
        6,
        "İ",
    ]);
    assert_eq!(value, expected);
}

#[test]
fn a_calendar_without_data_is_refused_by_name() {
    let value = run_body(
        "const said = (work) => { try { return work(); } catch (error) { return `${error.name}: ${error.message}`; } };
         return [
            said(() => new Intl.DateTimeFormat('en', { calendar: 'hebrew' }).format(0)), said(() => new Date(0).toLocaleDateString('en-u-ca-chinese')),
            said(() => new Intl.DateTimeFormat('en', { timeZone: 'Mars/Phobos' })), said(() => (1).toLocaleString('en_US')),
         ];",
    );
    let missing = |what: &str| {
        format!(
            "Unsupported: the calendar '{what}' of Intl.DateTimeFormat is not available in marsh's engine"
        )
    };
    let expected = json!([
        missing("hebrew"),
        missing("chinese"),
        "RangeError: Invalid time zone specified: Mars/Phobos",
        "RangeError: Incorrect locale information provided: 'en_US'",
    ]);
    assert_eq!(value, expected);
}
