//! Memory that the process has no more use for.

/// Gives what is free back to the system. Reading a large file takes several times what is kept of it,
/// and the allocator would keep the difference for ever.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "a call of the C library without a safe form")]
pub(crate) fn give_back() {
    // SAFETY: takes no pointers, locks the allocator itself, and touches only what is free.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back() {}
