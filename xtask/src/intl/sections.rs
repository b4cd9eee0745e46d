//! The sections of a locale.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Cldr, members, pick};

/// The units that ECMA-402 allows, beside those that the CLDR has a name of its own for.
const UNITS: [&str; 50] = [
    "acre",
    "bit",
    "byte",
    "celsius",
    "centimeter",
    "day",
    "degree",
    "fahrenheit",
    "fluid-ounce",
    "foot",
    "gallon",
    "gigabit",
    "gigabyte",
    "gram",
    "hectare",
    "hour",
    "inch",
    "kilobit",
    "kilobyte",
    "kilogram",
    "kilometer",
    "liter",
    "megabit",
    "megabyte",
    "meter",
    "microsecond",
    "mile",
    "mile-scandinavian",
    "milliliter",
    "millimeter",
    "millisecond",
    "minute",
    "month",
    "nanosecond",
    "ounce",
    "percent",
    "petabyte",
    "pound",
    "second",
    "stone",
    "terabit",
    "terabyte",
    "week",
    "yard",
    "year",
    "kilometer-per-hour",
    "meter-per-second",
    "mile-per-hour",
    "mile-per-gallon",
    "liter-per-kilometer",
];
const WIDTHS: [(&str, &str); 4] = [("wide", "w"), ("abbreviated", "a"), ("narrow", "n"), ("short", "s")];
const FORMS: [(&str, &str); 2] = [("format", "f"), ("stand-alone", "s")];
const FIELDS: [&str; 12] = [
    "era",
    "year",
    "quarter",
    "month",
    "week",
    "weekday",
    "day",
    "dayperiod",
    "hour",
    "minute",
    "second",
    "zone",
];

pub fn make(cldr: &Cldr, locale: &str) -> Result<BTreeMap<&'static str, Value>, String> {
    let of = |package: &str, file: &str| cldr.main(package, locale, file);
    let names = of("localenames", "localeDisplayNames")?;
    let names = &names["localeDisplayNames"];
    let mut all = json!({ "pattern": names["localeDisplayPattern"], "calendar": names["types"]["calendar"] });
    for (file, key) in [
        ("languages", "languages"),
        ("scripts", "scripts"),
        ("territories", "territories"),
        ("variants", "variants"),
    ] {
        all[key] = of("localenames", file)?["localeDisplayNames"][key].take();
    }
    let lists = of("misc", "listPatterns")?;
    let lists = pick(&lists["listPatterns"], |key| Some(key.strip_prefix("listPattern-type-")?.to_owned()));
    Ok(BTreeMap::from([
        ("numbers", numbers(&of("numbers", "numbers")?["numbers"])),
        ("currencies", currencies(&of("numbers", "currencies")?["numbers"]["currencies"])),
        ("units", units(&of("units", "units")?["units"])),
        ("dates", dates(cldr, locale)?),
        ("fields", fields(&of("dates", "dateFields")?["dates"]["fields"])),
        ("zones", zones(&of("dates", "timeZoneNames")?["dates"]["timeZoneNames"])),
        ("names", all),
        ("lists", lists),
    ]))
}

/// `x-count-one` to `one`, for one `x`.
fn counts(value: &Value, prefix: &str) -> Map<String, Value> {
    let of = |key: &str| {
        let rest = key.strip_prefix(prefix)?.strip_prefix("-count-")?;
        (!rest.contains("-alt-")).then(|| rest.to_owned())
    };
    members(value).filter_map(|(key, value)| Some((of(key)?, value.clone()))).collect()
}

/// `1000-count-one` to `1000`, `one`.
fn compact(value: &Value) -> Value {
    let mut all: Map<String, Value> = Map::new();
    for (key, pattern) in members(value) {
        let Some((size, count)) = key.split_once("-count-") else { continue };
        if !count.contains("-alt-")
            && let Some(counts) = all.entry(size).or_insert_with(|| json!({})).as_object_mut()
        {
            counts.insert(count.to_owned(), pattern.clone());
        }
    }
    Value::Object(all)
}

