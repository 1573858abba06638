//! Lets the kernel drop the notifications of a netlink socket that nobody wants, before they wake
//! anyone or fill the socket.

#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use std::os::fd::AsFd;

/// Classic BPF: load two bytes from an absolute offset, in network order.
const LOAD_HALF_ABSOLUTE: u16 = 0x28;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// Where `nlmsg_type` stands in `struct nlmsghdr`.
const KIND_OFFSET: u32 = 4;

/// Only datagrams whose first message is of this kind pass.
pub(super) fn only_kind(socket: &impl AsFd, kind: u16) -> io::Result<()> {
    let instruction = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        instruction(LOAD_HALF_ABSOLUTE, 0, 0, KIND_OFFSET),
        // The load reads network order, the header is in the host's.
        instruction(JUMP_IF_EQUAL, 0, 1, u32::from(kind.to_be())),
        instruction(RETURN, 0, 0, u32::MAX),
        instruction(RETURN, 0, 0, 0),
    ];
    attach(socket.as_fd(), &mut program)
}

fn attach(socket: BorrowedFd<'_>, program: &mut [libc::sock_filter; 4]) -> io::Result<()> {
    let program = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
    // SAFETY: the kernel copies `program` and the four instructions that it points to, all of which
    // live through the call; the length given is that of the structure.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
