//! A socket to the kernel's netfilter (NETLINK_NETFILTER), for nftables and conntrack alike.
//!
//! It belongs to the network namespace of the thread that opened it and works from any thread
//! afterwards. The kernel handles a request inside `send`, so when `send` returns, all answers to
//! a transaction are queued already.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::sys::{
    socket::{setsockopt, sockopt},
    time::{TimeVal, TimeValLike},
};

use super::wire::{Attributes, Messages, Received, Writer, number};

/// Room for a transaction of some 100,000 elements, and for as many error messages. A limit, not
/// an allocation.
const BUFFER_BYTES: usize = 64 << 20;
/// The kernel's dumps come in pieces of at most 32 KiB.
const READ_BYTES: usize = 64 << 10;
/// An answer that the kernel owes us and that does not come is an error, not a hanging agent.
const ANSWER_TIMEOUT_MS: i64 = 5_000;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP_INTERRUPTED: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_OFFSET: u16 = 2;

pub(crate) const NLM_F_REQUEST: u16 = 1;
pub(crate) const NLM_F_ACK: u16 = 4;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLM_F_CREATE: u16 = 0x400;

/// What can go wrong between us and the kernel.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error("cannot open a netfilter socket")]
    Open(#[source] io::Error),
    #[error("cannot send a request")]
    Send(#[source] io::Error),
    #[error("cannot receive the answer")]
    Receive(#[source] io::Error),
    #[error("the kernel refused")]
    Refused(#[source] io::Error),
}

impl ChannelError {
    /// Whether the kernel said that the object is not there.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Refused(error) if error.raw_os_error() == Some(libc::ENOENT))
    }
}

/// The kernel's word on one message of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    pub(crate) sequence: u32,
    /// Zero for success.
    pub(crate) errno: i32,
    /// Which attribute of the message was at fault, if the kernel says so.
    pub(crate) offset: Option<usize>,
}

/// Whether a dump saw one state of the kernel from start to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Dump {
    Consistent,
    Interrupted,
}

pub(crate) struct Channel {
    socket: Socket,
    port: u32,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Channel {
    /// Opens in the calling thread's network namespace.
    pub(crate) fn open() -> Result<Self, ChannelError> {
        let (socket, port) = open_socket().map_err(ChannelError::Open)?;
        Ok(Self { socket, port, sequence: 0, buffer: vec![0; READ_BYTES] })
    }

    /// The socket's netlink address; notifications of what we change carry it.
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    pub(crate) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Sends one request and hands every message of the answer to `each`, until the kernel says
    /// that it is done (a dump's end, or an acknowledgement).
    pub(crate) fn request(
        &mut self,
        message: &Writer,
        mut each: impl FnMut(&Received<'_>),
    ) -> Result<Dump, ChannelError> {
        self.discard_stale();
        self.send(message)?;
        let sequence = self.sequence;
        let mut dump = Dump::Consistent;
        loop {
            let length = self.receive(0).map_err(ChannelError::Receive)?;
            for message in Messages(&self.buffer[..length]) {
                if message.sequence != sequence {
                    continue;
                }
                if message.flags & NLM_F_DUMP_INTERRUPTED != 0 {
                    dump = Dump::Interrupted;
                }
                match message.kind {
                    NLMSG_DONE | NLMSG_ERROR => {
                        return finish(&message).map(|()| dump);
                    }
                    _ => each(&message),
                }
            }
        }
    }

    /// Sends messages and returns what the kernel answered to each that it answered.
    pub(crate) fn transact(&mut self, messages: &Writer) -> Result<Vec<Ack>, ChannelError> {
        self.discard_stale();
        self.send(messages)?;
        let mut acks = Vec::new();
        loop {
            match self.receive(libc::MSG_DONTWAIT) {
                Ok(length) => acks.extend(Messages(&self.buffer[..length]).filter_map(|m| ack(&m))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(acks),
                // Too many errors for the socket: those that we have are enough to go on.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(ChannelError::Receive(error)),
            }
        }
    }

    fn send(&self, message: &Writer) -> Result<(), ChannelError> {
        self.socket.send(message.bytes(), 0).map_err(ChannelError::Send)?;
        Ok(())
    }

    fn receive(&mut self, flags: i32) -> io::Result<usize> {
        loop {
            match self.socket.recv(&mut self.buffer.as_mut_slice(), flags) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(|length| length.min(READ_BYTES)),
            }
        }
    }

    /// Answers that an earlier, failed request left behind.
    fn discard_stale(&mut self) {
        while self.receive(libc::MSG_DONTWAIT).is_ok() {}
    }
}

fn open_socket() -> io::Result<(Socket, u32)> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    let port = socket.bind_auto()?.port_number();
    socket.connect(&SocketAddr::new(0, 0))?;
    // Errors without a copy of the request, but with the offset of the attribute at fault.
    socket.set_cap_ack(true)?;
    socket.set_ext_ack(true)?;
    setsockopt(&socket, sockopt::SndBufForce, &BUFFER_BYTES)?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_BYTES)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(ANSWER_TIMEOUT_MS))?;
    Ok((socket, port))
}

/// The end of an answer: a negative errno, or zero.
fn finish(message: &Received<'_>) -> Result<(), ChannelError> {
    match number(message.payload).cast_signed() {
        0 => Ok(()),
        errno => Err(ChannelError::Refused(io::Error::from_raw_os_error(-errno))),
    }
}

fn ack(message: &Received<'_>) -> Option<Ack> {
    if message.kind != NLMSG_ERROR {
        return None;
    }
    // Behind the errno stands the header of the refused message and, unless capped, all of it.
    let refused = message.payload.get(4..)?;
    let skip = if message.flags & NLM_F_CAPPED != 0 { 16 } else { number(refused) as usize };
    let offset = (message.flags & NLM_F_ACK_TLVS != 0)
        .then(|| Attributes(refused.get(skip..).unwrap_or_default()).find(NLMSGERR_ATTR_OFFSET))
        .flatten()
        .map(|value| number(value) as usize);
    let errno = -number(message.payload).cast_signed();
    Some(Ack { sequence: message.sequence, errno, offset })
}
