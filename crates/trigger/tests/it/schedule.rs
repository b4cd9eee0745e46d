//! Times: which workflow is due when, without a clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use marsh_trigger::{Due, Pattern, Timetable};
use marsh_types::Explain as _;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

fn timetable(entries: &[(&str, &str)], now: Timestamp) -> Timetable {
    let mut timetable = Timetable::new(TimeZone::UTC);
    timetable.set(entries.iter().map(|(name, text)| ((*name).to_owned(), pattern(text))), now);
    timetable
}

#[test]
fn patterns_of_five_and_six_fields() {
    for (text, after, expected) in [
        ("0 3 * * *", "2026-03-01T03:00:00Z", "2026-03-02T03:00:00Z"),
        ("*/15 * * * *", "2026-03-01T03:01:30Z", "2026-03-01T03:15:00Z"),
        ("*/10 * * * * *", "2026-03-01T03:01:31Z", "2026-03-01T03:01:40Z"),
        ("0 9 * * MON-FRI", "2026-03-06T10:00:00Z", "2026-03-09T09:00:00Z"),
        ("0 0 L * *", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"),
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("@daily", "2026-03-01T12:00:00Z", "2026-03-02T00:00:00Z"),
    ] {
        assert_eq!(pattern(text).next(at(after), &TimeZone::UTC), Some(at(expected)), "{text}");
    }
    for text in ["", "often", "0 3 * *", "61 * * * *", "* * * * * * * *"] {
        let error = Pattern::parse(text).unwrap_err();
        assert_eq!(error.code().as_str(), "invalid_schedule", "{text}");
        assert!(error.hint().unwrap().contains("five fields"), "{error}");
    }
}

/// Half past two does not exist on the night when clocks go forward, and exists twice when they go back.
#[test]
fn a_day_has_its_run_whatever_the_clocks_do() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let nightly = pattern("30 2 * * *");
    for (from, days) in [("2026-03-28T12:00:00Z", 3), ("2026-10-24T12:00:00Z", 3)] {
        let mut now = at(from);
        let mut dates = Vec::new();
        for _ in 0..days {
            now = nightly.next(now, &berlin).unwrap();
            dates.push(now.to_zoned(berlin.clone()).date().day());
        }
        let mut distinct = dates.clone();
        distinct.dedup();
        assert_eq!(distinct, dates, "no day twice, and none left out: {dates:?}");
        assert_eq!(dates[2] - dates[0], 2, "{dates:?}");
    }
}

#[test]
fn a_workflow_is_due_at_its_time_and_not_before() {
    let mut timetable =
        timetable(&[("nightly", "0 3 * * *"), ("hourly", "0 * * * *")], at("2026-03-01T01:30:00Z"));
    assert_eq!(timetable.next(), Some(at("2026-03-01T02:00:00Z")));
    assert_eq!(timetable.due(at("2026-03-01T01:59:59.999Z")), []);
    let due = |name: &str, time: &str| Due { workflow: name.into(), at: at(time), missed: 0 };
    assert_eq!(timetable.due(at("2026-03-01T02:00:00Z")), [due("hourly", "2026-03-01T02:00:00Z")]);
    assert_eq!(timetable.due(at("2026-03-01T02:00:00Z")), [], "once");
    assert_eq!(
        timetable.due(at("2026-03-01T03:00:00Z")),
        [due("hourly", "2026-03-01T03:00:00Z"), due("nightly", "2026-03-01T03:00:00Z")]
    );
    let planned: Vec<_> = timetable.planned().into_iter().map(|one| (one.workflow, one.next)).collect();
    assert_eq!(
        planned,
        [
            ("hourly".into(), Some(at("2026-03-01T04:00:00Z"))),
            ("nightly".into(), Some(at("2026-03-02T03:00:00Z")))
        ]
    );
}

#[test]
fn times_that_passed_unseen_are_one_run_and_are_counted() {
    let mut timetable = timetable(&[("hourly", "0 * * * *")], at("2026-03-01T00:30:00Z"));
    // The machine slept.
    let due = timetable.due(at("2026-03-01T06:10:00Z"));
    assert_eq!(due, [Due { workflow: "hourly".into(), at: at("2026-03-01T06:00:00Z"), missed: 5 }]);
    assert_eq!(timetable.next(), Some(at("2026-03-01T07:00:00Z")));
    // A timetable that is set back repeats nothing.
    assert_eq!(timetable.due(at("2026-03-01T05:00:00Z")), []);
}

#[test]
fn what_is_scheduled_anew_waits_for_its_next_time() {
    let mut timetable = timetable(&[("a", "0 * * * *"), ("b", "0 * * * *")], at("2026-03-01T00:30:00Z"));
    let later = at("2026-03-01T01:10:00Z");
    // `a` stays as it was and is still due for 01:00; `b` is another schedule now, and `c` is new.
    let wanted = [("a", "0 * * * *"), ("b", "5 * * * *"), ("c", "0 * * * *")];
    timetable.set(wanted.map(|(name, text)| (name.to_owned(), pattern(text))), later);
    let due: Vec<String> = timetable.due(later).into_iter().map(|due| due.workflow).collect();
    assert_eq!(due, ["a"]);
    timetable.set([], later);
    assert_eq!((timetable.next(), timetable.planned().len()), (None, 0));
}

#[test]
fn a_time_that_never_comes_is_never_due() {
    let mut timetable = timetable(&[("never", "0 0 30 2 *")], at("2026-03-01T00:00:00Z"));
    assert_eq!(timetable.next(), None);
    assert_eq!(timetable.due(at("2036-03-01T00:00:00Z")), []);
    assert_eq!(timetable.planned()[0].next, None);
}
