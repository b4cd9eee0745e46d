//! Memories, tables and globals, as JavaScript makes and uses them.

use wasmi::{Extern, Global, Mutability, Ref, RefType, Table, TableType, ValType};

use super::{Machine, gone, kind, on};
use crate::gate::{Arg, Args, Env, ErrorClass, HostError, HostResult, Val};
use crate::mapping::MemoryView;

/// `(pages, most pages or nothing)`
pub(super) fn memory(env: &Env, args: &Args) -> HostResult {
    let most = args.num(1).ok().map(|pages| pages as u64);
    let pages = args.num(0)? as u64;
    on(env, |machine| machine.new_memory(env, pages, most).map(|(number, _)| Val::Num(number as f64)))
}

/// `(memory, pages)` to the pages before.
pub(super) fn grow(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let (_, memory) = machine.memory(args)?;
        let before = memory.grow(&mut machine.store, args.num(1)? as u64);
        before.map(|pages| Val::Num(pages as f64)).map_err(|error| {
            HostError::new(ErrorClass::RangeError, format!("WebAssembly.Memory.grow(): {error}"))
        })
    })
}

/// `(memory)` to an array buffer over it.
pub(super) fn view(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let (number, memory) = machine.memory(args)?;
        let mapping = machine.mappings.get(&number).cloned().ok_or_else(gone)?;
        let bytes = memory.data_size(&machine.store).min(mapping.bytes());
        Ok(Val::Memory(MemoryView { mapping, bytes }))
    })
}

/// `(memory)` to its bytes.
pub(super) fn size(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let (_, memory) = machine.memory(args)?;
        Ok(Val::Num(memory.data_size(&machine.store) as f64))
    })
}

fn reference(machine: &mut Machine, element: RefType, given: Option<&Arg>) -> Result<Ref, HostError> {
    Ok(
        match machine
            .value(if element == RefType::Func { ValType::FuncRef } else { ValType::ExternRef }, given)?
        {
            wasmi::Val::FuncRef(func) => Ref::Func(func),
            wasmi::Val::ExternRef(held) => Ref::Extern(held),
            _ => Ref::null(element),
        },
    )
}

/// `(kind of elements, elements, most elements or nothing, first value)`
pub(super) fn table(env: &Env, args: &Args) -> HostResult {
    let element = if kind(args.str(0)?)? == ValType::FuncRef { RefType::Func } else { RefType::Extern };
    on(env, |machine| {
        let init = reference(machine, element, args.all().get(3))?;
        let most = args.num(2).ok().map(|most| most as u32);
        let table = Table::new(&mut machine.store, TableType::new(element, args.num(1)? as u32, most), init)
            .map_err(|error| HostError::new(ErrorClass::RangeError, error.to_string()))?;
        Ok(Val::Num(machine.number(env, Extern::Table(table)) as f64))
    })
}

pub(super) fn table_size(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| Ok(Val::Num(machine.table(args)?.size(&machine.store) as f64)))
}

fn out_of_bounds() -> HostError {
    HostError::new(ErrorClass::RangeError, "the index is not in the table")
}

pub(super) fn table_get(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let table = machine.table(args)?;
        let value = match table.get(&machine.store, args.num(1)? as u64).ok_or_else(out_of_bounds)? {
            Ref::Func(func) => wasmi::Val::FuncRef(func),
            Ref::Extern(held) => wasmi::Val::ExternRef(held),
        };
        Ok(machine.shown(env, &value))
    })
}

pub(super) fn table_set(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let table = machine.table(args)?;
        let element = table.ty(&machine.store).element();
        let value = reference(machine, element, args.all().get(2))?;
        table.set(&mut machine.store, args.num(1)? as u64, value).map_err(|_| out_of_bounds())?;
        Ok(Val::Undefined)
    })
}

/// `(table, elements, value)` to the elements before.
pub(super) fn table_grow(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let table = machine.table(args)?;
        let element = table.ty(&machine.store).element();
        let value = reference(machine, element, args.all().get(2))?;
        let before = table.grow(&mut machine.store, args.num(1)? as u64, value);
        before
            .map(|before| Val::Num(before as f64))
            .map_err(|error| HostError::new(ErrorClass::RangeError, error.to_string()))
    })
}

/// `(kind, can change?, value)`
pub(super) fn global(env: &Env, args: &Args) -> HostResult {
    let kind = kind(args.str(0)?)?;
    on(env, |machine| {
        let value = if args.is_none(2) {
            wasmi::Val::default_for_ty(kind)
        } else {
            machine.value(kind, args.all().get(2))?
        };
        let mutability = if args.bool(1) { Mutability::Var } else { Mutability::Const };
        let global = Global::new(&mut machine.store, value, mutability);
        Ok(Val::Num(machine.number(env, Extern::Global(global)) as f64))
    })
}

pub(super) fn global_get(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let value = machine.global(args)?.get(&machine.store);
        Ok(machine.shown(env, &value))
    })
}

pub(super) fn global_set(env: &Env, args: &Args) -> HostResult {
    on(env, |machine| {
        let global = machine.global(args)?;
        let value = machine.value(global.ty(&machine.store).content(), args.all().get(1))?;
        global.set(&mut machine.store, value).map_err(|error| HostError::type_error(error.to_string()))?;
        Ok(Val::Undefined)
    })
}
