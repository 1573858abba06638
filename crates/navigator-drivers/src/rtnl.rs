//! Route netlink, blocking: one socket, bound to the namespace of the thread that opened it, wherever
//! it is used afterwards. Requests are acknowledged; dumps are read to their end.
//!
//! Knows nothing of scopes and names of namespaces.

mod address;
mod fdb;
#[cfg(test)]
mod fuzz;
mod link;
mod route;

use std::{fmt, io};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer,
    NetlinkMessage, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

pub(crate) use link::{Device, NewKind, NewLink, Peer};
pub(crate) use route::{Existing, KernelRoute};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLMSGERR_ATTR_MSG`: why the kernel refused, in words.
const REASON: u16 = 1;
/// The kernel fills at most 32 KiB of one read of a dump.
const READ_BYTES: usize = 64 * 1024;
/// A dump during which something changed is inconsistent and starts again.
const DUMP_ATTEMPTS: usize = 10;

/// The kernel's answer to a request, or the failure to ask.
#[derive(Debug)]
pub struct RtnlError {
    source: io::Error,
    /// The kernel's extended acknowledgement.
    reason: Option<String>,
}

impl fmt::Display for RtnlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{reason} ({})", self.source),
            None => self.source.fmt(f),
        }
    }
}

impl std::error::Error for RtnlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<io::Error> for RtnlError {
    fn from(source: io::Error) -> Self {
        Self { source, reason: None }
    }
}

impl RtnlError {
    pub(crate) fn is(&self, errno: i32) -> bool {
        self.source.raw_os_error() == Some(errno)
    }

    fn malformed(what: &str) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, what.to_owned()).into()
    }
}

/// What a request answered with these errors wanted is already so.
pub(crate) fn tolerate(result: Result<(), RtnlError>, errnos: &[i32]) -> Result<(), RtnlError> {
    match result {
        Err(error) if errnos.iter().any(|e| error.is(*e)) => Ok(()),
        other => other,
    }
}

#[derive(Debug)]
pub(crate) struct Rtnl {
    socket: Socket,
    sequence: u32,
}

impl Rtnl {
    /// In the calling thread's namespace.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        // Lets dumps be filtered by the kernel.
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Self { socket, sequence: 0 })
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        buffer.reserve(READ_BYTES);
        let length = self.socket.recv(buffer, libc::MSG_TRUNC)?;
        if length > buffer.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "answer longer than the buffer",
            ));
        }
        Ok(())
    }

    /// Asks for a change and waits for the acknowledgement.
    fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), RtnlError> {
        self.ask(message, flags | NLM_F_ACK, &mut |_| ()).map(drop)
    }

    /// Reads everything that answers: `each` gets every message's payload, with a state that is
    /// `new` at each attempt.
    fn dump<S>(
        &mut self,
        message: &RouteNetlinkMessage,
        new: impl Fn() -> S,
        each: impl Fn(&mut S, &[u8]),
    ) -> Result<S, RtnlError> {
        for _ in 0..DUMP_ATTEMPTS {
            let mut state = new();
            let whole = self.ask(message.clone(), NLM_F_DUMP, &mut |p| each(&mut state, p))?;
            if whole == Dump::Whole {
                return Ok(state);
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "the dump kept being interrupted").into())
    }

    fn ask(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<Dump, RtnlError> {
        self.send(message, flags)?;
        let mut outcome = Dump::Whole;
        // Not kept: there is a socket for every namespace.
        let mut buffer = Vec::new();
        loop {
            self.receive(&mut buffer)?;
            let mut rest = buffer.as_slice();
            while !rest.is_empty() {
                let message = NetlinkBuffer::new_checked(rest)
                    .map_err(|_| RtnlError::malformed("short netlink message"))?;
                let length = message.length() as usize;
                let read = rest;
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                // An answer to a request that was given up.
                if message.sequence_number() != self.sequence {
                    continue;
                }
                if message.flags() & NLM_F_DUMP_INTR != 0 && flags & NLM_F_DUMP == NLM_F_DUMP {
                    outcome = Dump::Interrupted;
                }
                let payload = read.get(16..length).unwrap_or_default();
                match message.message_type() {
                    NLMSG_DONE | NLMSG_ERROR => {
                        let tlvs = message.flags() & NLM_F_ACK_TLVS != 0;
                        let at = if message.message_type() == NLMSG_DONE { 4 } else { 20 };
                        let tlvs = tlvs.then(|| payload.get(at..)).flatten();
                        return acknowledged(payload, tlvs).map(|()| outcome);
                    }
                    _ => each(payload),
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dump {
    Whole,
    Interrupted,
}

fn acknowledged(payload: &[u8], tlvs: Option<&[u8]>) -> Result<(), RtnlError> {
    let code = payload.first_chunk().map_or(0, |b| i32::from_ne_bytes(*b));
    if code == 0 {
        return Ok(());
    }
    let reason = tlvs.and_then(|bytes| {
        let attribute = NlasIterator::new(bytes).flatten().find(|a| a.kind() == REASON)?;
        let text = String::from_utf8_lossy(attribute.value());
        Some(text.trim_end_matches('\0').to_owned())
    });
    Err(RtnlError { source: io::Error::from_raw_os_error(-code), reason })
}
