//! From tokens to a tree.

use std::ops::Range;
use std::sync::Arc;

use super::ast::{Binary, Each, Id, MAX_DEPTH, MAX_NODES, MAX_TEXT, Node, Op, Tree, Unary};
use super::lexer::{Lexer, Token, syntax};
use crate::error::{ExprError, ExprErrorKind};
use crate::value::{Kind, Value};

/// Words that the language keeps for itself. They are fine as names of fields.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
/// What can follow the name of a model with hyphens.
const MODEL_PARTS: [&str; 5] = ["input", "resource", "file", "execution", "definition"];

type Parsed<T> = Result<T, ExprError>;

pub(crate) fn parse(text: &str) -> Parsed<Tree> {
    if text.len() > MAX_TEXT {
        return Err(limit("the expression has more bytes", MAX_TEXT, 0..0));
    }
    let mut parser =
        Parser { lexer: Lexer::new(text), token: Token::End, span: 0..0, nodes: Vec::new(), depth: 0 };
    parser.advance()?;
    let root = parser.expression()?;
    if parser.token != Token::End {
        return Err(syntax(parser.unexpected("the end"), parser.span));
    }
    Ok(Tree { text: text.into(), nodes: parser.nodes, root })
}

fn limit(what: &'static str, limit: usize, span: Range<usize>) -> ExprError {
    ExprError::at(ExprErrorKind::Limit { what, limit }, span)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    token: Token,
    span: Range<usize>,
    nodes: Vec<Node>,
    depth: u16,
}

