//! Random expressions that are well typed, or nearly.

/// xorshift64*: the same seed, the same run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.max(1))
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.next() >> 16) % (end.max(1) as u64)).unwrap_or_default()
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Ints,
    Texts,
    Mixed,
    Map,
    Time,
    Length,
    Optional,
    /// Out of the context.
    Number,
    Dyn,
}

pub const KINDS: [Kind; 15] = [
    Kind::Bool,
    Kind::Int,
    Kind::Uint,
    Kind::Double,
    Kind::Text,
    Kind::Bytes,
    Kind::Ints,
    Kind::Texts,
    Kind::Mixed,
    Kind::Map,
    Kind::Time,
    Kind::Length,
    Kind::Optional,
    Kind::Number,
    Kind::Dyn,
];

/// The variables that the expressions use.
pub const CONTEXT: &str = r#"{"inputs": {"n": 3, "f": 1.5, "z": 0, "s": "abc", "e": "", "u": "aé😀", "l": [1, 2, 3],
"ls": ["a", "b"], "le": [], "m": {"k": "v", "a-b": 1, "deep": {"x": [true, null]}}, "nul": null, "t": true, "x": false,
"objs": [{"id": 1, "t": "one"}, {"id": 2, "t": "two"}]}}"#;

pub struct Generator {
    pub random: Random,
    /// Variables of the macros around.
    locals: Vec<(&'static str, Kind)>,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator { random: Random::new(seed), locals: Vec::new() }
    }

    pub fn any(&mut self) -> String {
        let kind = self.random.pick(&KINDS);
        let depth = 1 + self.random.below(4);
        self.of(kind, depth)
    }

    fn of(&mut self, kind: Kind, depth: usize) -> String {
        // Now and then a type that does not fit: both must refuse it, or both not.
        let kind = if self.random.below(40) == 0 { self.random.pick(&KINDS) } else { kind };
        let fitting: Vec<&'static str> =
            self.locals.iter().filter(|(_, of)| *of == kind).map(|(name, _)| *name).collect();
        if !fitting.is_empty() && self.random.below(3) == 0 {
            return self.random.pick(&fitting).to_owned();
        }
        if depth == 0 || self.random.below(8) == 0 {
            return self.leaf(kind).to_owned();
        }
        let depth = depth - 1;
        if self.random.below(12) == 0 {
            let (condition, yes, no) =
                (self.of(Kind::Bool, depth), self.of(kind, depth), self.of(kind, depth));
            return format!("({condition} ? {yes} : {no})");
        }
        if self.random.below(25) == 0 {
            let bound = self.random.pick(&KINDS);
            let value = self.of(bound, depth);
            let result = self.within("b", bound, |inside| inside.of(kind, depth));
            return format!("cel.bind(b, {value}, {result})");
        }
        match kind {
            Kind::Bool => self.truth(depth),
            Kind::Int => self.int(depth),
            Kind::Uint => {
                let (a, b) = (self.of(kind, depth), self.of(kind, depth));
                let sign = self.random.pick(&["+", "-", "*", "/", "%"]);
                format!("({a} {sign} {b})")
            }
            Kind::Double => self.double(depth),
            Kind::Text => self.text(depth),
            Kind::Bytes => match self.random.below(2) {
                0 => format!("bytes({})", self.of(Kind::Text, depth)),
                _ => format!("({} + {})", self.of(kind, depth), self.of(kind, depth)),
            },
            Kind::Ints | Kind::Texts | Kind::Mixed => self.list(kind, depth),
            Kind::Map => {
                let (a, b) = (self.random.pick(&KINDS), self.random.pick(&KINDS));
                let (a, b) = (self.of(a, depth), self.of(b, depth));
                format!("{{'k': {a}, 'j': {b}}}")
            }
            Kind::Time => match self.random.below(3) {
                0 => format!("({} + {})", self.of(kind, depth), self.of(Kind::Length, depth)),
                1 => format!("({} - {})", self.of(kind, depth), self.of(Kind::Length, depth)),
                _ => format!("timestamp({})", self.of(Kind::Int, depth)),
            },
            Kind::Length => match self.random.below(3) {
                0 => format!("({} + {})", self.of(kind, depth), self.of(kind, depth)),
                1 => format!("({} - {})", self.of(Kind::Time, depth), self.of(Kind::Time, depth)),
                _ => format!("({} - {})", self.of(kind, depth), self.of(kind, depth)),
            },
            Kind::Optional => match self.random.below(4) {
                0 => format!("{}.?{}", self.of(Kind::Map, depth), self.random.pick(&["k", "j", "zz"])),
                1 => format!("{}[?{}]", self.of(Kind::Ints, depth), self.of(Kind::Int, depth)),
                2 => format!("{}.or({})", self.of(kind, depth), self.of(kind, depth)),
                _ => {
                    let of = self.random.pick(&KINDS);
                    format!("optional.of({})", self.of(of, depth))
                }
            },
            Kind::Number => {
                let (a, b) = (self.of(Kind::Number, depth), self.of(Kind::Int, depth));
                let sign = self.random.pick(&["+", "-", "*", "/", "%"]);
                format!("({a} {sign} {b})")
            }
            Kind::Dyn => self.dynamic(depth),
        }
    }

