//! Memory that the process has no more use for.

/// Gives what is free back to the system. Reading a large file takes several times what is kept of it,
/// and an allocator would keep the difference: mimalloc, which is the program's, and the C library's own,
/// where the relay is a library of another program.
#[allow(unsafe_code, reason = "calls of the allocators without a safe form")]
pub(crate) fn give_back() {
    // SAFETY: takes no pointers, may be called by any thread, and touches only what is free.
    unsafe { libmimalloc_sys::mi_collect(true) };
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers, locks the allocator itself, and touches only what is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
