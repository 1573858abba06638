//! One direction of a connection: bytes that have left one socket and not yet reached the other.
//!
//! Invariants: bytes are held in one place at a time, in `pending` or in `pipe`; nothing is read while
//! anything is held, so a side that does not read stops the other one; `readable` and `writable` are
//! false only after the kernel has said `WouldBlock` (or a short read), so each edge is waited for at
//! most once.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

use super::{
    Resources,
    pipe::{Pipe, PipePool},
};
use crate::live::Meter;

/// Bytes moved in one turn; then the others have theirs.
pub(super) const TURN: usize = 1024 * 1024;

/// A splice that brings less is dearer than a read and a write.
const WORTH_A_PIPE: usize = 16 * 1024;

#[derive(Default)]
pub(super) struct Direction {
    /// Read, not yet written: `pending[sent..]`.
    pub(super) pending: Vec<u8>,
    sent: usize,
    pipe: Option<Pipe>,
    /// The last read filled the whole buffer: splice the next.
    bulk: bool,
    /// What is held goes with what others send, at the end of the turn (`together.rs`).
    pub(super) gathered: bool,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The kernel has announced the end: a short read is no reason to wait.
    pub(super) ending: bool,
    /// The source has said all.
    pub(super) at_end: bool,
    /// Everything has reached the sink, and the sink knows the end.
    pub(super) finished: bool,
    pub(super) written: u64,
    writes: u32,
}

/// Where a turn ended.
pub(super) enum Turn {
    /// Until the worker has sent what is gathered.
    Gathers,
    /// Until the next event.
    Waits,
    /// There is more to do; the others first.
    Yields,
    /// Over its bandwidth until then.
    Throttled(Instant),
    /// All is written, and there will be no more.
    Ended,
}

/// Which end of the direction failed.
pub(super) enum Broken {
    Source,
    Sink,
}

