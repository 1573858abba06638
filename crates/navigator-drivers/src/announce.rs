//! Gratuitous ARP: tells the neighbours of a device that an IPv4 address is here now.
//!
//! Sends from the calling thread's namespace and does not wait for anything.
#![allow(unsafe_code)]

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use navigator_model::MacAddress;

const BROADCAST: [u8; 6] = [0xff; 6];
const ARP: u16 = 0x0806;
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// Some systems learn from an unasked request, some from an unasked reply: both are sent.
pub(crate) fn announce(index: u32, from: MacAddress, address: Ipv4Addr) -> io::Result<()> {
    let socket = open()?;
    for operation in [REQUEST, REPLY] {
        send(&socket, index, &frame(operation, from, address))?;
    }
    Ok(())
}

/// RFC 5227 section 3 (request), RFC 826 (reply): sender and target address are the announced one.
fn frame(operation: u16, from: MacAddress, address: Ipv4Addr) -> [u8; 42] {
    let mut frame = [0; 42];
    let target = if operation == REQUEST { [0; 6] } else { from.0 };
    let parts: [&[u8]; 9] = [
        &BROADCAST,
        &from.0,
        &ARP.to_be_bytes(),
        // Ethernet, IPv4, and the lengths of their addresses.
        &[0, 1, 8, 0, 6, 4],
        &operation.to_be_bytes(),
        &from.0,
        &address.octets(),
        &target,
        &address.octets(),
    ];
    for (to, byte) in frame.iter_mut().zip(parts.concat()) {
        *to = byte;
    }
    frame
}

fn open() -> io::Result<OwnedFd> {
    // Protocol 0: this socket receives nothing.
    // SAFETY: socket(2) takes three integers and no memory.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor to us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn send(socket: &OwnedFd, index: u32, frame: &[u8]) -> io::Result<()> {
    let index = i32::try_from(index).map_err(io::Error::other)?;
    let to = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ARP.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
    };
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: pointer and length describe `frame`; the address is a whole sockaddr_ll.
    let sent = unsafe {
        let to = (&raw const to).cast::<libc::sockaddr>();
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            libc::MSG_DONTWAIT,
            to,
            length,
        )
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
