//! The heap of one runtime: an allocator that counts, and refuses beyond a limit.
//!
//! QuickJS can limit its heap itself, but then a failure does not show whether the limit caused it, and the
//! error path (building an `Error`, settling a promise) has no memory left to run in. So the limit sits here:
//!
//! * A single request that does not fit fails alone; JavaScript sees a catchable `out of memory`.
//! * When small requests no longer fit, the heap is `exhausted`: a reserve opens so that unwinding works, and the
//!   interrupt handler ends the running code, uncatchably.
//!
//! QuickJS-ng cuts small blocks out of arenas, so this allocator sees chunks and large blocks only; counting costs
//! nothing measurable. Held by `tests/it/limits.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rquickjs::allocator::{Allocator, RustAllocator};

/// A request of at least this size may fail alone, without the heap counting as exhausted.
const LARGE: usize = 1 << 20;
/// What opens once the heap is exhausted.
const RESERVE: usize = 8 << 20;
/// What QuickJS itself can ask for at most; anything above is a miscalculation and must not reach `Layout`.
const MAX_REQUEST: usize = 1 << 40;

#[derive(Debug)]
pub(crate) struct Heap {
    used: AtomicUsize,
    peak: AtomicUsize,
    limit: usize,
    exhausted: AtomicBool,
}

impl Heap {
    pub(crate) fn new(limit: usize) -> Arc<Heap> {
        Arc::new(Heap {
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            limit,
            exhausted: AtomicBool::new(false),
        })
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// Close the reserve again, for the calls that are still in flight.
    pub(crate) fn recover(&self) {
        self.exhausted.store(false, Ordering::Relaxed);
    }

    fn admits(&self, more: usize) -> bool {
        let wanted = self.used().saturating_add(more);
        if more > MAX_REQUEST {
            return false;
        }
        if wanted <= self.limit {
            return true;
        }
        if more < LARGE {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        more < LARGE && wanted <= self.limit.saturating_add(RESERVE)
    }

    fn grew(&self, by: usize) {
        let now = self.used.fetch_add(by, Ordering::Relaxed) + by;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    fn shrank(&self, by: usize) {
        self.used.fetch_sub(by, Ordering::Relaxed);
    }
}

pub(crate) struct Counting(pub(crate) Arc<Heap>);

// SAFETY: every block comes from and goes back to `RustAllocator`, which fulfils the contract of the trait; this type
// only decides to refuse (null, which the contract allows) and counts.
unsafe impl Allocator for Counting {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        if !self.0.admits(size) {
            return std::ptr::null_mut();
        }
        let block = RustAllocator.alloc(size);
        if !block.is_null() {
            // SAFETY: `block` was allocated by `RustAllocator` one line above.
            self.0.grew(unsafe { RustAllocator::usable_size(block) });
        }
        block
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        // `RustAllocator::calloc` panics on overflow; a panic must not cross the C frames above us.
        let Some(total) = count.checked_mul(size) else { return std::ptr::null_mut() };
        if !self.0.admits(total) {
            return std::ptr::null_mut();
        }
        let block = RustAllocator.calloc(count, size);
        if !block.is_null() {
            // SAFETY: `block` was allocated by `RustAllocator` one line above.
            self.0.grew(unsafe { RustAllocator::usable_size(block) });
        }
        block
    }

    unsafe fn dealloc(&mut self, ptr: *mut u8) {
        // SAFETY: the caller passes a block of this allocator, and all of those are `RustAllocator`'s.
        unsafe {
            self.0.shrank(RustAllocator::usable_size(ptr));
            RustAllocator.dealloc(ptr);
        }
    }

    unsafe fn realloc(&mut self, ptr: *mut u8, new_size: usize) -> *mut u8 {
        if ptr.is_null() {
            return self.alloc(new_size);
        }
        // SAFETY: the caller passes a block of this allocator, and all of those are `RustAllocator`'s. When its
        // realloc fails the old block stays valid, and stays counted.
        unsafe {
            let old = RustAllocator::usable_size(ptr);
            if new_size > old && !self.0.admits(new_size - old) {
                return std::ptr::null_mut();
            }
            let block = RustAllocator.realloc(ptr, new_size);
            if !block.is_null() {
                self.0.shrank(old);
                self.0.grew(RustAllocator::usable_size(block));
            }
            block
        }
    }

    unsafe fn usable_size(ptr: *mut u8) -> usize {
        // SAFETY: the caller passes a block of this allocator, and all of those are `RustAllocator`'s.
        unsafe { RustAllocator::usable_size(ptr) }
    }
}
