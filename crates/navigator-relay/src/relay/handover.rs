//! Listening sockets from one process to its successor, over a unix socket: the sockets never close, so
//! no client is refused. Both may take connections for a moment; those that were taken stay where
//! they are until they end.
//!
//! Messages keep their bounds (`SEQPACKET`): some lines that describe listening places, with as many
//! descriptors; then `end`. The successor says `ready` once its set is in force, and the predecessor
//! `gone` once it has closed what the successor wants to open itself.

use std::{
    collections::HashMap,
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
    path::Path,
    time::Duration,
};

use nix::{
    cmsg_space,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, getsockopt, recvmsg, sendmsg,
        sockopt::PeerCredentials,
    },
};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{Relay, place::Place};

/// Descriptors per message; the kernel takes 253.
const PER_MESSAGE: usize = 200;

/// The other side has this long for each of its steps.
const PATIENCE: Duration = Duration::from_secs(30);

const END: &[u8] = b"end";

/// Waits for a successor.
pub struct HandoverListener(Socket);

impl AsFd for HandoverListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The line to a successor, or to a predecessor.
pub struct Handover(Socket);

impl HandoverListener {
    /// Waits at `path`, for this user only. Whatever is left there from a predecessor goes.
    ///
    /// # Errors
    /// The system's.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        socket.bind(&SockAddr::unix(path)?)?;
        let only_me = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        std::fs::set_permissions(path, only_me)?;
        socket.listen(1)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// The successor that has come.
    ///
    /// # Errors
    /// The system's; `WouldBlock` if there is none.
    pub fn accept(&self) -> io::Result<Handover> {
        let (socket, _) = self.0.accept()?;
        Handover::new(socket)
    }
}

impl Handover {
    /// Asks the predecessor at `path`; `None` if there is none.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(path: &Path) -> io::Result<Option<Self>> {
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        match socket.connect(&SockAddr::unix(path)?) {
            Ok(()) => Self::new(socket).map(Some),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// The process at the other end.
    ///
    /// # Errors
    /// The system's.
    pub fn peer_pid(&self) -> io::Result<i32> {
        Ok(getsockopt(&self.0, PeerCredentials)?.pid())
    }

    /// Says one word to the other side.
    ///
    /// # Errors
    /// The system's; the other side may have gone.
    pub fn say(&self, word: &str) -> io::Result<()> {
        self.0.send(word.as_bytes()).map(drop)
    }

    /// Waits until the other side has said this word.
    ///
    /// # Errors
    /// It says something else, has gone, or says nothing for 30 s.
    pub fn expect(&self, word: &str) -> io::Result<()> {
        let (said, _) = self.receive()?;
        if said == word.as_bytes() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn send(&self, lines: &str, descriptors: &[RawFd]) -> io::Result<()> {
        let rights = [ControlMessage::ScmRights(descriptors)];
        let bytes = [IoSlice::new(lines.as_bytes())];
        sendmsg::<()>(self.0.as_raw_fd(), &bytes, &rights, MsgFlags::empty(), None)?;
        Ok(())
    }

    #[allow(unsafe_code, reason = "descriptors that were received belong to nobody yet")]
    fn receive(&self) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let mut bytes = vec![0; PER_MESSAGE * 96];
        let mut space = cmsg_space!([RawFd; PER_MESSAGE]);
        let mut pieces = [IoSliceMut::new(&mut bytes)];
        let (fd, flags) = (self.0.as_raw_fd(), MsgFlags::MSG_CMSG_CLOEXEC);
        let message = recvmsg::<()>(fd, &mut pieces, Some(&mut space), flags)?;
        let mut descriptors = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(received) = control {
                // SAFETY: the kernel has just made these descriptors for this process; nobody else
                // knows their numbers.
                let owned = received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
                descriptors.extend(owned);
            }
        }
        let length = message.bytes;
        bytes.truncate(length);
        Ok((bytes, descriptors))
    }
}

impl Relay {
    /// Gives copies of all listening sockets to a successor.
    ///
    /// # Errors
    /// The successor has gone.
    pub fn hand_over(&self, to: &Handover) -> io::Result<()> {
        let all: Vec<_> = self.listeners.iter().collect();
        for some in all.chunks(PER_MESSAGE) {
            let lines: Vec<String> = some.iter().map(|(place, _)| place.to_string()).collect();
            let descriptors: Vec<RawFd> =
                some.iter().map(|(_, (listener, _))| listener.socket.as_raw_fd()).collect();
            to.send(&lines.join("\n"), &descriptors)?;
        }
        to.0.send(END).map(drop)
    }

    /// Takes a predecessor's listening sockets. The next [`Self::apply`] uses those that it wants and
    /// closes the others.
    ///
    /// # Errors
    /// The predecessor has gone.
    pub fn take_over(&mut self, from: &Handover) -> io::Result<()> {
        let mut inherited = HashMap::new();
        loop {
            let (bytes, descriptors) = from.receive()?;
            if bytes == END {
                self.inherited = inherited;
                return Ok(());
            }
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let places = text.lines().map(Place::read);
            for (place, descriptor) in places.zip(descriptors) {
                // A later version may listen on what this one does not know.
                if let Some(place) = place {
                    inherited.insert(place, Socket::from(descriptor));
                }
            }
        }
    }
}
