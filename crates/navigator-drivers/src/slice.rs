//! When a thread has a processor, and how long before another one's turn (`sched_setattr(2)`; slices from Linux
//! 6.12 on: `sched_runtime` of a thread that is neither real-time nor deadline).
#![allow(unsafe_code, reason = "the calls have no safe form in a library")]

use std::{io, mem};

/// The shortest that the kernel gives.
const SHORT_NS: u64 = 100_000;

/// Of who gives way: a tenth of the processor that the usual thread gets beside it.
const PATIENT_NICE: i32 = 10;

/// Asks for short slices: who works for some tenths of a millisecond at a time gets a processor as soon as
/// there is something to do, also from those that keep one for milliseconds, and no more of it than they. An
/// older kernel takes no notice. What the thread starts has slices of the usual length again.
pub fn shorten() -> io::Result<()> {
    change(|attributes| {
        attributes.sched_runtime = SHORT_NS;
        attributes.sched_flags |= libc::SCHED_FLAG_RESET_ON_FORK as u64;
    })
}

/// Lets others have a processor first. It stays so for the thread, and for what it starts.
pub fn give_way() -> io::Result<()> {
    change(|attributes| attributes.sched_nice = attributes.sched_nice.max(PATIENT_NICE))
}

fn change(how: impl FnOnce(&mut libc::sched_attr)) -> io::Result<()> {
    let mut attributes = get()?;
    if attributes.sched_policy != libc::SCHED_OTHER as u32 {
        // Somebody has decided how this process is scheduled.
        return Ok(());
    }
    how(&mut attributes);
    // SAFETY: the kernel reads as many bytes as the structure says it has; thread 0 is this one.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Of this thread.
fn get() -> io::Result<libc::sched_attr> {
    let size = mem::size_of::<libc::sched_attr>() as u32;
    let mut attributes = libc::sched_attr {
        size,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel writes no more than the size that it is told.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if got < 0 { Err(io::Error::last_os_error()) } else { Ok(attributes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_short_slices_and_is_otherwise_scheduled_as_before() {
        let (before, after, of_next) = std::thread::spawn(|| {
            let before = get().unwrap();
            shorten().unwrap();
            let next = std::thread::spawn(|| get().unwrap()).join().unwrap();
            (before, get().unwrap(), next)
        })
        .join()
        .unwrap();
        let rest = |of: &libc::sched_attr| (of.sched_policy, of.sched_nice, of.sched_priority);
        assert_eq!(rest(&after), rest(&before));
        // A kernel that knows no slices tells none.
        let expected = if before.sched_runtime == 0 { 0 } else { SHORT_NS };
        assert_eq!(after.sched_runtime, expected);
        assert_eq!(of_next.sched_runtime, before.sched_runtime);
    }

    #[test]
    fn a_thread_that_gives_way_is_as_nice_or_nicer() {
        let scheduled = || {
            let before = get().unwrap().sched_nice;
            give_way().unwrap();
            (before, get().unwrap().sched_nice)
        };
        let (before, after) = std::thread::spawn(scheduled).join().unwrap();
        assert_eq!(after, before.max(PATIENT_NICE));
        assert_eq!(get().unwrap().sched_nice, before);
    }
}