    fn within<T>(&mut self, name: &'static str, kind: Kind, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push((name, kind));
        let result = inside(self);
        self.locals.pop();
        result
    }

    fn leaf(&mut self, kind: Kind) -> &'static str {
        let from: &[&'static str] = match kind {
            Kind::Bool => &["true", "false", "inputs.t", "inputs.x"],
            Kind::Int => &["0", "1", "2", "7", "-3", "0x1F", "9223372036854775807", "1000"],
            Kind::Uint => &["0u", "1u", "5u", "18446744073709551615u"],
            Kind::Double => &["0.0", "1.5", "-2.25", "1e3", "1e300", "inputs.f"],
            Kind::Text => &[
                "''", "'a'", "\"b,c\"", "'é😀'", "'12'", "' x '", "r'\\d'", "inputs.s", "inputs.e",
                "inputs.u",
            ],
            Kind::Bytes => &["b''", "b'ab'", "b'\\xff'"],
            Kind::Ints => &["[1, 2]", "[0]", "[3, 2, 1]", "inputs.l", "inputs.le"],
            Kind::Texts => &["['a', 'b']", "['']", "inputs.ls", "'a,b'.split(',')"],
            Kind::Mixed => &["[1, 'a']", "[null, true]", "inputs.objs", "[1.5, 2]"],
            Kind::Map => &["{'k': 1}", "{'k': 'v', 'j': 2}", "inputs.m", "inputs"],
            Kind::Time => {
                &["timestamp('2024-02-29T12:30:00Z')", "timestamp(0)", "timestamp('1999-12-31T23:59:59Z')"]
            }
            Kind::Length => &["duration('1h')", "duration('90s')", "duration('0s')"],
            Kind::Optional => {
                &["inputs.?n", "inputs.?zz", "optional.none()", "optional.of(1)", "inputs.l[?9]"]
            }
            Kind::Number => &["inputs.n", "inputs.f", "inputs.z", "inputs.l[1]"],
            Kind::Dyn => &[
                "inputs.nul",
                "inputs.m.k",
                "inputs.m.deep",
                "inputs.objs[0].id",
                "inputs.zz",
                "inputs.m['a-b']",
            ],
        };
        self.random.pick(from)
    }

    fn truth(&mut self, depth: usize) -> String {
        let kind = self.random.pick(&KINDS);
        let ordered =
            self.random.pick(&[Kind::Int, Kind::Double, Kind::Text, Kind::Number, Kind::Time, Kind::Length]);
        match self.random.below(14) {
            0 => format!("!{}", self.of(Kind::Bool, depth)),
            1 => format!("({} && {})", self.of(Kind::Bool, depth), self.of(Kind::Bool, depth)),
            2 => format!("({} || {})", self.of(Kind::Bool, depth), self.of(Kind::Bool, depth)),
            3 | 4 => {
                let sign = self.random.pick(&["==", "!="]);
                format!("({} {sign} {})", self.of(kind, depth), self.of(kind, depth))
            }
            5 | 6 => {
                let sign = self.random.pick(&["<", "<=", ">", ">="]);
                format!("({} {sign} {})", self.of(ordered, depth), self.of(ordered, depth))
            }
            7 => format!("({} in {})", self.of(Kind::Int, depth), self.of(Kind::Ints, depth)),
            8 => format!("({} in {})", self.of(Kind::Text, depth), self.of(Kind::Map, depth)),
            9 => {
                let name = self.random.pick(&["startsWith", "endsWith", "contains"]);
                format!("{}.{name}({})", self.of(Kind::Text, depth), self.of(Kind::Text, depth))
            }
            10 => format!(
                "has({}.{})",
                self.random.pick(&["inputs", "inputs.m", "inputs.nul"]),
                self.random.pick(&["n", "k", "zz"])
            ),
            11 => format!("{}.hasValue()", self.of(Kind::Optional, depth)),
            12 => format!(
                "(type({}) == {})",
                self.of(kind, depth),
                self.random.pick(&["int", "string", "double", "list", "map", "bool"])
            ),
            _ => {
                let name = self.random.pick(&["all", "exists", "exists_one"]);
                let (list, element) = self.random.pick(&[
                    (Kind::Ints, Kind::Int),
                    (Kind::Texts, Kind::Text),
                    (Kind::Mixed, Kind::Dyn),
                    (Kind::Map, Kind::Text),
                ]);
                let range = self.of(list, depth);
                let condition = self.within("i", element, |inside| inside.of(Kind::Bool, depth));
                format!("{range}.{name}(i, {condition})")
            }
        }
    }

    fn int(&mut self, depth: usize) -> String {
        match self.random.below(10) {
            0..=3 => {
                let sign = self.random.pick(&["+", "-", "*", "/", "%"]);
                format!("({} {sign} {})", self.of(Kind::Int, depth), self.of(Kind::Int, depth))
            }
            4 => {
                let kind = self.random.pick(&[Kind::Text, Kind::Ints, Kind::Map, Kind::Bytes, Kind::Texts]);
                format!("size({})", self.of(kind, depth))
            }
            5 => {
                let kind = self.random.pick(&[Kind::Double, Kind::Number, Kind::Text, Kind::Int]);
                format!("int({})", self.of(kind, depth))
            }
            6 => {
                let name = self.random.pick(&["indexOf", "lastIndexOf"]);
                format!("{}.{name}({})", self.of(Kind::Text, depth), self.of(Kind::Text, depth))
            }
            7 => {
                let name = self.random.pick(&[
                    "getFullYear",
                    "getMonth",
                    "getDate",
                    "getDayOfMonth",
                    "getDayOfWeek",
                    "getHours",
                    "getMinutes",
                    "getSeconds",
                    "getMilliseconds",
                ]);
                format!("{}.{name}()", self.of(Kind::Time, depth))
            }
            8 => {
                let name = self.random.pick(&["getHours", "getMinutes", "getSeconds", "getMilliseconds"]);
                format!("{}.{name}()", self.of(Kind::Length, depth))
            }
            _ => format!("-{}", self.of(Kind::Int, depth)),
        }
    }

    fn double(&mut self, depth: usize) -> String {
        match self.random.below(4) {
            0 => {
                let kind = self.random.pick(&[Kind::Int, Kind::Text, Kind::Uint]);
                format!("double({})", self.of(kind, depth))
            }
            1 => format!("({} + {})", self.of(Kind::Double, depth), self.of(Kind::Int, depth)),
            2 => format!("-{}", self.of(Kind::Double, depth)),
            _ => {
                let sign = self.random.pick(&["+", "-", "*", "/"]);
                format!("({} {sign} {})", self.of(Kind::Double, depth), self.of(Kind::Double, depth))
            }
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.random.below(8) {
            0 | 1 => format!("({} + {})", self.of(Kind::Text, depth), self.of(Kind::Text, depth)),
            2 => {
                let kind = self.random.pick(&[
                    Kind::Int,
                    Kind::Double,
                    Kind::Bool,
                    Kind::Number,
                    Kind::Bytes,
                    Kind::Text,
                ]);
                format!("string({})", self.of(kind, depth))
            }
            3 => format!(
                "{}.{}()",
                self.of(Kind::Text, depth),
                self.random.pick(&["trim", "lowerAscii", "upperAscii"])
            ),
            4 => format!("{}.substring({})", self.of(Kind::Text, depth), self.of(Kind::Int, 0)),
            5 => format!("{}.join({})", self.of(Kind::Texts, depth), self.of(Kind::Text, depth)),
            6 => format!(
                "bytes({}).{}()",
                self.of(Kind::Text, depth),
                self.random.pick(&["hex", "base64", "string"])
            ),
            _ => format!("{}.orValue({})", self.of(Kind::Optional, depth), self.of(Kind::Text, depth)),
        }
    }

    fn list(&mut self, kind: Kind, depth: usize) -> String {
        let element = match kind {
            Kind::Ints => Kind::Int,
            Kind::Texts => Kind::Text,
            _ => self.random.pick(&KINDS),
        };
        match self.random.below(6) {
            0 => format!("({} + {})", self.of(kind, depth), self.of(kind, depth)),
            1 => {
                let items: Vec<String> = (0..self.random.below(4)).map(|_| self.of(element, depth)).collect();
                format!("[{}]", items.join(", "))
            }
            2 => {
                let range = self.of(kind, depth);
                let condition = self.within("i", element, |inside| inside.of(Kind::Bool, depth));
                format!("{range}.filter(i, {condition})")
            }
            3 => {
                let range = self.of(Kind::Ints, depth);
                let (condition, result) = self.within("j", Kind::Int, |inside| {
                    (inside.of(Kind::Bool, depth), inside.of(element, depth))
                });
                format!("{range}.map(j, {condition}, {result})")
            }
            4 if kind == Kind::Texts => {
                format!("{}.split({})", self.of(Kind::Text, depth), self.leaf(Kind::Text))
            }
            _ => {
                let range = self.of(Kind::Texts, depth);
                let result = self.within("i", Kind::Text, |inside| inside.of(element, depth));
                format!("{range}.map(i, {result})")
            }
        }
    }

    fn dynamic(&mut self, depth: usize) -> String {
        let kind = self.random.pick(&KINDS);
        match self.random.below(5) {
            0 => format!("dyn({})", self.of(kind, depth)),
            1 => format!("{}.{}", self.of(Kind::Map, depth), self.random.pick(&["k", "j", "zz"])),
            2 => format!("{}[{}]", self.of(Kind::Mixed, depth), self.of(Kind::Int, 0)),
            3 => format!("{}.orValue({})", self.of(Kind::Optional, depth), self.of(kind, depth)),
            _ => format!("{}[{}]", self.of(Kind::Map, depth), self.of(Kind::Text, 0)),
        }
    }
}
