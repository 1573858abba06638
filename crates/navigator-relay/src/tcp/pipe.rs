//! Pipes for splice: bytes go from socket to socket without a copy through this process. A pipe is
//! held only while bytes are in it or about to be, so a thousand idle connections need none.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice},
    unistd::pipe2,
};

/// Bytes a pipe takes, as asked of the kernel; less where an unprivileged user has many.
const CAPACITY: usize = 256 * 1024;

/// Pipes kept for the next ones.
const KEPT: usize = 64;

pub(crate) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    /// Bytes in it.
    held: usize,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        // A smaller pipe works too.
        let _ = fcntl(&write, FcntlArg::F_SETPIPE_SZ(CAPACITY as i32));
        Ok(Self { read, write, held: 0 })
    }

    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Fills an empty pipe from the socket. 0 is its end; `WouldBlock` means that it has nothing.
    pub(crate) fn fill(&mut self, from: &impl AsFd, most: usize) -> io::Result<usize> {
        debug_assert_eq!(self.held, 0, "with bytes inside, a full pipe looks like an empty socket");
        let moved = moved(from, &self.write, most.min(CAPACITY))?;
        self.held = moved;
        Ok(moved)
    }

    pub(crate) fn drain(&mut self, into: &impl AsFd) -> io::Result<usize> {
        let moved = moved(&self.read, into, self.held)?;
        self.held -= moved;
        Ok(moved)
    }
}

fn moved(from: &impl AsFd, into: &impl AsFd, most: usize) -> io::Result<usize> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    loop {
        match splice(from, None, into, None, most, flags) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

#[derive(Default)]
pub(crate) struct PipePool {
    free: Vec<Pipe>,
}

impl PipePool {
    pub(crate) fn take(&mut self) -> io::Result<Pipe> {
        self.free.pop().map_or_else(Pipe::new, Ok)
    }

    /// A pipe with bytes inside belongs to nobody else and is closed.
    pub(crate) fn give_back(&mut self, pipe: Pipe) {
        if pipe.held == 0 && self.free.len() < KEPT {
            self.free.push(pipe);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.free = Vec::new();
    }
}
