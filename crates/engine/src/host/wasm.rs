//! WebAssembly, by wasmi: an interpreter without a compiler of its own.
//!
//! * No JavaScript runs inside of an operation. A call of an import suspends the machine and returns to `js/wasm.js`, which
//!   calls the function and resumes; so calls nest as deep as JavaScript's stack allows.
//! * Fuel runs out every few milliseconds; then the machine looks whether its code has to stop.
//! * A linear memory lies in a mapping that never moves ([`Mapping`]), so that JavaScript sees it as an array buffer. A
//!   module that defines a memory imports it instead, and one that has a start function exports it ([`super::wasm_module`]).
//! * Memories count against the runtime's memory limit. All instances of a runtime live in one store, and end with it.
//!
//! Held by `tests/it/wasm.rs`.

mod objects;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use wasmi::errors::{ErrorKind, MemoryError};
use wasmi::{
    Config, Engine, Error, Extern, ExternRef, ExternType, Func, Global, Instance, Memory, MemoryType, Module,
    Mutability, Nullable, RefType, ResumableCall, ResumableCallHostTrap, Store, Table, TrapCode, ValType,
};
use wasmi_core::LimiterError;

use crate::gate::{
    Arg, Args, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, Val, plain,
};
use crate::heap::Heap;
use crate::host::wasm_module::{self, OWN_MEMORY, OWN_START};
use crate::lock::lock;
use crate::mapping::Mapping;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("wasm.validate", NONE, Determinism::Pure, Cost::Compute, validate),
    plain("wasm.compile", NONE, Determinism::Pure, Cost::Compute, compile),
    plain("wasm.instantiate", NONE, Determinism::Pure, Cost::Compute, instantiate),
    plain("wasm.call", NONE, Determinism::Pure, Cost::Compute, call),
    plain("wasm.resume", NONE, Determinism::Pure, Cost::Compute, resume),
    plain("wasm.abandon", NONE, Determinism::Pure, Cost::Instant, abandon),
    plain("wasm.memory", NONE, Determinism::Pure, Cost::Compute, objects::memory),
    plain("wasm.grow", NONE, Determinism::Pure, Cost::Compute, objects::grow),
    plain("wasm.view", NONE, Determinism::Pure, Cost::Instant, objects::view),
    plain("wasm.size", NONE, Determinism::Pure, Cost::Instant, objects::size),
    plain("wasm.table", NONE, Determinism::Pure, Cost::Compute, objects::table),
    plain("wasm.tableSize", NONE, Determinism::Pure, Cost::Instant, objects::table_size),
    plain("wasm.tableGet", NONE, Determinism::Pure, Cost::Instant, objects::table_get),
    plain("wasm.tableSet", NONE, Determinism::Pure, Cost::Instant, objects::table_set),
    plain("wasm.tableGrow", NONE, Determinism::Pure, Cost::Compute, objects::table_grow),
    plain("wasm.global", NONE, Determinism::Pure, Cost::Instant, objects::global),
    plain("wasm.globalGet", NONE, Determinism::Pure, Cost::Instant, objects::global_get),
    plain("wasm.globalSet", NONE, Determinism::Pure, Cost::Instant, objects::global_set),
];

/// Between two looks whether the code has to stop.
const FUEL: u64 = 2_000_000;
const PAGE: usize = 64 << 10;
const MAX_PAGES: u64 = 1 << 16;
const MAX_TABLE: usize = 10_000_000;

/// What a machine may take.
struct Bounds {
    heap: Arc<Heap>,
    used: usize,
    asked: usize,
    /// How often a memory has grown: what JavaScript sees of it is renewed then.
    growths: u64,
}

impl wasmi::ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        self.asked = desired.saturating_sub(current);
        let fits = self.used.saturating_add(self.asked).saturating_add(self.heap.used()) <= self.heap.limit();
        if fits {
            self.used += self.asked;
            self.growths += 1;
        }
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, _error: &MemoryError) -> Result<(), LimiterError> {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.asked));
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(desired <= MAX_TABLE)
    }

    fn instances(&self) -> usize {
        10_000
    }

    fn tables(&self) -> usize {
        10_000
    }

    fn memories(&self) -> usize {
        10_000
    }
}

/// A call of an import: its number in JavaScript, and the arguments.
#[derive(Debug)]
struct Asked {
    import: u64,
    arguments: Vec<wasmi::Val>,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "import {}", self.import)
    }
}

impl wasmi::errors::HostError for Asked {}

