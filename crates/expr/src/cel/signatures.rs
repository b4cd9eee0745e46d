//! The functions there are. Their meaning is in `functions`.

use std::sync::OnceLock;

use super::types::Type;

/// `[receiver.]name(arguments): result`, the first that fits says the type of the result.
const SIGNATURES: &str = "
dyn(dyn): dyn
type(string): type
type(bool): type
type(int): type
type(uint): type
type(double): type
type(map): type
type(list): type
type(bytes): type
type(null): type
type(type): type
type(timestamp): type
type(duration): type
bool(bool): bool
bool(string): bool
bytes(string): bytes
bytes(bytes): bytes
double(double): double
double(int): double
double(uint): double
double(string): double
int(int): int
int(double): int
int(string): int
uint(uint): uint
uint(int): uint
uint(double): uint
uint(string): uint
string(string): string
string(bool): string
string(int): string
string(uint): string
string(bytes): string
string(double): string
string(timestamp): string
string(duration): string
size(string): int
size(bytes): int
size(list): int
size(map): int
string.size(): int
bytes.size(): int
list.size(): int
map.size(): int
string.startsWith(string): bool
string.endsWith(string): bool
string.contains(string): bool
string.lowerAscii(): string
string.upperAscii(): string
string.trim(): string
string.indexOf(string): int
string.indexOf(string, int): int
string.lastIndexOf(string): int
string.lastIndexOf(string, int): int
string.substring(int): string
string.substring(int, int): string
string.matches(string): bool
string.split(string): list<string>
string.split(string, int): list<string>
list<string>.join(): string
list<string>.join(string): string
bytes.json(): dyn
bytes.hex(): string
bytes.string(): string
bytes.base64(): string
bytes.at(int): int
timestamp(string): timestamp
timestamp(int): timestamp
timestamp.getDate(): int
timestamp.getDate(string): int
timestamp.getDayOfMonth(): int
timestamp.getDayOfMonth(string): int
timestamp.getDayOfWeek(): int
timestamp.getDayOfWeek(string): int
timestamp.getDayOfYear(): int
timestamp.getDayOfYear(string): int
timestamp.getFullYear(): int
timestamp.getFullYear(string): int
timestamp.getHours(): int
timestamp.getHours(string): int
timestamp.getMilliseconds(): int
timestamp.getMilliseconds(string): int
timestamp.getMinutes(): int
timestamp.getMinutes(string): int
timestamp.getMonth(): int
timestamp.getMonth(string): int
timestamp.getSeconds(): int
timestamp.getSeconds(string): int
duration(string): duration
duration.getHours(): int
duration.getMinutes(): int
duration.getSeconds(): int
duration.getMilliseconds(): int
optional.hasValue(): bool
optional.value(): dyn
";

/// Whether a value of the type can be that parameter.
pub(super) fn accepts_parameter(letter: char, of: &Type) -> bool {
    match letter {
        's' => of.matches(&Type::String),
        'n' => of.matches(&Type::Int) || of.matches(&Type::Double),
        'l' => of.matches(&Type::list(Type::Dyn)),
        _ => of.matches(&Type::map(Type::Dyn, Type::Dyn)),
    }
}

#[derive(Debug)]
pub(crate) struct Signature {
    pub receiver: Option<Type>,
    pub name: &'static str,
    pub arguments: Vec<Type>,
    pub result: Type,
    pub text: &'static str,
}

fn parse(line: &'static str) -> Option<Signature> {
    let (head, result) = line.rsplit_once("): ")?;
    let (head, arguments) = head.split_once('(')?;
    let (receiver, name) = match head.rsplit_once('.') {
        Some((receiver, name)) => (Some(Type::parse(receiver)?), name),
        None => (None, head),
    };
    let arguments: Option<Vec<Type>> =
        arguments.split(',').filter(|text| !text.trim().is_empty()).map(Type::parse).collect();
    Some(Signature { receiver, name, arguments: arguments?, result: Type::parse(result)?, text: line })
}

/// Whether all lines of the table are signatures is a test's business; what is none would be missing here.
fn table() -> &'static [Signature] {
    static TABLE: OnceLock<Vec<Signature>> = OnceLock::new();
    TABLE.get_or_init(|| SIGNATURES.lines().filter(|line| !line.is_empty()).filter_map(parse).collect())
}

/// The signatures of that name, of functions or of methods.
pub(crate) fn named(name: &str, is_method: bool) -> Vec<&'static Signature> {
    let fits = |signature: &&Signature| signature.name == name && signature.receiver.is_some() == is_method;
    table().iter().filter(fits).collect()
}

/// Ways to call, for messages.
pub(crate) fn forms(signatures: &[&Signature]) -> String {
    let form = |text: &'static str| text.rsplit_once(':').map_or(text, |(form, _)| form);
    let forms: Vec<&str> = signatures.iter().map(|signature| form(signature.text)).take(6).collect();
    forms.join(", ")
}

/// The names of all functions or methods, macros included.
pub(crate) fn names(is_method: bool) -> &'static [&'static str] {
    static NAMES: OnceLock<[Vec<&'static str>; 2]> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let of = |is_method: bool, macros: &[&'static str]| {
            let mut names: Vec<&'static str> = table()
                .iter()
                .filter(|signature| signature.receiver.is_some() == is_method)
                .map(|signature| signature.name)
                .collect();
            names.dedup();
            names.extend(macros);
            names
        };
        let methods = ["all", "exists", "exists_one", "map", "filter", "or", "orValue"];
        [of(false, &["has"]), of(true, &methods)]
    });
    &names[usize::from(is_method)]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_line_is_a_signature() {
        for line in super::SIGNATURES.lines().filter(|line| !line.is_empty()) {
            assert!(super::parse(line).is_some(), "{line}");
        }
    }
}
