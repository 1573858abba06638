//! Sends on many sockets, and closes many, as one system call each (`io_uring`). What it is good for: whoever is
//! woken by a send takes the processor as soon as the call is over, and a call for each send lets itself be
//! interrupted that often.
//!
//! Invariants: nothing waits, since each send is told not to; every call returns only when the kernel is done
//! with all that it was given; what the kernel does not take here is done by the ordinary calls.

#![allow(unsafe_code, reason = "the kernel is handed pointers to what is borrowed")]

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd},
};

use io_uring::{IoUring, Probe, opcode, squeue, types::Fd};

const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// The most of a call.
const ENTRIES: usize = 256;

/// By default one without a kernel's.
#[derive(Default)]
pub(crate) struct Ring {
    /// None also once it has failed.
    uring: Option<IoUring>,
}

impl Ring {
    /// # Errors
    /// Kernels before 5.6 have none, and many an administrator or a container's rules forbid them.
    pub(crate) fn new() -> io::Result<Self> {
        let uring = IoUring::new(ENTRIES as u32)?;
        let mut probe = Probe::new();
        uring.submitter().register_probe(&mut probe)?;
        let has = |code| probe.is_supported(code);
        if !has(opcode::Send::CODE) || !has(opcode::Close::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self { uring: Some(uring) })
    }

    /// Whether it saves calls.
    pub(crate) fn works(&self) -> bool {
        self.uring.is_some()
    }

    /// What each took, in order.
    pub(crate) fn send(&mut self, sends: &[(BorrowedFd<'_>, &[u8])]) -> Vec<io::Result<usize>> {
        let entries = sends.iter().map(|(socket, bytes)| {
            opcode::Send::new(Fd(socket.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32)
                .flags(FLAGS)
                .build()
        });
        // SAFETY: sockets and bytes are borrowed until `run` has returned.
        let taken = unsafe { self.run(entries) };
        let result = |(taken, (socket, bytes)): (Option<i32>, &(BorrowedFd<'_>, &[u8]))| match taken
        {
            Some(n) => usize::try_from(n).map_err(|_| io::Error::from_raw_os_error(-n)),
            None => send(*socket, bytes),
        };
        taken.into_iter().zip(sends).map(result).collect()
    }

    pub(crate) fn close(&mut self, sockets: impl Iterator<Item = OwnedFd>) {
        let descriptors: Vec<RawFd> = sockets.map(OwnedFd::into_raw_fd).collect();
        let entries = descriptors.iter().map(|socket| opcode::Close::new(Fd(*socket)).build());
        // SAFETY: nobody else has these descriptors.
        let taken = unsafe { self.run(entries) };
        for (socket, taken) in descriptors.into_iter().zip(taken) {
            if taken.is_none() {
                // SAFETY: as above, and the kernel has not taken it.
                drop(unsafe { OwnedFd::from_raw_fd(socket) });
            }
        }
    }

    /// What the kernel says of each, in order. `None`: it has not taken it, and this ring is of no use any more.
    ///
    /// # Safety
    /// What the entries point to lives until this returns.
    unsafe fn run(&mut self, entries: impl Iterator<Item = squeue::Entry>) -> Vec<Option<i32>> {
        let numbered = entries.zip(0..).map(|(entry, number)| entry.user_data(number));
        let entries: Vec<squeue::Entry> = numbered.collect();
        let mut results = vec![None; entries.len()];
        for some in entries.chunks(ENTRIES) {
            let Some(uring) = self.uring.as_mut() else { break };
            // SAFETY: as the caller promises; all of them are waited for.
            let pushed = unsafe { uring.submission().push_multiple(some) };
            let done = pushed
                .map_err(io::Error::other)
                .and_then(|()| finish(uring, some.len(), &mut results));
            if let Err(error) = done {
                tracing::warn!(%error, "the kernel takes no batches any more");
                self.uring = None;
            }
        }
        results
    }
}

/// Until the kernel is done with as many as were pushed.
fn finish(uring: &mut IoUring, mut left: usize, results: &mut [Option<i32>]) -> io::Result<()> {
    while left > 0 {
        match uring.submit_and_wait(left) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for done in uring.completion() {
            results[done.user_data() as usize] = Some(done.result());
            left -= 1;
        }
    }
    Ok(())
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    socket2::SockRef::from(&socket).send_with_flags(bytes, FLAGS)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        net::{TcpListener, TcpStream},
        os::fd::AsFd as _,
    };

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    /// One of the kernel's, where there are any, and one whose kernel takes nothing any more.
    fn rings() -> impl Iterator<Item = Ring> {
        let kernels = Ring::new().inspect_err(|error| eprintln!("no io_uring here: {error}")).ok();
        kernels.into_iter().chain([Ring::default()])
    }

    #[test]
    fn each_send_has_its_own_result() {
        for mut ring in rings() {
            let ((a, mut other_a), (b, other_b), (c, _other_c)) = (pair(), pair(), pair());
            drop(other_b);
            // The first meets the end, and is told; the second meets that.
            let _ = send(b.as_fd(), b"x");
            std::thread::sleep(std::time::Duration::from_millis(20));
            c.set_nonblocking(true).unwrap();
            while send(c.as_fd(), &[0; 65536]).is_ok() {}
            let sends = [(a.as_fd(), &b"hello"[..]), (b.as_fd(), b"x"), (c.as_fd(), b"x")];
            let results = ring.send(&sends);
            let mut heard = [0; 5];
            other_a.read_exact(&mut heard).unwrap();
            assert_eq!((&heard, results[0].as_ref().unwrap()), (b"hello", &5));
            assert_eq!(results[1].as_ref().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(results[2].as_ref().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn what_is_closed_ends_for_the_other_side() {
        for mut ring in rings() {
            let pairs: Vec<_> = (0..ENTRIES + 1).map(|_| pair()).collect();
            let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            ring.close(ours.into_iter().map(OwnedFd::from));
            for mut socket in theirs {
                assert_eq!(socket.read(&mut [0]).unwrap(), 0);
            }
        }
    }
}