fn numbers(numbers: &Value) -> Value {
    let mut all = Map::new();
    all.insert("default".to_owned(), numbers["defaultNumberingSystem"].clone());
    all.insert("native".to_owned(), numbers["otherNumberingSystems"]["native"].clone());
    all.insert("minGroup".to_owned(), numbers["minimumGroupingDigits"].clone());
    for (key, symbols) in members(numbers) {
        let Some(system) = key.strip_prefix("symbols-numberSystem-") else { continue };
        let of = |what: &str| &numbers[format!("{what}-numberSystem-{system}")];
        let (decimal, currency) = (of("decimalFormats"), of("currencyFormats"));
        let spacing = |side: &str| {
            let side = &currency["currencySpacing"][side];
            json!([side["currencyMatch"], side["surroundingMatch"], side["insertBetween"]])
        };
        let system_data = json!({
            "symbols": pick(symbols, |key| (!key.contains("-alt-")).then(|| key.to_owned())),
            "decimal": decimal["standard"],
            "short": compact(&decimal["short"]["decimalFormat"]),
            "long": compact(&decimal["long"]["decimalFormat"]),
            "scientific": of("scientificFormats")["standard"],
            "percent": of("percentFormats")["standard"],
            "currency": currency["standard"],
            "accounting": currency["accounting"],
            "currencyShort": compact(&currency["short"]["standard"]),
            "unitPattern": counts(currency, "unitPattern"),
            "spacing": [spacing("beforeCurrency"), spacing("afterCurrency")],
            "range": of("miscPatterns")["range"],
            "approximately": of("miscPatterns")["approximately"],
        });
        all.insert(system.to_owned(), system_data);
    }
    Value::Object(all)
}

fn currencies(currencies: &Value) -> Value {
    let all = members(currencies).map(|(code, names)| {
        let of = json!({
            "name": names["displayName"], "symbol": names["symbol"], "narrow": names["symbol-alt-narrow"],
            "counts": counts(names, "displayName"),
        });
        (code.clone(), of)
    });
    Value::Object(all.collect())
}

fn units(units: &Value) -> Value {
    let widths = ["long", "short", "narrow"].map(|width| {
        let mut all = Map::new();
        for (key, unit) in members(&units[width]) {
            // "length-kilometer": the kind of unit goes.
            let Some((_, name)) = key.split_once('-') else { continue };
            if UNITS.contains(&name) {
                let of = json!({
                    "name": unit["displayName"], "per": unit["perUnitPattern"], "counts": counts(unit, "unitPattern"),
                });
                all.insert(name.to_owned(), of);
            }
        }
        all.insert("per".to_owned(), units[width]["per"]["compoundUnitPattern"].clone());
        (width.to_owned(), Value::Object(all))
    });
    Value::Object(widths.into_iter().collect())
}

/// A pattern, which may come with the digits that it is written in.
fn pattern(value: &Value) -> Value {
    value.get("_value").unwrap_or(value).clone()
}

fn patterns(value: &Value) -> Value {
    let all = ["full", "long", "medium", "short"].map(|length| (length.to_owned(), pattern(&value[length])));
    Value::Object(all.into_iter().collect())
}

fn formats(calendar: &Value) -> Value {
    let both = &calendar["dateTimeFormats"];
    let available = pick(&both["availableFormats"], |key| {
        (!key.contains("-count-") && !key.contains("-alt-")).then(|| key.to_owned())
    });
    let mut interval = Map::new();
    for (skeleton, value) in members(&both["intervalFormats"]) {
        let plain = pick(value, |key| (!key.contains("-alt-")).then(|| key.to_owned()));
        interval.insert(skeleton.clone(), if value.is_string() { value.clone() } else { plain });
    }
    let at = calendar["dateTimeFormats-atTime"]["standard"].clone();
    json!({
        "date": patterns(&calendar["dateFormats"]),
        "time": patterns(&calendar["timeFormats"]),
        "join": patterns(both),
        "at": if at.is_object() { patterns(&at) } else { Value::Null },
        "available": available,
        "append": both["appendItems"],
        "interval": interval,
    })
}

