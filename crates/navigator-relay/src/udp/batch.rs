//! Many datagrams per system call: `recvmmsg` and `sendmmsg`, and within each message a train of
//! datagrams of one size (GRO on the way in, GSO on the way out) where the kernel makes them.
//!
//! The only `unsafe` of this crate. Every pointer that the kernel is given points into a value that
//! outlives the call, with the length beside it.

#![allow(unsafe_code, reason = "neither call has a safe form with trains")]

use std::{
    io,
    mem::{self, size_of},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, RawFd},
    ptr,
};

use socket2::{SockAddr, Socket};

/// Messages per call.
const MESSAGES: usize = 32;

/// The largest train, and the largest datagram.
const LONGEST: usize = 65_536;

/// Room for an address and a size, with their headers; aligned by being `u64`s.
const CONTROL: usize = 16;

const SOL_UDP: libc::c_int = 17;
const UDP_SEGMENT: libc::c_int = 103;
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

/// Sends the trains, in order. What the kernel has no room for is dropped, as on any wire. An error is
/// the first one that is not about room.
pub(crate) fn send(socket: &Socket, trains: &[Train<'_>]) -> io::Result<()> {
    for trains in trains.chunks(MESSAGES) {
        let mut rest = trains;
        while !rest.is_empty() {
            match send_some(socket, rest) {
                Ok(sent) => rest = &rest[sent.max(1)..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(()),
                // A train that the device does not take goes as single datagrams.
                Err(_) if rest[0].size.is_some() => {
                    send_apart(socket, rest[0])?;
                    rest = &rest[1..];
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn send_apart(socket: &Socket, train: Train<'_>) -> io::Result<()> {
    let size = usize::from(train.size.unwrap_or(u16::MAX)).max(1);
    let pieces: Vec<_> =
        train.bytes.chunks(size).map(|bytes| Train { bytes, size: None, ..train }).collect();
    send(socket, &pieces)
}

/// One call; how many messages went.
fn send_some(socket: &Socket, trains: &[Train<'_>]) -> io::Result<usize> {
    let mut pieces = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; MESSAGES];
    let mut names: [Option<SockAddr>; MESSAGES] = [const { None }; MESSAGES];
    let mut controls = [[0_u64; CONTROL]; MESSAGES];
    // SAFETY: all-zero bytes are a valid mmsghdr.
    let mut messages: [libc::mmsghdr; MESSAGES] = unsafe { mem::zeroed() };
    for (n, train) in trains.iter().enumerate() {
        pieces[n] = libc::iovec {
            iov_base: train.bytes.as_ptr().cast_mut().cast(),
            iov_len: train.bytes.len(),
        };
        let header = &mut messages[n].msg_hdr;
        header.msg_iov = &raw mut pieces[n];
        header.msg_iovlen = 1;
        names[n] = train.peer.map(SockAddr::from);
        if let Some(name) = &names[n] {
            header.msg_name = name.as_ptr().cast_mut().cast();
            header.msg_namelen = name.len();
        }
        write_control(header, &mut controls[n], train);
    }
    let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
    let count = trains.len().min(MESSAGES) as libc::c_uint;
    // SAFETY: the first `count` messages are filled; all they point to lives in this frame or in
    // `trains`, and the kernel only reads it.
    let sent = unsafe { libc::sendmmsg(fd, messages.as_mut_ptr(), count, flags as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// The train's size and its source address, as the kernel wants them.
fn write_control(header: &mut libc::msghdr, control: &mut [u64; CONTROL], train: &Train<'_>) {
    let mut writer = ControlWriter { control, used: 0 };
    if let Some(size) = train.size {
        writer.push(SOL_UDP, UDP_SEGMENT, &size);
    }
    match train.local {
        Some(IpAddr::V4(ip)) => {
            let spec = libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
            let none = libc::in_addr { s_addr: 0 };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: spec, ipi_addr: none };
            writer.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        Some(IpAddr::V6(ip)) => {
            let addr = libc::in6_addr { s6_addr: ip.octets() };
            let info = libc::in6_pktinfo { ipi6_addr: addr, ipi6_ifindex: 0 };
            writer.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        }
        None => {}
    }
    let used = writer.used;
    if used > 0 {
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = used;
    }
}

struct ControlWriter<'a> {
    control: &'a mut [u64; CONTROL],
    used: usize,
}

impl ControlWriter<'_> {
    /// Only for the two entries above, which fit: 24 and at most 40 bytes of 128.
    fn push<T: Copy>(&mut self, level: libc::c_int, kind: libc::c_int, value: &T) {
        let length = size_of::<T>() as libc::c_uint;
        // SAFETY: the macros only compute; the entry lies within `control`, which is asserted, and
        // is written unaligned.
        unsafe {
            let space = libc::CMSG_SPACE(length) as usize;
            assert!(self.used + space <= size_of::<[u64; CONTROL]>(), "control data fits");
            let entry = self.control.as_mut_ptr().cast::<u8>().add(self.used);
            let header = entry.cast::<libc::cmsghdr>();
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = libc::CMSG_LEN(length) as _;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(*value);
            self.used += space;
        }
    }
}
