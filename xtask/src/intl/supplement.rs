//! What does not depend on a locale: currencies, digits, hours, zones, ranges of plurals.

use serde_json::{Map, Value, json};

use super::{Cldr, members, pick};

pub fn make(cldr: &Cldr) -> Result<Value, String> {
    let fractions = cldr.core("currencyData")?;
    let fractions = &fractions["supplemental"]["currencyData"]["fractions"];
    let digits: Map<String, Value> =
        members(fractions).map(|(code, value)| (code.clone(), value["_digits"].clone())).collect();
    let systems = cldr.core("numberingSystems")?;
    let systems: Map<String, Value> = members(&systems["supplemental"]["numberingSystems"])
        .filter(|(_, value)| value["_type"] == "numeric")
        .map(|(name, value)| (name.clone(), value["_digits"].clone()))
        .collect();
    let time = cldr.core("timeData")?;
    let hours: Map<String, Value> = members(&time["supplemental"]["timeData"])
        .map(|(region, value)| (region.replace('_', "-"), value["_preferred"].clone()))
        .collect();
    let week = cldr.core("weekData")?;
    let week = &week["supplemental"]["weekData"];
    let plain = |value: &Value| pick(value, |key| (!key.contains("-alt-")).then(|| key.to_owned()));
    let ranges = cldr.core("pluralRanges")?;
    let ranges: Map<String, Value> = members(&ranges["supplemental"]["plurals"])
        .map(|(language, rules)| {
            let short = pick(rules, |key| {
                let (start, end) = key.strip_prefix("pluralRange-start-")?.split_once("-end-")?;
                Some(format!("{start} {end}"))
            });
            (language.clone(), short)
        })
        .collect();
    let preferred = cldr.core("calendarPreferenceData")?;
    let preferred: Map<String, Value> = members(&preferred["supplemental"]["calendarPreferenceData"])
        .filter_map(|(region, list)| {
            let names: Vec<&str> = list.as_array()?.iter().filter_map(Value::as_str).collect();
            let names = names.join(" ").replace("gregorian", "gregory");
            (names != "gregory").then(|| (region.clone(), names.into()))
        })
        .collect();
    let periods = cldr.core("dayPeriods")?;
    let periods: Map<String, Value> = members(&periods["supplemental"]["dayPeriodRuleSet"])
        .map(|(language, rules)| (language.clone(), day_periods(rules)))
        .collect();
    Ok(json!({
        "currencyDigits": digits,
        "digits": systems,
        "hours": hours,
        "firstDay": plain(&week["firstDay"]),
        "minDays": plain(&week["minDays"]),
        "weekendStart": plain(&week["weekendStart"]),
        "weekendEnd": plain(&week["weekendEnd"]),
        "pluralRanges": ranges,
        "calendars": preferred,
        "dayPeriods": periods,
        "zones": zones(cldr)?,
    }))
}

/// Each period as `from before`, in minutes; one that begins later than it ends goes over midnight.
fn day_periods(rules: &Value) -> Value {
    let minutes = |value: &Value| -> Option<u32> {
        let (hour, minute) = value.as_str()?.split_once(':')?;
        Some(hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()?)
    };
    let all: Map<String, Value> = members(rules)
        .filter_map(|(name, rule)| {
            let text = match minutes(&rule["_at"]) {
                Some(at) => format!("{at}"),
                None => format!("{} {}", minutes(&rule["_from"])?, minutes(&rule["_before"])?),
            };
            Some((name.clone(), text.into()))
        })
        .collect();
    Value::Object(all)
}

fn zones(cldr: &Cldr) -> Result<Value, String> {
    let data = cldr.core("metaZones")?;
    let data = &data["supplemental"]["metaZones"];
    let mut periods = Map::new();
    flatten(&data["metazoneInfo"]["timezone"], String::new(), &mut periods);
    let mut golden = Map::new();
    for entry in data["metazones"].as_array().into_iter().flatten() {
        let zone = &entry["mapZone"];
        let (meta, territory) = (zone["_other"].as_str(), zone["_territory"].as_str());
        if let (Some(meta), Some(territory)) = (meta, territory) {
            golden.insert(format!("{meta} {territory}"), zone["_type"].clone());
        }
    }
    let primary = cldr.core("primaryZones")?;
    let keyword = cldr.read("cldr-bcp47/bcp47/timezone.json")?.unwrap_or_default();
    let mut aliases = Map::new();
    let mut regions = Map::new();
    for (short, zone) in members(&keyword["keyword"]["u"]["tz"]) {
        let Some(names) = zone["_alias"].as_str() else { continue };
        let mut names = names.split(' ');
        let Some(first) = names.next() else { continue };
        // The first name is the one in the CLDR; the others are links, one of which the zone database may prefer.
        for other in names {
            aliases.insert(other.to_owned(), first.into());
        }
        let region = zone["_region"].as_str().map_or_else(|| short[..2].to_uppercase(), str::to_owned);
        regions.insert(first.to_owned(), region.into());
        if let Some(iana) = zone["_iana"].as_str() {
            aliases.insert(iana.to_owned(), first.into());
        }
    }
    Ok(json!({
        "meta": periods, "golden": golden, "primary": primary["supplemental"]["primaryZones"],
        "aliases": aliases, "regions": regions,
    }))
}

/// `{ "Europe": { "Berlin": […] } }` to `"Europe/Berlin": "Europe_Central"`, with `;from;to` for each period if there are more.
fn flatten(value: &Value, name: String, into: &mut Map<String, Value>) {
    if let Some(list) = value.as_array() {
        let periods: Vec<String> = list
            .iter()
            .map(|entry| {
                let of = |key: &str| entry["usesMetazone"][key].as_str().unwrap_or_default().to_owned();
                format!("{};{};{}", of("_mzone"), of("_from"), of("_to"))
            })
            .collect();
        into.insert(name, periods.join("|").into());
        return;
    }
    for (key, inner) in members(value) {
        let name = if name.is_empty() { key.clone() } else { format!("{name}/{key}") };
        flatten(inner, name, into);
    }
}