struct Suspended {
    trap: ResumableCallHostTrap,
    results: Vec<ValType>,
}

pub(crate) struct Machine {
    store: Store<Bounds>,
    /// With the names of their exports in the order of the module, which the machine sorts.
    modules: HashMap<u64, (Module, Arc<[String]>)>,
    items: HashMap<u64, Extern>,
    /// Handles have no equality; what they show of themselves is one of each.
    numbers: HashMap<String, u64>,
    suspended: HashMap<u64, Suspended>,
    /// By the number of the memory. They outlive the store: fields are dropped in this order.
    mappings: HashMap<u64, Arc<Mapping>>,
}

/// Made on first use.
pub(crate) type Machines = Mutex<Option<Machine>>;

fn coded(code: &str, message: impl Into<String>) -> HostError {
    HostError { code: Some(code.to_owned()), ..HostError::new(ErrorClass::Error, message) }
}

fn on<T>(env: &Env, work: impl FnOnce(&mut Machine) -> Result<T, HostError>) -> Result<T, HostError> {
    let mut machine = lock(&env.wasm);
    work(machine.get_or_insert_with(|| {
        let mut config = Config::default();
        config.consume_fuel(true).wasm_multi_memory(false).wasm_custom_page_sizes(false);
        let bounds = Bounds { heap: env.shared.heap.clone(), used: 0, asked: 0, growths: 0 };
        let mut store = Store::new(&Engine::new(&config), bounds);
        store.limiter(|bounds| bounds);
        Machine {
            store,
            modules: HashMap::new(),
            items: HashMap::new(),
            numbers: HashMap::new(),
            suspended: HashMap::new(),
            mappings: HashMap::new(),
        }
    }))
}

fn gone() -> HostError {
    HostError::type_error("the object is of another runtime")
}

impl Machine {
    fn number(&mut self, env: &Env, item: Extern) -> u64 {
        let shown = format!("{item:?}");
        if let Some(number) = self.numbers.get(&shown) {
            return *number;
        }
        let number = env.next_id();
        self.numbers.insert(shown, number);
        self.items.insert(number, item);
        number
    }

    fn func(&self, number: f64) -> Result<Func, HostError> {
        match self.items.get(&(number as u64)) {
            Some(Extern::Func(func)) => Ok(*func),
            _ => Err(gone()),
        }
    }

    fn memory(&self, args: &Args) -> Result<(u64, Memory), HostError> {
        let number = args.num(0)? as u64;
        match self.items.get(&number) {
            Some(Extern::Memory(memory)) => Ok((number, *memory)),
            _ => Err(gone()),
        }
    }

    fn table(&self, args: &Args) -> Result<Table, HostError> {
        match self.items.get(&(args.num(0)? as u64)) {
            Some(Extern::Table(table)) => Ok(*table),
            _ => Err(gone()),
        }
    }

    fn global(&self, args: &Args) -> Result<Global, HostError> {
        match self.items.get(&(args.num(0)? as u64)) {
            Some(Extern::Global(global)) => Ok(*global),
            _ => Err(gone()),
        }
    }

    fn new_memory(
        &mut self,
        env: &Env,
        minimum: u64,
        maximum: Option<u64>,
    ) -> Result<(u64, Memory), HostError> {
        let limit = (env.shared.heap.limit() / PAGE) as u64;
        let none = || HostError::new(ErrorClass::RangeError, "could not allocate memory");
        let pages = maximum.unwrap_or(MAX_PAGES).min(limit).min(MAX_PAGES);
        let (Ok(least), true) = (u32::try_from(minimum), minimum <= pages) else { return Err(none()) };
        let mapping = Arc::new(Mapping::reserve(pages as usize * PAGE).map_err(|_| none())?);
        let most = maximum.map(|pages| u32::try_from(pages).unwrap_or(u32::MAX));
        // SAFETY: `mappings` keeps it, and is dropped after the store; the mapping is new, so this is its only slice.
        let bytes = unsafe { mapping.slice() };
        let memory =
            Memory::new_static(&mut self.store, MemoryType::new(least, most), bytes).map_err(|_| none())?;
        let number = self.number(env, Extern::Memory(memory));
        self.mappings.insert(number, mapping);
        Ok((number, memory))
    }

