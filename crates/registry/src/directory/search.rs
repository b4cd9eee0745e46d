//! Searching an index. The same function serves directories, static hosts and the server.

use std::cmp::Reverse;

use marsh_types::Channel;

use crate::protocol::{PageMeta, SearchEntry, SearchPage, SearchQuery, SearchSort};

/// The largest number of entries in a page.
pub const MAX_PER_PAGE: u32 = 100;

/// The entries that match the query, in its order, one page of them.
pub fn search(entries: Vec<SearchEntry>, query: &SearchQuery) -> SearchPage {
    let words: Vec<String> = query.text.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(u32, SearchEntry)> = entries
        .into_iter()
        .filter(|entry| passes(entry, query))
        .filter_map(|entry| Some((relevance(&entry, &words)?, entry)))
        .collect();
    // Entries that compare equal are ordered by name, so that pages are stable.
    found.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    match query.sort {
        SearchSort::Relevance => found.sort_by_key(|(relevance, _)| Reverse(*relevance)),
        SearchSort::New => found.sort_by(|(_, a), (_, b)| b.created_at.cmp(&a.created_at)),
        SearchSort::Updated => found.sort_by(|(_, a), (_, b)| b.updated_at.cmp(&a.updated_at)),
        SearchSort::Name => {}
    }
    let per_page = query.per_page.clamp(1, MAX_PER_PAGE);
    let page = query.page.max(1);
    let total = found.len() as u64;
    let skip = (page as usize - 1).saturating_mul(per_page as usize);
    let extensions = found.into_iter().skip(skip).take(per_page as usize).map(|(_, entry)| entry).collect();
    let meta = PageMeta { total, page: u64::from(page), per_page: u64::from(per_page), all_channels: false };
    SearchPage { extensions, meta }
}

fn passes(entry: &SearchEntry, query: &SearchQuery) -> bool {
    let any = |wanted: &[String], has: &[String]| {
        wanted.is_empty()
            || wanted.iter().any(|wanted| has.iter().any(|has| has.eq_ignore_ascii_case(wanted)))
    };
    let channel = |channel: &Channel| match channel {
        Channel::Stable => entry.latest_version.is_some(),
        Channel::Rc => entry.latest_rc.is_some(),
        Channel::Beta => entry.latest_beta.is_some(),
    };
    // An extension whose versions are all yanked is on no channel and is not found.
    Channel::ALL.iter().any(channel)
        && query.collective.as_ref().is_none_or(|wanted| {
            entry.name.collective() == wanted.trim_start_matches('@')
        })
        // An extension that names no platform works on all.
        && (entry.platforms.is_empty() || any(&query.platforms, &entry.platforms))
        && any(&query.labels, &entry.labels)
        && any(&query.content_types, &entry.content_types)
        && (query.channels.is_empty() || query.channels.iter().any(channel))
}

/// How well an entry matches. Returns `None` if one of the words does not occur in it.
fn relevance(entry: &SearchEntry, words: &[String]) -> Option<u32> {
    let name = entry.name.as_str();
    let description = entry.description.to_lowercase();
    let has = |list: &[String], word: &str| list.iter().any(|item| item.to_lowercase().contains(word));
    words.iter().try_fold(0, |sum, word| {
        let weight = if name.trim_start_matches('@') == word.trim_start_matches('@') {
            100
        } else if name.split(['@', '/', '-', '_']).any(|part| part == word) {
            20
        } else if name.contains(word.as_str()) {
            10
        } else if has(&entry.labels, word) || has(&entry.content_names, word) {
            5
        } else if description.contains(word.as_str()) {
            1
        } else {
            return None;
        };
        Some(sum + weight)
    })
}
