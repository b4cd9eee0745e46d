//! "Did you mean": the candidates that are similar to a mistyped name.

/// At most three candidates that are similar to `name`, the most similar first. Equally similar ones keep their order.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|candidate| (similarity(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= 0.75)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, candidate)| candidate).take(3).collect()
}

fn similarity(wanted: &str, candidate: &str) -> f64 {
    // Users often remember only the last segment of a type's name: `gti` for `@swamp/git`.
    let tail = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let inside = if wanted.len() >= 3 && candidate.contains(wanted) { 0.9 } else { 0.0 };
    // Leading segments that both share say nothing: all names of a collective share the first.
    let (own, other) = without_common_segments(wanted, candidate);
    word_similarity(own, other).max(word_similarity(&tail(wanted), &tail(candidate)) - 0.02).max(inside)
}

fn without_common_segments<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let cut = a.as_bytes()[..common].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    // A slash is a whole character, so both are cut between characters.
    (a.get(cut..).unwrap_or(a), b.get(cut..).unwrap_or(b))
}

/// Jaro-Winkler finds no transposition in words of three letters, so a distance of one edit counts as similar too.
fn word_similarity(wanted: &str, candidate: &str) -> f64 {
    let edits = strsim::damerau_levenshtein(wanted, candidate);
    let close = if edits <= 1 && wanted.chars().count() >= 3 { 0.92 } else { 0.0 };
    strsim::jaro_winkler(wanted, candidate).max(close)
}

/// ``did you mean `a` or `b`?``, or `None` if no candidate is similar.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = nearest(name, candidates);
    let quoted: Vec<String> = near.iter().map(|candidate| format!("`{candidate}`")).collect();
    match quoted.as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [head @ .., last] => Some(format!("did you mean {} or {last}?", head.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, nearest};

    #[test]
    fn nearest_of_a_typo_or_a_missing_scope_finds_the_name() {
        let types = ["@swamp/git", "@swamp/aws/ec2", "command/shell"];
        assert_eq!(nearest("gti", types), ["@swamp/git"]);
        assert_eq!(nearest("@swamp/gitt", types)[0], "@swamp/git");
        assert_eq!(nearest("shell", types), ["command/shell"]);
        assert!(nearest("zzzzqqq", types).is_empty());
    }

    #[test]
    fn nearest_among_names_of_one_collective_ignores_the_collective() {
        let installed = ["@collective/a", "@collective/network", "@collective/network/dns"];
        assert!(nearest("@collective/b", installed).is_empty());
        assert!(nearest("@collective/storage", installed).is_empty());
        assert_eq!(nearest("@collective/netwrok", installed)[0], "@collective/network");
        assert_eq!(nearest("@colective/network", installed)[0], "@collective/network");
        assert_eq!(nearest("@other/dns", installed), ["@collective/network/dns"]);
        assert!(nearest("@é/a", ["@è/b"]).is_empty());
    }

    #[test]
    fn did_you_mean_of_a_typo_asks_a_question() {
        assert_eq!(did_you_mean("stauts", ["status", "log"]).as_deref(), Some("did you mean `status`?"));
        assert_eq!(did_you_mean("qqq", ["status"]), None);
    }
}