    /// From JavaScript: numbers, BigInts as text, references as numbers.
    fn value(&mut self, kind: ValType, given: Option<&Arg>) -> Result<wasmi::Val, HostError> {
        let number = match given {
            Some(Arg::Num(number)) => *number,
            _ => f64::NAN,
        };
        Ok(match kind {
            ValType::I32 => wasmi::Val::I32(number as i64 as i32),
            ValType::I64 => {
                let text = match given {
                    Some(Arg::Str(text)) => text.as_str(),
                    _ => return Err(HostError::type_error("an i64 is a BigInt")),
                };
                wasmi::Val::I64(text.parse().map_err(|_| HostError::type_error("not a 64-bit BigInt"))?)
            }
            ValType::F32 => wasmi::Val::F32((number as f32).into()),
            ValType::F64 => wasmi::Val::F64(number.into()),
            ValType::FuncRef => wasmi::Val::FuncRef(match given {
                Some(Arg::Num(number)) => Nullable::Val(self.func(*number)?),
                _ => Nullable::Null,
            }),
            ValType::ExternRef => wasmi::Val::ExternRef(match given {
                Some(Arg::Num(number)) => Nullable::Val(ExternRef::new(&mut self.store, *number as u64)),
                _ => Nullable::Null,
            }),
            ValType::V128 => return Err(HostError::type_error("a v128 does not pass to JavaScript")),
        })
    }

    fn values(&mut self, kinds: &[ValType], args: &Args, from: usize) -> Result<Vec<wasmi::Val>, HostError> {
        kinds.iter().enumerate().map(|(at, kind)| self.value(*kind, args.all().get(from + at))).collect()
    }

    fn shown(&mut self, env: &Env, value: &wasmi::Val) -> Val {
        match value {
            wasmi::Val::I32(number) => Val::Num((*number).into()),
            wasmi::Val::I64(number) => Val::Map(vec![("bigint", Val::Str(number.to_string()))]),
            wasmi::Val::F32(number) => Val::Num(f64::from(number.to_float())),
            wasmi::Val::F64(number) => Val::Num(number.to_float()),
            wasmi::Val::FuncRef(Nullable::Val(func)) => self.shown_func(env, *func),
            wasmi::Val::ExternRef(Nullable::Val(held)) => {
                let number = held.data(&self.store).downcast_ref::<u64>().copied().unwrap_or_default();
                Val::Map(vec![("extern", Val::Num(number as f64))])
            }
            wasmi::Val::FuncRef(Nullable::Null)
            | wasmi::Val::ExternRef(Nullable::Null)
            | wasmi::Val::V128(_) => Val::Null,
        }
    }

    /// `[number, kinds of parameters, kinds of results]`
    fn shown_func(&mut self, env: &Env, func: Func) -> Val {
        let ty = func.ty(&self.store);
        let kinds = |kinds: &[ValType]| {
            Val::List(kinds.iter().map(|kind| Val::Str(name(*kind).to_owned())).collect())
        };
        let number = self.number(env, Extern::Func(func));
        Val::List(vec![Val::Num(number as f64), kinds(ty.params()), kinds(ty.results())])
    }

    /// `[kind, …]`, as `js/wasm.js` makes objects of it.
    fn shown_item(&mut self, env: &Env, item: Extern) -> Val {
        let kind = |kind: &str| Val::Str(kind.to_owned());
        match item {
            Extern::Func(func) => Val::List(vec![kind("function"), self.shown_func(env, func)]),
            Extern::Memory(_) => Val::List(vec![kind("memory"), Val::Num(self.number(env, item) as f64)]),
            Extern::Table(table) => {
                let element =
                    if table.ty(&self.store).element() == RefType::Func { "anyfunc" } else { "externref" };
                Val::List(vec![kind("table"), Val::Num(self.number(env, item) as f64), kind(element)])
            }
            Extern::Global(global) => {
                let ty = global.ty(&self.store);
                Val::List(vec![
                    kind("global"),
                    Val::Num(self.number(env, item) as f64),
                    kind(name(ty.content())),
                    Val::Bool(ty.mutability() == Mutability::Var),
                ])
            }
        }
    }

    fn growths(&self) -> Val {
        Val::Num(self.store.data().growths as f64)
    }