impl Parser<'_> {
    fn advance(&mut self) -> Parsed<()> {
        (self.token, self.span) = self.lexer.next()?;
        Ok(())
    }

    fn is(&self, sign: char) -> bool {
        self.token == Token::Sign(sign)
    }

    fn accept(&mut self, sign: char) -> Parsed<bool> {
        let found = self.is(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// The end of the token that must be there.
    fn expect(&mut self, sign: char) -> Parsed<usize> {
        let end = self.span.end;
        if self.accept(sign)? {
            return Ok(end);
        }
        Err(syntax(self.unexpected(&format!("`{sign}`")), self.span.clone()))
    }

    fn unexpected(&self, wanted: &str) -> String {
        match &self.token {
            Token::End => format!("the expression ends where {wanted} should be"),
            _ => {
                let found = self.lexer.text().get(self.span.clone()).unwrap_or_default();
                format!("`{found}` stands where {wanted} should be")
            }
        }
    }

    fn add(&mut self, op: Op, span: Range<usize>) -> Parsed<Id> {
        let depth_of = |id: &Id| self.nodes[*id as usize].depth;
        let depth = match &op {
            // The operators of a chain are walked in a loop.
            Op::Binary(_, left, right) => depth_of(left).max(depth_of(right) + 1),
            other => 1 + other.children().iter().map(depth_of).max().unwrap_or(0),
        };
        if depth > MAX_DEPTH {
            return Err(limit("the expression nests deeper", MAX_DEPTH.into(), span));
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(limit("the expression has more parts", MAX_NODES, span));
        }
        self.nodes.push(Node { op, span, depth });
        Ok((self.nodes.len() - 1) as Id)
    }

    fn start(&self, id: Id) -> usize {
        self.nodes[id as usize].span.start
    }

    fn end(&self, id: Id) -> usize {
        self.nodes[id as usize].span.end
    }

    fn expression(&mut self) -> Parsed<Id> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(limit("the expression nests deeper", MAX_DEPTH.into(), self.span.clone()));
        }
        let condition = self.binary()?;
        let result = if self.accept('?')? {
            let yes = self.expression()?;
            self.expect(':')?;
            let no = self.expression()?;
            let span = self.start(condition)..self.end(no);
            self.add(Op::Ternary { condition, yes, no }, span)?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(result)
    }

    fn operator(&self) -> Option<Binary> {
        Some(match self.token {
            Token::Or => Binary::Or,
            Token::And => Binary::And,
            Token::Equal => Binary::Equal,
            Token::NotEqual => Binary::NotEqual,
            Token::LessOrEqual => Binary::LessOrEqual,
            Token::GreaterOrEqual => Binary::GreaterOrEqual,
            Token::In => Binary::In,
            Token::Sign('<') => Binary::Less,
            Token::Sign('>') => Binary::Greater,
            Token::Sign('+') => Binary::Add,
            Token::Sign('-') => Binary::Subtract,
            Token::Sign('*') => Binary::Multiply,
            Token::Sign('/') => Binary::Divide,
            Token::Sign('%') => Binary::Remainder,
            _ => return None,
        })
    }

    /// Operators of all precedences, in a loop: the stack is for what nests.
    fn binary(&mut self) -> Parsed<Id> {
        let mut operands = vec![self.unary()?];
        let mut operators: Vec<Binary> = Vec::new();
        while let Some(operator) = self.operator() {
            self.advance()?;
            self.reduce(&mut operands, &mut operators, operator.precedence())?;
            operators.push(operator);
            operands.push(self.unary()?);
        }
        self.reduce(&mut operands, &mut operators, 0)?;
        operands.pop().ok_or_else(|| syntax("there is no value", self.span.clone()))
    }

    /// Joins operands of the operators that bind at least as closely as `minimum`.
    fn reduce(&mut self, operands: &mut Vec<Id>, operators: &mut Vec<Binary>, minimum: u8) -> Parsed<()> {
        while let Some(operator) = operators.pop_if(|operator| operator.precedence() >= minimum) {
            let (Some(right), Some(left)) = (operands.pop(), operands.pop()) else { break };
            let span = self.start(left)..self.end(right);
            operands.push(self.add(Op::Binary(operator, left, right), span)?);
        }
        Ok(())
    }

    fn unary(&mut self) -> Parsed<Id> {
        let mut signs = Vec::new();
        loop {
            let sign = match self.token {
                Token::Sign('!') => Unary::Not,
                Token::Sign('-') => Unary::Minus,
                _ => break,
            };
            signs.push((sign, self.span.start));
            if signs.len() > MAX_DEPTH.into() {
                return Err(limit("the expression nests deeper", MAX_DEPTH.into(), self.span.clone()));
            }
            self.advance()?;
        }
        // The smallest integer has no positive counterpart, so its sign is part of it.
        let smallest =
            self.token == Token::Int(1 << 63) && signs.last().is_some_and(|sign| sign.0 == Unary::Minus);
        let mut operand = if smallest {
            let start = signs.pop().map_or(self.span.start, |sign| sign.1);
            let span = start..self.span.end;
            self.advance()?;
            let literal = self.add(Op::Literal(Value::from(i64::MIN)), span)?;
            self.postfix(literal)?
        } else {
            let primary = self.primary()?;
            self.postfix(primary)?
        };
        for (sign, start) in signs.into_iter().rev() {
            let span = start..self.end(operand);
            operand = self.add(Op::Unary(sign, operand), span)?;
        }
        Ok(operand)
    }

    fn postfix(&mut self, mut object: Id) -> Parsed<Id> {
        loop {
            if self.is('.') {
                if let Some(field) = self.hyphenated_model(object)? {
                    object = field;
                    continue;
                }
                self.advance()?;
                let optional = self.accept('?')?;
                let Token::Name(name) = &self.token else {
                    return Err(syntax(self.unexpected("a name"), self.span.clone()));
                };
                let name: Arc<str> = name.as_str().into();
                let span = self.start(object)..self.span.end;
                self.advance()?;
                object = if !optional && self.is('(') {
                    self.method(object, name)?
                } else {
                    self.add(Op::Field { object, name, optional }, span)?
                };
            } else if self.accept('[')? {
                let optional = self.accept('?')?;
                let index = self.expression()?;
                let end = self.expect(']')?;
                let span = self.start(object)..end;
                object = self.add(Op::Index { object, index, optional }, span)?;
            } else {
                return Ok(object);
            }
        }
    }

    /// `model.my-name.resource`, which would read as a subtraction, means `model["my-name"].resource`.
    fn hyphenated_model(&mut self, object: Id) -> Parsed<Option<Id>> {
        if !matches!(&self.nodes[object as usize].op, Op::Name(name) if &**name == "model") {
            return Ok(None);
        }
        let rest = &self.lexer.text()[self.span.end..];
        let length = word_length(rest);
        let (name, after) = rest.split_at(length);
        let part = after.strip_prefix('.').map(|part| {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
            &part[..end]
        });
        if !name.contains('-') || !part.is_some_and(|part| MODEL_PARTS.contains(&part)) {
            return Ok(None);
        }
        let end = self.span.end + length;
        let span = self.start(object)..end;
        let name: Arc<str> = name.into();
        self.lexer.seek(end);
        self.advance()?;
        self.add(Op::Field { object, name, optional: false }, span).map(Some)
    }

    fn method(&mut self, receiver: Id, name: Arc<str>) -> Parsed<Id> {
        let receiver_is =
            |name: &str| matches!(&self.nodes[receiver as usize].op, Op::Name(n) if **n == *name);
        let (is_cel, is_vault) = (receiver_is("cel"), receiver_is("vault"));
        let (arguments, end) = self.arguments(is_vault && &*name == "get")?;
        let span = self.start(receiver)..end;
        let each = match (&*name, arguments.len()) {
            ("all", 2) => Some(Each::All),
            ("exists", 2) => Some(Each::Exists),
            ("exists_one", 2) => Some(Each::ExistsOne),
            ("filter", 2) => Some(Each::Filter),
            ("map", 2 | 3) => Some(Each::Map),
            _ => None,
        };
        let op = match (&*name, arguments.as_slice()) {
            (_, [variable, inside @ ..]) if each.is_some() => {
                let each = each.unwrap_or(Each::All);
                let variable = self.variable(*variable, each.name())?;
                let (condition, result) = match (each, inside) {
                    (Each::Map, [result]) => (None, Some(*result)),
                    (_, [condition, rest @ ..]) => (Some(*condition), rest.first().copied()),
                    (_, []) => (None, None),
                };
                Op::Each { each, range: receiver, variable, condition, result }
            }
            ("bind", [variable, value, result]) if is_cel => {
                let variable = self.variable(*variable, "cel.bind")?;
                Op::Bind { variable, value: *value, result: *result }
            }
            ("or" | "orValue", [other]) => Op::Or { receiver, other: *other, unwrap: &*name == "orValue" },
            _ => {
                let op = Op::Method { receiver, name, arguments };
                return self.add(op, span);
            }
        };
        self.add(op, span)
    }

    fn variable(&self, id: Id, of: &str) -> Parsed<Arc<str>> {
        let node = &self.nodes[id as usize];
        match &node.op {
            Op::Name(name) => Ok(name.clone()),
            _ => Err(syntax(
                format!("the first argument of `{of}` is the name of a variable"),
                node.span.clone(),
            )),
        }
    }

    /// From the parenthesis on. `words`: unquoted text is an argument too.
    fn arguments(&mut self, words: bool) -> Parsed<(Vec<Id>, usize)> {
        let mut arguments = Vec::new();
        // `self.token` is `(` or `,` here.
        loop {
            let word = if words { self.word()? } else { None };
            if let Some(word) = word {
                arguments.push(word);
            } else {
                self.advance()?;
                if self.is(')') {
                    break;
                }
                arguments.push(self.expression()?);
            }
            if !self.is(',') {
                break;
            }
        }
        let end = self.expect(')')?;
        Ok((arguments, end))
    }

    /// An argument of `vault.get` that is not an expression: a bare word, or text in back quotes.
    fn word(&mut self) -> Parsed<Option<Id>> {
        let text = self.lexer.text();
        let from = self.span.end;
        let start = from + (text[from..].len() - text[from..].trim_start().len());
        let rest = &text[start..];
        let (op, end) = if let Some(quoted) = rest.strip_prefix('`') {
            let Some(length) = quoted.find('`') else {
                return Err(syntax("the text has no end: a quote is missing", start..text.len()));
            };
            (Op::Literal(Value::from(&quoted[..length])), start + length + 2)
        } else {
            let length = word_length(rest);
            if length == 0 || !rest[length..].trim_start().starts_with([',', ')']) {
                return Ok(None);
            }
            (Op::Word(rest[..length].into()), start + length)
        };
        self.lexer.seek(end);
        self.advance()?;
        self.add(op, start..end).map(Some)
    }

    fn primary(&mut self) -> Parsed<Id> {
        let span = self.span.clone();
        let value = match &self.token {
            Token::Int(number) => match i64::try_from(*number) {
                Ok(number) => Value::from(number),
                Err(_) => return Err(syntax("the integer is too large: integers have 64 bits", span)),
            },
            Token::Uint(number) => Value::new(Kind::Uint(*number)),
            Token::Double(number) => Value::from(*number),
            Token::Text(text) => Value::from(text.as_str()),
            Token::Bytes(bytes) => Value::new(Kind::Bytes(bytes.as_slice().into())),
            Token::True => Value::from(true),
            Token::False => Value::from(false),
            Token::Null => Value::NULL,
            Token::Name(name) => {
                let name: Arc<str> = name.as_str().into();
                return self.name(name, span);
            }
            Token::Sign('(') => {
                self.advance()?;
                let inner = self.expression()?;
                self.expect(')')?;
                return Ok(inner);
            }
            Token::Sign('[') => return self.list(span.start),
            Token::Sign('{') => return self.map(span.start),
            _ => return Err(syntax(self.unexpected("a value"), span)),
        };
        self.advance()?;
        self.add(Op::Literal(value), span)
    }

    fn name(&mut self, name: Arc<str>, span: Range<usize>) -> Parsed<Id> {
        if RESERVED.contains(&&*name) {
            return Err(syntax(format!("`{name}` is a reserved word"), span));
        }
        self.advance()?;
        if !self.is('(') {
            return self.add(Op::Name(name), span);
        }
        let (arguments, end) = self.arguments(false)?;
        let op = match (&*name, arguments.as_slice()) {
            ("has", [path]) => Op::Has(*path),
            _ => Op::Call { name, arguments },
        };
        self.add(op, span.start..end)
    }

    fn list(&mut self, start: usize) -> Parsed<Id> {
        self.advance()?;
        let mut items = Vec::new();
        while !self.is(']') {
            items.push(self.expression()?);
            if !self.accept(',')? {
                break;
            }
        }
        let end = self.expect(']')?;
        self.add(Op::List(items), start..end)
    }

    fn map(&mut self, start: usize) -> Parsed<Id> {
        self.advance()?;
        let mut entries = Vec::new();
        while !self.is('}') {
            let key = self.expression()?;
            self.expect(':')?;
            entries.push((key, self.expression()?));
            if !self.accept(',')? {
                break;
            }
        }
        let end = self.expect('}')?;
        self.add(Op::Map(entries), start..end)
    }
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')).count()
}
