//! Waits until every packet that the kernel was handling has left the kernel's hands.

#![allow(unsafe_code)]

/// From `linux/membarrier.h`: returns after an RCU grace period. Packets are handled inside RCU
/// read sections, from the first hook to the one that puts their flow into the table.
const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;

pub(super) fn wait_for_packets_under_way() {
    // SAFETY: the call takes three numbers and touches no memory of ours.
    let failed = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if failed != 0 {
        // Not offered under `nohz_full`; a grace period seldom takes longer than this.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