    /// Goes on until the machine has ended, asks for an import or has to stop.
    fn outcome(
        &mut self,
        env: &Env,
        mut state: Result<ResumableCall, Error>,
        mut outputs: Vec<wasmi::Val>,
        results: Vec<ValType>,
    ) -> HostResult {
        loop {
            match state.map_err(|error| trapped(&error))? {
                ResumableCall::Finished => {
                    let results = outputs.iter().map(|value| self.shown(env, value)).collect();
                    return Ok(Val::Map(vec![("growths", self.growths()), ("results", Val::List(results))]));
                }
                ResumableCall::OutOfFuel(call) => {
                    if env.shared.must_stop() {
                        return Err(HostError::new(ErrorClass::Uncatchable, "the call was interrupted"));
                    }
                    let fuel = FUEL.max(call.required_fuel());
                    self.store.set_fuel(fuel).map_err(|error| trapped(&error))?;
                    state = call.resume(&mut self.store, &mut outputs);
                }
                ResumableCall::HostTrap(trap) => {
                    let Some(asked) = trap.host_error().downcast_ref::<Asked>() else {
                        return Err(trapped(trap.host_error()));
                    };
                    let (import, arguments) = (asked.import, asked.arguments.clone());
                    let arguments = arguments.iter().map(|value| self.shown(env, value)).collect();
                    let ty = trap.host_func().ty(&self.store);
                    let wanted = ty.results().iter().map(|kind| Val::Str(name(*kind).to_owned())).collect();
                    let number = env.next_id();
                    self.suspended.insert(number, Suspended { trap, results });
                    return Ok(Val::Map(vec![
                        ("growths", self.growths()),
                        ("wanted", Val::List(wanted)),
                        ("import", Val::Num(import as f64)),
                        ("arguments", Val::List(arguments)),
                        ("suspended", Val::Num(number as f64)),
                    ]));
                }
            }
        }
    }
}

const fn name(kind: ValType) -> &'static str {
    match kind {
        ValType::I32 => "i32",
        ValType::I64 => "i64",
        ValType::F32 => "f32",
        ValType::F64 => "f64",
        ValType::V128 => "v128",
        ValType::FuncRef => "anyfunc",
        ValType::ExternRef => "externref",
    }
}

fn kind(name: &str) -> Result<ValType, HostError> {
    Ok(match name {
        "i32" => ValType::I32,
        "i64" => ValType::I64,
        "f32" => ValType::F32,
        "f64" => ValType::F64,
        "anyfunc" | "funcref" => ValType::FuncRef,
        "externref" => ValType::ExternRef,
        other => return Err(HostError::type_error(format!("'{other}' is not a type of WebAssembly"))),
    })
}

fn default(kinds: &[ValType]) -> Vec<wasmi::Val> {
    kinds.iter().map(|kind| wasmi::Val::default_for_ty(*kind)).collect()
}

/// A trap, in the words that other engines have for it.
fn trapped(error: &Error) -> HostError {
    let Some(code) = error.as_trap_code() else { return coded("RuntimeError", error.to_string()) };
    if code == TrapCode::StackOverflow {
        return HostError::new(ErrorClass::RangeError, "Maximum call stack size exceeded");
    }
    coded(
        "RuntimeError",
        match code {
            TrapCode::UnreachableCodeReached => "unreachable",
            TrapCode::MemoryOutOfBounds => "memory access out of bounds",
            TrapCode::TableOutOfBounds => "table index is out of bounds",
            TrapCode::IndirectCallToNull => "null function",
            TrapCode::BadSignature => "null function or function signature mismatch",
            TrapCode::IntegerDivisionByZero => "divide by zero",
            TrapCode::IntegerOverflow => "divide result unrepresentable",
            TrapCode::BadConversionToInteger => "float unrepresentable in integer range",
            _ => "the machine has trapped",
        },
    )
}

fn validate(env: &Env, args: &Args) -> HostResult {
    let bytes = args.bytes(0)?;
    on(env, |machine| Ok(Val::Bool(Module::validate(machine.store.engine(), bytes).is_ok())))
}

fn described(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Func(_) => "function",
        ExternType::Memory(_) => "memory",
        ExternType::Table(_) => "table",
        ExternType::Global(_) => "global",
    }
}

