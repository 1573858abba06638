//! Pipes for splice: bytes go from socket to socket without a copy through this process. A pipe is
//! held only while bytes are in it or about to be, so a thousand idle connections need none.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice},
    unistd::pipe2,
};

use crate::descriptors::{Held, Part};

/// Bytes a pipe takes, as asked of the kernel; less where an unprivileged user has many.
const CAPACITY: usize = 256 * 1024;

/// Pipes kept for the next ones.
const KEPT: usize = 64;

pub(crate) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    /// Bytes in it.
    held: usize,
    _descriptors: Held,
}

impl Pipe {
    fn new(descriptors: Held) -> io::Result<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        // A smaller pipe works too.
        let _ = fcntl(&write, FcntlArg::F_SETPIPE_SZ(CAPACITY as i32));
        Ok(Self { read, write, held: 0, _descriptors: descriptors })
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

pub(crate) struct PipePool {
    free: Vec<Pipe>,
    descriptors: Arc<Part>,
}

impl PipePool {
    /// `descriptors` are those of all pipes.
    pub(crate) fn new(descriptors: Arc<Part>) -> Self {
        Self { free: Vec::new(), descriptors }
    }

    /// `None` where descriptors are scarce: bytes are copied then.
    pub(crate) fn take(&mut self) -> Option<Pipe> {
        if let Some(pipe) = self.free.pop() {
            return Some(pipe);
        }
        Pipe::new(self.descriptors.take(2)?).ok()
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