fn widths(value: &Value) -> Value {
    let mut forms = Map::new();
    for (form, short_form) in FORMS {
        let mut all = Map::new();
        for (width, short_width) in WIDTHS {
            let names = &value[form][width];
            if names.is_object() {
                all.insert(
                    short_width.to_owned(),
                    pick(names, |key| (!key.contains("-alt-")).then(|| key.to_owned())),
                );
            }
        }
        forms.insert(short_form.to_owned(), Value::Object(all));
    }
    Value::Object(forms)
}

/// The eras; of Japan's those since Meiji, which people use.
fn eras(value: &Value) -> Value {
    let of = |key: &str| {
        let many = members(&value[key]).count() > 10;
        pick(&value[key], |era| {
            let modern = !many || era.parse::<u32>().is_ok_and(|number| number >= 232);
            (modern && !era.contains("-alt-")).then(|| era.to_owned())
        })
    };
    json!({ "w": of("eraNames"), "a": of("eraAbbr"), "n": of("eraNarrow") })
}

fn dates(cldr: &Cldr, locale: &str) -> Result<Value, String> {
    let read = |package: &str, calendar: &str| -> Result<Value, String> {
        let mut value = cldr.main(package, locale, &format!("ca-{calendar}"))?;
        Ok(value["dates"]["calendars"][calendar].take())
    };
    let gregorian = read("dates", "gregorian")?;
    let mut all = formats(&gregorian);
    all["months"] = widths(&gregorian["months"]);
    all["days"] = widths(&gregorian["days"]);
    all["periods"] = widths(&gregorian["dayPeriods"]);
    all["eras"] = eras(&gregorian["eras"]);
    all["generic"] = formats(&read("dates", "generic")?);
    for calendar in ["buddhist", "japanese", "roc", "persian", "islamic"] {
        let data = read(&format!("cal-{calendar}"), calendar)?;
        let mut own = json!({});
        if data.is_object() {
            own["eras"] = eras(&data["eras"]);
            let formats = formats(&data);
            for part in ["date", "available", "interval"] {
                own[part] = formats[part].clone();
            }
            if matches!(calendar, "persian" | "islamic") {
                own["months"] = widths(&data["months"]);
            }
        }
        all[calendar] = own;
    }
    Ok(all)
}

fn fields(fields: &Value) -> Value {
    let mut all = Map::new();
    for (key, value) in members(fields) {
        let base = key.split('-').next().unwrap_or_default();
        if !FIELDS.contains(&base) {
            continue;
        }
        let mut of = pick(value, |key| Some(key.strip_prefix("relative-type-")?.to_owned()));
        of["name"] = value["displayName"].clone();
        for tense in ["future", "past"] {
            let patterns = counts(&value[format!("relativeTime-type-{tense}")], "relativeTimePattern");
            if !patterns.is_empty() {
                of[tense] = Value::Object(patterns);
            }
        }
        all.insert(key.clone(), of);
    }
    Value::Object(all)
}

fn zones(zones: &Value) -> Value {
    let mut all = pick(zones, |key| (key != "zone" && key != "metazone").then(|| key.to_owned()));
    let mut named = Map::new();
    flatten(&zones["zone"], String::new(), &mut named);
    all["zone"] = Value::Object(named);
    all["meta"] = zones["metazone"].clone();
    all
}

fn flatten(value: &Value, name: String, into: &mut Map<String, Value>) {
    if value["_type"] == "zone"
        || ["exemplarCity", "long", "short"].iter().any(|key| value.get(key).is_some())
    {
        let plain = pick(value, |key| (key != "_type" && !key.contains("-alt-")).then(|| key.to_owned()));
        into.insert(name, plain);
        return;
    }
    for (key, inner) in members(value) {
        let name = if name.is_empty() { key.clone() } else { format!("{name}/{key}") };
        flatten(inner, name, into);
    }
}