/// `(bytes)` to `[module, [[module, name, kind, type of a global]…], [[name, kind]…]]`.
fn compile(env: &Env, args: &Args) -> HostResult {
    let failed = |message: String| coded("CompileError", message);
    let text = |text: &str| Val::Str(text.to_owned());
    on(env, |machine| {
        let bytes = wasm_module::prepared(args.bytes(0)?).map_err(|error| failed(error.to_owned()))?;
        let module =
            Module::new(machine.store.engine(), &bytes).map_err(|error| failed(error.to_string()))?;
        let imports = module.imports().filter(|one| one.module() != OWN_MEMORY).map(|one| {
            let content = match one.ty() {
                ExternType::Global(ty) => text(name(ty.content())),
                _ => Val::Null,
            };
            Val::List(vec![text(one.module()), text(one.name()), text(described(one.ty())), content])
        });
        let names: Arc<[String]> = wasm_module::exports(args.bytes(0)?).unwrap_or_default().into();
        let exports = names
            .iter()
            .filter_map(|name| Some(Val::List(vec![text(name), text(described(&module.get_export(name)?))])));
        let (imports, exports) = (Val::List(imports.collect()), Val::List(exports.collect()));
        let number = env.next_id();
        machine.modules.insert(number, (module, names));
        Ok(Val::List(vec![Val::Num(number as f64), imports, exports]))
    })
}

/// What stands for an import: a function of JavaScript by its number, or something that a machine has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Given {
    Function(u64),
    Item(u64),
}

/// `(module, JSON list of what stands for its imports)` to `[[[name, item]…], start function or nothing]`.
fn instantiate(env: &Env, args: &Args) -> HostResult {
    let given: Vec<Given> = args.json(1)?;
    on(env, |machine| {
        let (module, names) = machine.modules.get(&(args.num(0)? as u64)).cloned().ok_or_else(gone)?;
        let mut given = given.into_iter();
        let mut externs = Vec::new();
        for import in module.imports() {
            if let (OWN_MEMORY, ExternType::Memory(ty)) = (import.module(), import.ty()) {
                externs.push(Extern::Memory(machine.new_memory(env, ty.minimum(), ty.maximum())?.1));
                continue;
            }
            externs.push(match (given.next(), import.ty()) {
                (Some(Given::Function(import)), ExternType::Func(ty)) => {
                    let ask = move |_: wasmi::Caller<'_, Bounds>,
                                    arguments: &[wasmi::Val],
                                    _: &mut [wasmi::Val]| {
                        Err(Error::host(Asked { import, arguments: arguments.to_vec() }))
                    };
                    // A function of the machine, which JavaScript does not reach; its type tells it from those of the gate.
                    Extern::Func(Func::new::<Bounds>(&mut machine.store, ty.clone(), ask))
                }
                (Some(Given::Item(number)), _) => *machine.items.get(&number).ok_or_else(gone)?,
                _ => {
                    return Err(coded(
                        "LinkError",
                        format!("no import for {}.{}", import.module(), import.name()),
                    ));
                }
            });
        }
        machine.store.set_fuel(FUEL).map_err(|error| trapped(&error))?;
        let instance =
            Instance::new(&mut machine.store, &module, &externs).map_err(|error| match error.kind() {
                ErrorKind::TrapCode(_) => trapped(&error),
                _ => coded("LinkError", error.to_string()),
            })?;
        let mut exports = Vec::new();
        for name in names.iter() {
            if let Some(item) = instance.get_export(&machine.store, name) {
                exports.push(Val::List(vec![Val::Str(name.clone()), machine.shown_item(env, item)]));
            }
        }
        let start = match instance.get_func(&machine.store, OWN_START) {
            Some(func) => machine.shown_func(env, func),
            None => Val::Null,
        };
        Ok(Val::List(vec![Val::List(exports), start]))
    })
}

/// `(function, arguments…)` to its results, or to a call of an import.
fn call(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let func = machine.func(args.num(0)?)?;
        let ty = func.ty(&machine.store);
        let inputs = machine.values(ty.params(), args, 1)?;
        let mut outputs = default(ty.results());
        machine.store.set_fuel(FUEL).map_err(|error| trapped(&error))?;
        let state = func.call_resumable(&mut machine.store, &inputs, &mut outputs);
        machine.outcome(env, state, outputs, ty.results().to_vec())
    })
}

/// `(suspended call, results of the import…)`, as for [`call`].
fn resume(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let suspended = machine.suspended.remove(&(args.num(0)? as u64)).ok_or_else(gone)?;
        let ty = suspended.trap.host_func().ty(&machine.store);
        let inputs = machine.values(ty.results(), args, 1)?;
        let mut outputs = default(&suspended.results);
        machine.store.set_fuel(FUEL).map_err(|error| trapped(&error))?;
        let state = suspended.trap.resume(&mut machine.store, &inputs, &mut outputs);
        machine.outcome(env, state, outputs, suspended.results)
    })
}

fn abandon(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        machine.suspended.remove(&(args.num(0)? as u64));
        Ok(Val::Undefined)
    })
}
