//! Memory of the system that stays where it is: linear memories of WebAssembly, which JavaScript sees as array buffers.
//!
//! An array buffer points into the mapping and keeps it; so does the machine whose memory it is. A memory grows inside of its
//! mapping, so a pointer stays valid whatever the machine does. Held by `tests/it/wasm.rs`.

use std::ffi::c_void;
use std::sync::Arc;

use rquickjs::{Ctx, Exception, Value, qjs};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Pages that the system provides when they are first written.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: the mapping is plain memory. Its only users are the machine and array buffers of one runtime, all of which run on
// that runtime's thread; other threads at most drop it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(crate) fn reserve(bytes: usize) -> std::io::Result<Mapping> {
        let bytes = bytes.max(1);
        let (rights, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: a new mapping at an address that the system chooses touches no memory that is in use.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, rights, flags) }?;
        Ok(Mapping { start: start.cast(), bytes })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of it, for a machine that is dropped before its last reference to the mapping.
    ///
    /// # Safety
    ///
    /// The caller keeps the mapping for as long as the slice is used, and takes one slice of it only.
    pub(crate) unsafe fn slice(&self) -> &'static mut [u8] {
        // SAFETY: the mapping has these bytes, readable, writable and zero; the lifetime is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `reserve` with this size, and its users keep it until they are done.
        let unmapped = unsafe { munmap(self.start.cast(), self.bytes) };
        marsh_types::ignore(unmapped, "an address range that the system gave can be given back");
    }
}

/// The first bytes of a mapping.
#[derive(Clone, Debug)]
pub struct MemoryView {
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) bytes: usize,
}

impl PartialEq for MemoryView {
    fn eq(&self, other: &MemoryView) -> bool {
        Arc::ptr_eq(&self.mapping, &other.mapping) && self.bytes == other.bytes
    }
}

/// What the engine calls to free (`size` 0) or to resize the bytes of an array buffer; they have one size.
unsafe extern "C" fn give_back(
    _: *mut qjs::JSRuntime,
    opaque: *mut c_void,
    _: *mut c_void,
    size: qjs::size_t,
) -> *mut c_void {
    if size == 0 {
        // SAFETY: `into_js` made this pointer from a box, and the engine frees an array buffer's bytes once.
        drop(unsafe { Box::from_raw(opaque.cast::<Arc<Mapping>>()) });
    }
    std::ptr::null_mut()
}

impl MemoryView {
    /// An `ArrayBuffer` over the memory itself.
    pub(crate) fn into_js<'js>(self, ctx: &Ctx<'js>) -> rquickjs::Result<Value<'js>> {
        let start = self.mapping.start;
        let opaque = Box::into_raw(Box::new(self.mapping)).cast::<c_void>();
        // SAFETY: the context is alive and entered; the bytes are mapped for as long as `opaque` holds the mapping, which
        // `give_back` drops when the engine lets go of them.
        unsafe {
            let made = qjs::JS_NewArrayBuffer(
                ctx.as_raw().as_ptr(),
                start,
                self.bytes as qjs::size_t,
                0,
                Some(give_back),
                opaque,
                false,
            );
            if qjs::JS_IsException(made) {
                drop(Box::from_raw(opaque.cast::<Arc<Mapping>>()));
                return Err(Exception::throw_internal(ctx, "no memory for an array buffer"));
            }
            Ok(Value::from_raw(ctx.clone(), made))
        }
    }
}
