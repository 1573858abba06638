//! Many datagrams per system call on the way out: `sendmmsg`, and within each message a train (GSO). One
//! that came as a train goes as one, and so do single ones of one size that follow each other: they pass
//! the network stack once. What arrives is the same datagrams in the same order.
//!
//! Every pointer that the kernel is given points into a value that outlives the call, with the length
//! beside it.

#![allow(unsafe_code, reason = "the call has no safe form with trains")]

use std::{
    io,
    mem::{self, size_of},
    net::IpAddr,
    os::fd::AsRawFd,
    ptr,
};

use socket2::{SockAddr, Socket};

use super::batch::{CONTROL, LONGEST, MESSAGES, SOL_UDP, Train};

const UDP_SEGMENT: libc::c_int = 103;

/// How many of these, from the first one on, go as one message.
type Coupling = fn(&[Train<'_>]) -> usize;

fn alone(_: &[Train<'_>]) -> usize {
    1
}

/// Datagrams of one size to the same place pass the network stack as one train; the last may be shorter.
fn together(trains: &[Train<'_>]) -> usize {
    /// What a link takes without fragments, mostly: a train has none.
    const LARGEST: usize = 1452;
    /// What a kernel takes as one.
    const MOST: usize = 64;
    let (first, size) = (trains[0], trains[0].bytes.len());
    if first.size.is_some() || size == 0 || size > LARGEST {
        return 1;
    }
    let follows = |train: &&Train<'_>| {
        let length = train.bytes.len();
        let is_single = train.size.is_none() && length > 0 && length <= size;
        is_single && (train.peer, train.local) == (first.peer, first.local)
    };
    let most = MOST.min((LONGEST - 512) / size);
    let alike = trains.iter().take(most).take_while(follows);
    let full = alike.clone().take_while(|train| train.bytes.len() == size).count();
    (full + 1).min(alike.count())
}

/// Sends the trains, in order. What the kernel has no room for is dropped, as on any wire. An error is
/// the first one that is not about room.
pub(crate) fn send(socket: &Socket, trains: &[Train<'_>]) -> io::Result<()> {
    send_coupled(socket, trains, together)
}

fn send_coupled(socket: &Socket, trains: &[Train<'_>], coupling: Coupling) -> io::Result<()> {
    for trains in trains.chunks(MESSAGES) {
        let mut rest = trains;
        while !rest.is_empty() {
            match send_some(socket, rest, coupling) {
                Ok(sent) => rest = &rest[sent.max(1)..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(()),
                Err(error) => {
                    let first = &rest[..coupling(rest)];
                    let is_train = first.len() > 1 || first[0].size.is_some();
                    if !is_train || !is_about_trains(&error) {
                        return Err(error);
                    }
                    send_apart(socket, first)?;
                    rest = &rest[first.len()..];
                }
            }
        }
    }
    Ok(())
}

/// What is said of a train that the path or the device does not take. Anything else is about the target.
fn is_about_trains(error: &io::Error) -> bool {
    let about = [libc::EINVAL, libc::EIO, libc::EMSGSIZE, libc::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|number| about.contains(&number))
}

/// As single datagrams.
fn send_apart(socket: &Socket, trains: &[Train<'_>]) -> io::Result<()> {
    let mut pieces = Vec::new();
    for train in trains {
        let size = usize::from(train.size.unwrap_or(u16::MAX)).max(1);
        let single = |bytes| Train { bytes, size: None, ..*train };
        pieces.extend(train.bytes.chunks(size).map(single));
    }
    send_coupled(socket, &pieces, alone)
}

/// One call; how many trains went. There are at most [`MESSAGES`].
fn send_some(socket: &Socket, trains: &[Train<'_>], coupling: Coupling) -> io::Result<usize> {
    let mut pieces = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; MESSAGES];
    let mut names: [Option<SockAddr>; MESSAGES] = [const { None }; MESSAGES];
    let mut controls = [[0_u64; CONTROL]; MESSAGES];
    // SAFETY: all-zero bytes are a valid mmsghdr.
    let mut messages: [libc::mmsghdr; MESSAGES] = unsafe { mem::zeroed() };
    for (piece, train) in pieces.iter_mut().zip(trains) {
        let (iov_base, iov_len) = (train.bytes.as_ptr().cast_mut().cast(), train.bytes.len());
        *piece = libc::iovec { iov_base, iov_len };
    }
    let (mut count, mut ends, mut rest) = (0, [0; MESSAGES], &mut pieces[..trains.len()]);
    let mut start = 0;
    while start < trains.len() {
        let coupled = coupling(&trains[start..]);
        let (own, others) = rest.split_at_mut(coupled);
        let header = &mut messages[count].msg_hdr;
        (header.msg_iov, header.msg_iovlen) = (own.as_mut_ptr(), coupled);
        let mut train = trains[start];
        if coupled > 1 {
            train.size = u16::try_from(train.bytes.len()).ok();
        }
        names[count] = train.peer.map(SockAddr::from);
        if let Some(name) = &names[count] {
            header.msg_name = name.as_ptr().cast_mut().cast();
            header.msg_namelen = name.len();
        }
        write_control(header, &mut controls[count], &train);
        (start, rest) = (start + coupled, others);
        ends[count] = start;
        count += 1;
    }
    let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
    // SAFETY: the first `count` messages are filled; all they point to lives in this frame or in
    // `trains`, no two share a piece, and the kernel only reads it.
    let sent =
        unsafe { libc::sendmmsg(fd, messages.as_mut_ptr(), count as libc::c_uint, flags as _) };
    match usize::try_from(sent) {
        Ok(0) => Ok(0),
        Ok(sent) => Ok(ends[sent - 1]),
        Err(_) => Err(io::Error::last_os_error()),
    }
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

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn singles<'a>(pieces: &[&'a [u8]]) -> Vec<Train<'a>> {
        pieces.iter().map(|bytes| Train { bytes, size: None, peer: None, local: None }).collect()
    }

    #[test]
    fn datagrams_of_one_size_go_together_and_a_shorter_one_is_the_last() {
        let (full, short, long) = ([1; 200], [2; 100], [3; 300]);
        let (full, short, long) = (&full[..], &short[..], &long[..]);
        let coupled = |pieces: &[&[u8]]| together(&singles(pieces));
        assert_eq!(coupled(&[full]), 1);
        assert_eq!(coupled(&[full, full, full]), 3);
        assert_eq!(coupled(&[full, full, short, short]), 3);
        assert_eq!(coupled(&[full, full, short, full]), 3);
        assert_eq!(coupled(&[full, long, full]), 1);
        assert_eq!(coupled(&[full, full, b""]), 2);
        assert_eq!(coupled(&[b"", b"", b""]), 1);
        assert_eq!(coupled(&[&[0; 1453], &[0; 1453]]), 1, "a fragmented one is no train's");
        let mut trains = singles(&[full, full]);
        trains[1].peer = Some(([127, 0, 0, 1], 1).into());
        assert_eq!(together(&trains), 1, "to others");
    }

    #[test]
    fn what_arrives_is_what_was_sent_in_its_order() {
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        from.connect(to.local_addr().unwrap()).unwrap();
        let sizes = [7, 7, 7, 3, 7, 0, 0, 1452, 1452, 9, 1453, 1453, 5000, 5000, 4, 4];
        let bytes: Vec<Vec<u8>> = (0_u8..).zip(sizes).map(|(n, size)| vec![n; size]).collect();
        let pieces: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        send(&Socket::from(from), &singles(&pieces)).unwrap();
        let mut buffer = [0; 8192];
        for piece in pieces {
            let length = to.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], piece);
        }
    }

    #[test]
    fn that_nobody_is_there_is_not_taken_for_a_train_that_does_not_fit() {
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        from.connect(gone).unwrap();
        from.send(b"hello").unwrap();
        let error = send(&Socket::from(from), &singles(&[b"again", b"again"])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
