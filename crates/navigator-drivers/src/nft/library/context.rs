//! One libnftables context. Only ever used on the library's thread.

#![allow(unsafe_code)]

use std::{
    collections::BTreeSet,
    ffi::{CStr, CString, c_char, c_int, c_uint},
    fs, io,
    os::fd::RawFd,
    ptr::NonNull,
};

use nix::sys::socket::{NetlinkAddr, getsockname};

use crate::nft::{LIST, NamespaceInode, ports::OwnPorts};

const DEFAULT: u32 = 0;
const STATELESS: c_uint = 1 << 2;
const TERSE: c_uint = 1 << 11;

#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

#[link(name = "nftables")]
unsafe extern "C" {
    fn nft_ctx_new(flags: u32) -> *mut Opaque;
    fn nft_ctx_free(context: *mut Opaque);
    fn nft_ctx_output_set_flags(context: *mut Opaque, flags: c_uint);
    fn nft_ctx_buffer_output(context: *mut Opaque) -> c_int;
    fn nft_ctx_get_output_buffer(context: *mut Opaque) -> *const c_char;
    fn nft_ctx_buffer_error(context: *mut Opaque) -> c_int;
    fn nft_ctx_get_error_buffer(context: *mut Opaque) -> *const c_char;
    fn nft_run_cmd_from_buffer(context: *mut Opaque, commands: *const c_char) -> c_int;
}

/// Gives the calling thread a table of file descriptors of its own, with nothing in it but the three
/// standard ones.
pub(super) fn own_descriptors() -> io::Result<()> {
    const FIRST: c_uint = 3;
    // SAFETY: with CLOSE_RANGE_UNSHARE the calling thread gets its own table first, so no
    // descriptor of another thread is closed; this thread owns none yet.
    let failed =
        unsafe { libc::close_range(FIRST, c_uint::MAX, libc::CLOSE_RANGE_UNSHARE.cast_signed()) };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(super) struct Context {
    context: NonNull<Opaque>,
    /// Notifications of its changes carry its socket's address.
    _own: OwnPorts,
}

impl Context {
    /// In the calling thread's network namespace.
    pub(super) fn open() -> io::Result<Self> {
        let before = netfilter_sockets()?;
        // SAFETY: no preconditions; the library terminates the process if it cannot open its
        // socket, which the caller's own netfilter socket has ruled out.
        let context = unsafe { nft_ctx_new(DEFAULT) };
        let context = NonNull::new(context).ok_or_else(io::Error::last_os_error)?;
        let namespace = NamespaceInode::current()?;
        let mut opened = Self { context, _own: OwnPorts::register(namespace, Vec::new()) };
        // SAFETY: the context is valid until `drop`.
        let failed = unsafe {
            nft_ctx_output_set_flags(context.as_ptr(), STATELESS | TERSE);
            nft_ctx_buffer_output(context.as_ptr()) | nft_ctx_buffer_error(context.as_ptr())
        };
        if failed != 0 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // The kernel gives a socket its address when it sends for the first time.
        opened.run(LIST).map_err(io::Error::other)?;
        let after = netfilter_sockets()?;
        let ports = after.difference(&before).map(|(_, port)| *port).collect();
        opened._own = OwnPorts::register(namespace, ports);
        Ok(opened)
    }

    /// Runs `commands` as one transaction. What it prints, or its complaint.
    pub(super) fn run(&mut self, commands: &str) -> Result<String, String> {
        let commands = CString::new(commands).map_err(|error| error.to_string())?;
        // SAFETY: the context is valid until `drop`, the text is NUL-terminated and outlives the
        // call; no other thread calls the library.
        let failed = unsafe { nft_run_cmd_from_buffer(self.context.as_ptr(), commands.as_ptr()) };
        // SAFETY: both buffers were requested in `open`; each holds a NUL-terminated text, valid
        // until the next call on the context, and is copied before that. They are read both,
        // because reading is what empties them.
        let (output, error) = unsafe {
            (
                text(nft_ctx_get_output_buffer(self.context.as_ptr())),
                text(nft_ctx_get_error_buffer(self.context.as_ptr())),
            )
        };
        if failed == 0 { Ok(output) } else { Err(error) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `nft_ctx_new`, freed once, on the library's thread.
        unsafe { nft_ctx_free(self.context.as_ptr()) }
    }
}

/// # Safety
/// `pointer` is null or a NUL-terminated text that lives through the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// This thread's netfilter sockets, with their netlink addresses. The library does not tell its
/// socket; a notification can only be recognised as our own by that socket's address.
fn netfilter_sockets() -> io::Result<BTreeSet<(RawFd, u32)>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc/thread-self/fd")? {
        let name = entry?.file_name();
        let Some(fd) = name.to_str().and_then(|name| name.parse::<RawFd>().ok()) else { continue };
        if is_netfilter(fd)
            && let Ok(address) = getsockname::<NetlinkAddr>(fd)
        {
            found.insert((fd, address.pid()));
        }
    }
    Ok(found)
}

fn is_netfilter(fd: RawFd) -> bool {
    let option = |name| {
        let mut value: c_int = 0;
        let mut length = size_of::<c_int>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes, the size of `value`, and fails for a
        // descriptor that is no socket.
        let failed = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
        };
        (failed == 0).then_some(value)
    };
    option(libc::SO_DOMAIN) == Some(libc::AF_NETLINK)
        && option(libc::SO_PROTOCOL) == Some(libc::NETLINK_NETFILTER)
}
