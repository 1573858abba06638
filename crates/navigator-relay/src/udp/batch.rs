//! Many datagrams per system call: `recvmmsg`, and within each message a train of datagrams of one size
//! (GRO) where the kernel makes them.
//!
//! Every pointer that the kernel is given points into a value that outlives the call, with the length
//! beside it.

#![allow(unsafe_code, reason = "the call has no safe form with trains")]

use std::{
    io,
    mem::{self, size_of},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, RawFd},
    ptr,
};

use socket2::Socket;

/// Messages per call.
pub(super) const MESSAGES: usize = 32;

/// The largest train, and the largest datagram.
pub(super) const LONGEST: usize = 65_536;

/// Room for an address and a size, with their headers; aligned by being `u64`s.
pub(super) const CONTROL: usize = 16;

pub(super) const SOL_UDP: libc::c_int = 17;
const UDP_GRO: libc::c_int = 104;

/// Datagrams received by one call.
pub(crate) struct Batch {
    bytes: Box<[u8]>,
    names: Box<[libc::sockaddr_storage; MESSAGES]>,
    controls: Box<[[u64; CONTROL]; MESSAGES]>,
    messages: Box<[libc::mmsghdr; MESSAGES]>,
}

// SAFETY: the pointers in `messages` are into its own boxes, or written anew before each call.
unsafe impl Send for Batch {}

/// One message: a datagram, or a train of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Train<'a> {
    pub(crate) bytes: &'a [u8],
    /// The size of each datagram, the last may be shorter; `None` is a single one.
    pub(crate) size: Option<u16>,
    /// Who sent it, or whom to send it to.
    pub(crate) peer: Option<SocketAddr>,
    /// Our own address: the one it came to, or the one to send it from.
    pub(crate) local: Option<IpAddr>,
}

impl Train<'_> {
    pub(crate) fn count(&self) -> usize {
        match self.size {
            Some(size) if size > 0 => self.bytes.len().div_ceil(usize::from(size)).max(1),
            _ => 1,
        }
    }
}

/// Asks for trains. A kernel that has none gives single datagrams.
pub(crate) fn receive_trains(socket: &Socket) {
    let _ = set_option(socket.as_raw_fd(), SOL_UDP, UDP_GRO);
}

/// Asks to be told to which of our addresses a datagram came.
pub(crate) fn receive_local(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    match address {
        SocketAddr::V4(_) => set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO),
        SocketAddr::V6(_) => set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    }
}

fn set_option(fd: RawFd, level: libc::c_int, name: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `on` lives over the call and `length` is its size.
    let result = unsafe { libc::setsockopt(fd, level, name, (&raw const on).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Batch {
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero bytes are a valid value of these C structures: numbers and null pointers.
        let (names, messages) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Self {
            bytes: vec![0; MESSAGES * LONGEST].into_boxed_slice(),
            names: Box::new(names),
            controls: Box::new([[0; CONTROL]; MESSAGES]),
            messages: Box::new(messages),
        }
    }

    /// Receives what is there, at most one call's worth. 0 is nothing.
    pub(crate) fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        let mut pieces: [libc::iovec; MESSAGES] =
            [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; MESSAGES];
        for (n, bytes) in self.bytes.chunks_exact_mut(LONGEST).enumerate() {
            pieces[n] = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: LONGEST };
            let header = &mut self.messages[n].msg_hdr;
            header.msg_name = (&raw mut self.names[n]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut pieces[n];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[n].as_mut_ptr().cast();
            header.msg_controllen = size_of::<[u64; CONTROL]>();
            header.msg_flags = 0;
        }
        let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
        let messages = self.messages.as_mut_ptr();
        // SAFETY: `messages` has MESSAGES entries; each points to a name, a piece and a control
        // buffer of `self` or of this frame, all with their sizes, none shared between entries.
        let count = unsafe {
            libc::recvmmsg(fd, messages, MESSAGES as libc::c_uint, flags as _, ptr::null_mut())
        };
        match usize::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                error => Err(error),
            },
        }
    }

    /// Message `n` of the last call; `n` is below what it returned.
    pub(crate) fn train(&self, n: usize) -> Train<'_> {
        let message = &self.messages[n];
        let start = n * LONGEST;
        let mut train = Train {
            bytes: &self.bytes[start..start + (message.msg_len as usize).min(LONGEST)],
            size: None,
            peer: address(&self.names[n]),
            local: None,
        };
        let header = &message.msg_hdr;
        // SAFETY: the kernel has filled `msg_control` up to `msg_controllen`; the macros stay within.
        let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
        // SAFETY: the macros return null or a whole header within the buffer.
        while let Some(found) = unsafe { control.as_ref() } {
            // SAFETY: as above; the data follows its header.
            let data = unsafe { libc::CMSG_DATA(control) };
            match (found.cmsg_level, found.cmsg_type) {
                (SOL_UDP, UDP_GRO) => {
                    // SAFETY: the kernel writes an int; unaligned reads are allowed here.
                    let size = unsafe { data.cast::<libc::c_int>().read_unaligned() };
                    train.size = u16::try_from(size).ok();
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    // SAFETY: the kernel writes an in_pktinfo.
                    let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                    train.local = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    // SAFETY: the kernel writes an in6_pktinfo.
                    let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                    train.local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                _ => {}
            }
            // SAFETY: `control` came from these macros over the same header.
            control = unsafe { libc::CMSG_NXTHDR(header, control) };
        }
        // A train of one is a datagram.
        train.size = train.size.filter(|size| usize::from(*size) < train.bytes.len());
        train
    }
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let name: *const libc::sockaddr_storage = name;
    // SAFETY: a sockaddr_storage is large enough and aligned for every family; the family says
    // which one the kernel wrote.
    unsafe {
        match i32::from((*name).ss_family) {
            libc::AF_INET => {
                let v4 = &*name.cast::<libc::sockaddr_in>();
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                let v6 = &*name.cast::<libc::sockaddr_in6>();
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}
