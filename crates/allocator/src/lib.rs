//! Parameters of the C library's allocator. On systems without glibc these functions do nothing.

#![warn(missing_docs)]

/// Lets threads share heaps. By default glibc makes a heap for each of the first many threads, and no other thread uses
/// what one has freed; a server whose requests run on threads of their own would hold the sum of their peaks. Call it
/// before the process has other threads.
pub fn share_heaps(heaps: u16) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: `mallopt` takes two integers and touches only the allocator's parameters, and no other thread runs yet.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, libc::c_int::from(heaps)) };
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = heaps;
}

/// glibc grows the heap of the first thread by what `malloc` lacks and this many bytes more, the others page by page.
pub fn grow_in_steps(bytes: u32) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        // SAFETY: as for `share_heaps`.
        unsafe { libc::mallopt(libc::M_TOP_PAD, bytes) };
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = bytes;
}

/// Returns free pages to the kernel, which the process would otherwise hold forever.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: glibc's own function, which may be called from any thread at any time.
        unsafe { libc::malloc_trim(0) };
    }
}
