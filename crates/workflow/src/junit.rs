//! The asserts of runs as a JUnit report: one test case each, one suite per job.

use crate::record::{JobRecord, RunRecord, StepRecord};

/// The report of some runs.
pub fn junit(records: &[&RunRecord]) -> String {
    let mut suites = String::new();
    let (mut all, mut failures, mut errors) = (0, 0, 0);
    for record in records {
        for job in &record.jobs {
            let asserts: Vec<&StepRecord> =
                job.steps.iter().map(|step| &**step).filter(|step| step.assert_result.is_some()).collect();
            if asserts.is_empty() {
                continue;
            }
            let suite = suite(record, job, &asserts);
            suites.push_str(&suite.text);
            (all, failures, errors) = (all + asserts.len(), failures + suite.failures, errors + suite.errors);
        }
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{all}\" failures=\"{failures}\" errors=\"{errors}\">\n{suites}</testsuites>\n"
    )
}

struct Suite {
    text: String,
    failures: usize,
    errors: usize,
}

fn suite(record: &RunRecord, job: &JobRecord, asserts: &[&StepRecord]) -> Suite {
    let mut cases = String::new();
    let (mut failures, mut errors) = (0, 0);
    let class = attribute(&format!("{}.{}", record.workflow_name, job.job_name));
    for step in asserts {
        let Some(result) = &step.assert_result else { continue };
        let time = step.duration_ms().unwrap_or(0) as f64 / 1000.0;
        let name = attribute(&step.step_name);
        cases.push_str(&format!("    <testcase name=\"{name}\" classname=\"{class}\" time=\"{time:.3}\""));
        let severity = result.severity.as_str();
        let message = attribute(&result.message);
        let text = content(&format!("{}\nexpr: {}\nseverity: {severity}", result.message, result.expr));
        match (&result.error, result.passed) {
            (Some(error), _) => {
                errors += 1;
                let text = content(error);
                cases.push_str(&format!(">\n      <error message=\"{message}\" type=\"{severity}\">{text}</error>\n    </testcase>\n"));
            }
            // An allowed failure is reported as output, not as a failure.
            (None, false) if step.allowed_failure == Some(true) => {
                cases.push_str(&format!(
                    ">\n      <system-out>allowed: {text}</system-out>\n    </testcase>\n"
                ));
            }
            (None, false) => {
                failures += 1;
                cases.push_str(&format!(">\n      <failure message=\"{message}\" type=\"{severity}\">{text}</failure>\n    </testcase>\n"));
            }
            (None, true) => cases.push_str("/>\n"),
        }
    }
    let name = attribute(&format!("{}/{}", record.workflow_name, job.job_name));
    let (count, time) = (asserts.len(), job.duration_ms().unwrap_or(0) as f64 / 1000.0);
    let stamp =
        job.started_at.as_deref().map(|at| format!(" timestamp=\"{}\"", attribute(at))).unwrap_or_default();
    let text = format!(
        "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{time:.3}\"{stamp}>\n{cases}  </testsuite>\n"
    );
    Suite { text, failures, errors }
}

fn content(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' | '\t' | '\r' => escaped.push(c),
            // What XML cannot hold at all.
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn attribute(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\r', "&#13;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::{attribute, content};

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(content("a<b>&\u{1b}[1m"), "a&lt;b&gt;&amp;\u{fffd}[1m");
        assert_eq!(attribute("a\"b\nc"), "a&quot;b&#10;c");
    }
}
