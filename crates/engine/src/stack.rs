//! Where the JavaScript stack ends: one address for the whole life of the thread.
//!
//! QuickJS compares the stack pointer with `stack top - stack size`. The binding moves that top to wherever it stands
//! each time Rust calls into JavaScript, so that code that went on from inside a host operation (an error that the
//! surface makes, a part of it that is evaluated on first use) moved its own limit down, level by level, until the
//! native stack ended and with it the process.
//!
//! Here the limit is an address, [`begin`], taken when the thread starts, and every entry into JavaScript goes through
//! [`enter`] (or, at the bottom, [`anchor`]), which sets the engine's two numbers so that their difference is that
//! address again, whatever depth it is called from.
//!
//! The surface's own code gets [`RESERVE`] more than the module's ([`Room::Surface`]): a host operation that fails at
//! the very end of the stack still throws its own error, and a part of the surface that is first used there is still
//! evaluated whole. Below that the thread has [`NATIVE`] bytes for code that checks no limit: the parser's tables, regular
//! expressions, host operations. Held by `tests/it/stack.rs`.

use std::cell::Cell;

use rquickjs::{Ctx, qjs};

/// What the surface may use beyond the module's limit.
const RESERVE: usize = 256 << 10;
/// What native code may use beyond that. Address space, not memory: untouched pages do not exist.
const NATIVE: usize = 8 << 20;

thread_local! {
    static FLOOR: Cell<usize> = const { Cell::new(0) };
    static ROOM: Cell<Room> = const { Cell::new(Room::Module) };
}

/// Whose code is about to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Module,
    Surface,
}

/// How large the thread's stack has to be for JavaScript to have `javascript` bytes of it.
pub(crate) const fn thread_size(javascript: usize) -> usize {
    javascript + RESERVE + NATIVE
}

/// From here on this thread is a JavaScript thread whose code may use `javascript` bytes from the caller's frame on.
#[inline(never)]
pub(crate) fn begin(javascript: usize) {
    FLOOR.set(here().saturating_sub(javascript));
}

/// Put the limit where it belongs, after something else may have moved it.
pub(crate) fn anchor(ctx: &Ctx<'_>) {
    set(ctx, Room::Module);
}

/// Run what calls into JavaScript.
pub(crate) fn enter<R>(ctx: &Ctx<'_>, room: Room, body: impl FnOnce() -> R) -> R {
    let outer = ROOM.get();
    set(ctx, room);
    let result = body();
    set(ctx, outer);
    result
}

#[inline(never)]
fn set(ctx: &Ctx<'_>, room: Room) {
    ROOM.set(room);
    let floor = match room {
        Room::Module => FLOOR.get(),
        Room::Surface => FLOOR.get().saturating_sub(RESERVE),
    };
    // The engine subtracts with wrapping too, so this holds below the floor as well. 0 would mean "no limit".
    let size = here().wrapping_sub(floor).max(1);
    // SAFETY: the context is alive and entered on this thread; both functions only set numbers of its runtime.
    unsafe {
        let runtime = qjs::JS_GetRuntime(ctx.as_raw().as_ptr());
        qjs::JS_UpdateStackTop(runtime);
        qjs::JS_SetMaxStackSize(runtime, size as _);
    }
}

/// An address in the caller's part of the stack.
#[inline(always)]
fn here() -> usize {
    let mark = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&mark)).addr()
}
