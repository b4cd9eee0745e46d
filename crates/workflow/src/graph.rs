//! Whether the jobs and steps of a workflow fit together: unique names, known references, no cycles.

use marsh_types::near;

use crate::schema::{Parsed, Problem};

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub(crate) struct GraphCheck {
    pub name: String,
    pub problems: Vec<Problem>,
}

/// A job or a step with what it depends on.
struct Node<'a> {
    name: &'a str,
    path: String,
    depends: Vec<&'a str>,
}

pub(crate) fn check(parsed: &Parsed) -> Vec<GraphCheck> {
    let workflow = &parsed.workflow;
    let jobs: Vec<Node<'_>> = workflow
        .jobs
        .iter()
        .enumerate()
        .map(|(index, job)| Node {
            name: &job.name,
            path: format!("jobs[{index}]"),
            depends: job.depends_on.iter().map(|entry| entry.job.as_str()).collect(),
        })
        .collect();
    let mut checks = Vec::new();
    check_nodes(parsed, &jobs, "job", "", &mut checks);
    for (index, job) in workflow.jobs.iter().enumerate() {
        let steps: Vec<Node<'_>> = job
            .steps
            .iter()
            .enumerate()
            .map(|(at, step)| Node {
                name: &step.name,
                path: format!("jobs[{index}].steps[{at}]"),
                depends: step.depends_on.iter().map(|entry| entry.step.as_str()).collect(),
            })
            .collect();
        check_nodes(parsed, &steps, "step", &format!(" in job `{}`", job.name), &mut checks);
    }
    checks
}

fn check_nodes(parsed: &Parsed, nodes: &[Node<'_>], what: &str, place: &str, checks: &mut Vec<GraphCheck>) {
    let mut names = Vec::new();
    let mut references = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        if nodes[..at].iter().any(|earlier| earlier.name == node.name) {
            let message = format!("there are two {what}s named `{}`{place}", node.name);
            names.push(parsed.problem(&format!("{}.name", node.path), message));
        }
        for (entry, wanted) in node.depends.iter().enumerate() {
            if nodes.iter().any(|other| other.name == *wanted) {
                continue;
            }
            let near = near::did_you_mean(wanted, nodes.iter().map(|other| other.name))
                .map(|near| format!("; {near}"))
                .unwrap_or_default();
            let message =
                format!("{what} `{}` depends on the unknown {what} `{wanted}`{place}{near}", node.name);
            references.push(parsed.problem(&format!("{}.dependsOn[{entry}].{what}", node.path), message));
        }
    }
    let cycle = cycle(nodes).map(|(at, names)| {
        let message = format!("{what}s depend on each other in a circle{place}: {}", names.join(" -> "));
        parsed.problem(&format!("{}.dependsOn", nodes[at].path), message)
    });
    checks.push(GraphCheck { name: format!("unique {what} names{place}"), problems: names });
    checks.push(GraphCheck { name: format!("{what} dependencies{place}"), problems: references });
    checks
        .push(GraphCheck { name: format!("no {what} cycles{place}"), problems: cycle.into_iter().collect() });
}

/// One cycle, if there is any: where it starts, and the names along it, the first again at the end.
fn cycle(nodes: &[Node<'_>]) -> Option<(usize, Vec<String>)> {
    let at = |name: &str| nodes.iter().position(|node| node.name == name);
    let depends: Vec<Vec<usize>> =
        nodes.iter().map(|node| node.depends.iter().filter_map(|name| at(name)).collect()).collect();
    // What has no dependency left is in no cycle; take such nodes away until only cycles and their dependents remain.
    let mut remains = vec![true; nodes.len()];
    loop {
        let free =
            (0..nodes.len()).find(|&node| remains[node] && !depends[node].iter().any(|&on| remains[on]));
        match free {
            Some(node) => remains[node] = false,
            None => break,
        }
    }
    let mut node = remains.iter().position(|remains| *remains)?;
    // Every node that remains depends on one that remains, so this walk comes back to where it was.
    let mut walked = Vec::new();
    while !walked.contains(&node) {
        walked.push(node);
        node = depends[node].iter().copied().find(|&on| remains[on])?;
    }
    let start = walked.iter().position(|&seen| seen == node)?;
    let mut names: Vec<String> = walked[start..].iter().map(|&node| nodes[node].name.to_owned()).collect();
    names.push(nodes[node].name.to_owned());
    Some((node, names))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::schema::{Problem, parse};

    fn problems(jobs: &str) -> Vec<Problem> {
        let text = format!("id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\njobs:\n{jobs}");
        let parsed = parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        check(&parsed).into_iter().flat_map(|check| check.problems).collect()
    }

    fn job(name: &str, depends: &str, steps: &[(&str, &str)]) -> String {
        let mut text = format!("- name: {name}\n  dependsOn: [{}]\n  steps:\n", entries("job", depends));
        for (step, depends) in steps {
            text.push_str(&format!(
                "  - name: {step}\n    dependsOn: [{}]\n    task: {{type: model_method, modelIdOrName: m, methodName: run}}\n",
                entries("step", depends)
            ));
        }
        text
    }

    fn entries(what: &str, names: &str) -> String {
        let entries: Vec<String> = names
            .split_whitespace()
            .map(|name| format!("{{{what}: {name}, condition: {{type: always}}}}"))
            .collect();
        entries.join(", ")
    }

    #[test]
    fn a_sound_graph_has_no_problems() {
        let text = job("a", "", &[("x", ""), ("v", "x"), ("z", "x v")]) + &job("b", "a", &[("x", "")]);
        assert_eq!(problems(&text), []);
    }

    #[test]
    fn every_problem_has_its_place() {
        for (text, words, line) in [
            (job("a", "", &[("x", ""), ("x", "")]), "two steps named `x` in job `a`", 10),
            (job("a", "", &[("x", "")]) + &job("a", "", &[("x", "")]), "two jobs named `a`", 10),
            (
                job("build", "", &[("x", "")]) + &job("other", "biuld", &[("x", "")]),
                "did you mean `build`?",
                11,
            ),
            (
                job("a", "", &[("scan", ""), ("v", "scna")]),
                "the unknown step `scna` in job `a`; did you mean `scan`?",
                11,
            ),
            (job("a", "a", &[("x", "")]), "in a circle: a -> a", 5),
            (job("a", "", &[("w", "x"), ("x", "z"), ("v", "x"), ("z", "v")]), "x -> z -> v -> x", 11),
            (job("a", "b", &[("x", "")]) + &job("b", "a", &[("x", "")]), "a -> b -> a", 5),
        ] {
            let found = problems(&text);
            assert_eq!(found.len(), 1, "{text}{found:?}");
            assert!(found[0].message.contains(words), "{}", found[0].message);
            assert_eq!(found[0].line, Some(line), "{text}{found:?}");
        }
    }
}