impl Direction {
    /// Bytes to write before anything is read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    pub(super) fn held(&self) -> usize {
        self.pending.len() - self.sent + self.pipe.as_ref().map_or(0, Pipe::held)
    }

    /// Moves what can be moved.
    pub(super) fn run(
        &mut self,
        (source, sink): (&TcpStream, &TcpStream),
        resources: &mut Resources,
        meter: &Meter<'_>,
    ) -> Result<Turn, Broken> {
        let mut moved = 0;
        let turn = loop {
            if self.gathered {
                break Turn::Waits;
            }
            if self.held() > 0 {
                if !self.writable || !self.flush(sink).map_err(|_| Broken::Sink)? {
                    break Turn::Waits;
                }
                continue;
            }
            if self.at_end {
                break Turn::Ended;
            }
            if !self.readable {
                break Turn::Waits;
            }
            if moved >= TURN {
                break Turn::Yields;
            }
            if let Some(until) = meter.throttled_until() {
                break Turn::Throttled(until);
            }
            let read = self.take((source, sink), resources, meter)?;
            meter.count_read(read);
            moved += read;
            if self.gathered {
                break Turn::Gathers;
            }
        };
        if self.held() == 0 {
            self.release(&mut resources.pipes);
        }
        Ok(turn)
    }

    /// What a connection begins with: what is held, then `bytes`. False: the sink is not connected yet.
    pub(super) fn say_first(&mut self, sink: &TcpStream, bytes: &[u8]) -> io::Result<bool> {
        self.writable = true;
        if self.held() == 0 {
            self.write_or_keep(sink, bytes)?;
        } else {
            self.push(bytes);
            self.flush(sink)?;
        }
        if !self.writable {
            self.writes = 0;
        }
        Ok(self.writable)
    }

    /// What a connection begins with, at the end of the turn.
    pub(super) fn say_together(&mut self, bytes: &[u8]) {
        (self.writable, self.writes) = (true, 1);
        self.gather(bytes);
    }

    /// Keeps it for the end of the turn.
    fn gather(&mut self, bytes: &[u8]) {
        self.push(bytes);
        self.gathered = true;
    }

    /// What was gathered.
    pub(super) fn outgoing(&self) -> Option<&[u8]> {
        self.gathered.then(|| &self.pending[self.sent..])
    }

    /// How much of what was gathered the sink has taken.
    pub(super) fn sent(&mut self, result: io::Result<usize>) -> io::Result<()> {
        self.gathered = false;
        let taken = match result {
            Ok(n) => Some(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == ErrorKind::Interrupted => Some(0),
            Err(error) => return Err(error),
        };
        self.count_sent(taken);
        if self.written == 0 {
            self.writes = 0;
        }
        Ok(())
    }

    /// Whether there is something to do before the next event.
    pub(super) fn goes_on(&self) -> bool {
        self.held() > 0 || self.readable || self.at_end
    }

    fn count_sent(&mut self, taken: Option<usize>) {
        let Some(n) = taken else {
            self.writable = false;
            return;
        };
        self.sent += n;
        self.written += n as u64;
        if self.sent == self.pending.len() {
            (self.pending, self.sent) = (Vec::new(), 0);
        }
    }

    /// Writes what is held. False: the sink takes no more now.
    pub(super) fn flush(&mut self, sink: &TcpStream) -> io::Result<bool> {
        if let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.held() > 0) {
            match retry(|| pipe.drain(sink))? {
                Some(n) => self.written += n as u64,
                None => self.writable = false,
            }
            return Ok(self.writable);
        }
        self.push_out(sink)?;
        let rest = &self.pending[self.sent..];
        let taken = retry(|| (&*sink).write(rest))?;
        self.count_sent(taken);
        Ok(self.writable)
    }

    /// Nagle's algorithm never delays the first write of a connection; before the second one it is
    /// switched off. A connection of one request needs no call for it.
    pub(super) fn push_out(&mut self, sink: &TcpStream) -> io::Result<()> {
        self.writes = self.writes.saturating_add(1);
        if self.writes == 2 { sink.set_nodelay(true) } else { Ok(()) }
    }

    fn take(
        &mut self,
        (source, sink): (&TcpStream, &TcpStream),
        resources: &mut Resources,
        meter: &Meter<'_>,
    ) -> Result<usize, Broken> {
        if self.bulk && self.pipe.is_none() {
            // Without a descriptor for a pipe it goes on without one.
            self.pipe = resources.pipes.take();
        }
        match self.bulk {
            true if self.pipe.is_some() => self.take_by_pipe(source, meter),
            _ => self.take_by_copy((source, sink), resources, meter),
        }
    }

    fn take_by_pipe(&mut self, source: &TcpStream, meter: &Meter<'_>) -> Result<usize, Broken> {
        let Some(pipe) = self.pipe.as_mut() else {
            return Ok(0);
        };
        match retry(|| pipe.fill(source, meter.most(usize::MAX))).map_err(|_| Broken::Source)? {
            Some(0) => self.at_end = true,
            Some(n) => {
                self.bulk = n >= WORTH_A_PIPE;
                return Ok(n);
            }
            None => self.readable = false,
        }
        Ok(0)
    }

    fn take_by_copy(
        &mut self,
        (source, sink): (&TcpStream, &TcpStream),
        resources: &mut Resources,
        meter: &Meter<'_>,
    ) -> Result<usize, Broken> {
        let buffer = &mut resources.buffer;
        let most = meter.most(buffer.len());
        let read = retry(|| (&*source).read(&mut buffer[..most])).map_err(|_| Broken::Source)?;
        let Some(n) = read.filter(|n| *n > 0) else {
            self.at_end = read.is_some();
            self.readable = self.at_end;
            return Ok(0);
        };
        self.bulk = n == buffer.len();
        if n < most && !self.ending {
            // Whatever comes now is a new edge.
            self.readable = false;
        }
        if self.writable && resources.together.gathers(n) {
            self.push_out(sink).map_err(|_| Broken::Sink)?;
            self.gather(&buffer[..n]);
        } else {
            self.write_or_keep(sink, &buffer[..n]).map_err(|_| Broken::Sink)?;
        }
        Ok(n)
    }

    pub(super) fn write_or_keep(&mut self, sink: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        let mut written = 0;
        if self.writable {
            self.push_out(sink)?;
            match retry(|| (&*sink).write(bytes))? {
                Some(n) => written = n,
                None => self.writable = false,
            }
        }
        self.written += written as u64;
        self.pending.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    pub(super) fn release(&mut self, pipes: &mut PipePool) {
        if let Some(pipe) = self.pipe.take() {
            pipes.give_back(pipe);
        }
    }
}

/// `None` where the call would have to wait.
pub(super) fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(n) => return Ok(Some(n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
