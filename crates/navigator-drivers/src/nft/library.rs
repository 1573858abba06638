//! libnftables, the netfilter project's own library, in process: runs nft commands given as text
//! and lists tables as text. For whole rulesets; elements go by netlink.
//!
//! A context's socket is opened by `nft_ctx_new` in the network namespace of the calling thread
//! and stays there. The library has state of its own beside the contexts (its scanner, caches of
//! names), so every call in the process goes through one lock.

#![allow(unsafe_code)]

use std::{
    collections::BTreeSet,
    ffi::{CStr, CString, c_char, c_int, c_uint},
    fs, io,
    os::fd::RawFd,
    ptr::NonNull,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::sys::socket::{NetlinkAddr, getsockname};

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

/// Held during every call into the library.
static LIBRARY: Mutex<()> = Mutex::new(());

/// Held while this process opens a netfilter socket, so that a new one can be told from others.
static OPENING: Mutex<()> = Mutex::new(());

pub(crate) struct Opening {
    _guard: MutexGuard<'static, ()>,
}

impl Opening {
    pub(crate) fn begin() -> Self {
        Self { _guard: lock(&OPENING) }
    }
}

/// Neither lock guards data of ours: one that a panic poisoned is as good as any other.
fn lock(mutex: &'static Mutex<()>) -> MutexGuard<'static, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A libnftables context in one network namespace.
pub(crate) struct Library {
    context: NonNull<Opaque>,
    /// Netlink addresses of the context's socket: notifications of its changes carry them.
    ports: Vec<u32>,
}

// SAFETY: a context is not tied to a thread: it is plain memory and a socket. All use of it goes
// through `&mut Library` and, because of the library's own state, through `LIBRARY`.
unsafe impl Send for Library {}

impl Library {
    /// In the calling thread's network namespace.
    pub(crate) fn open(_opening: &Opening) -> io::Result<Self> {
        let before = netfilter_sockets()?;
        let guard = lock(&LIBRARY);
        // SAFETY: no preconditions; the library terminates the process if it cannot open its
        // socket, which the caller's own netfilter socket has ruled out.
        let context = unsafe { nft_ctx_new(DEFAULT) };
        let context = NonNull::new(context).ok_or_else(io::Error::last_os_error)?;
        let mut library = Self { context, ports: Vec::new() };
        // SAFETY: the context is valid until `drop`.
        let failed = unsafe {
            nft_ctx_output_set_flags(context.as_ptr(), STATELESS | TERSE);
            nft_ctx_buffer_output(context.as_ptr()) | nft_ctx_buffer_error(context.as_ptr())
        };
        drop(guard);
        if failed != 0 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // The kernel gives a socket its address when it sends for the first time.
        library.run(super::LIST).map_err(io::Error::other)?;
        let after = netfilter_sockets()?;
        library.ports = after.difference(&before).map(|(_, port)| *port).collect();
        Ok(library)
    }

    pub(crate) fn ports(&self) -> &[u32] {
        &self.ports
    }

    /// Runs `commands` as one transaction. What it prints, or its complaint.
    pub(crate) fn run(&mut self, commands: &str) -> Result<String, String> {
        let commands = CString::new(commands).map_err(|error| error.to_string())?;
        let _guard = lock(&LIBRARY);
        // SAFETY: the context is valid until `drop`, the text is NUL-terminated and outlives the
        // call; the library's state is ours while we hold the lock.
        let failed = unsafe { nft_run_cmd_from_buffer(self.context.as_ptr(), commands.as_ptr()) };
        // SAFETY: both buffers were requested in `open`; each holds a NUL-terminated text, valid
        // until the next call on the context, and is copied before the lock is released. They are
        // read both, because reading is what empties them.
        let (output, error) = unsafe {
            (
                text(nft_ctx_get_output_buffer(self.context.as_ptr())),
                text(nft_ctx_get_error_buffer(self.context.as_ptr())),
            )
        };
        if failed == 0 { Ok(output) } else { Err(error) }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _guard = lock(&LIBRARY);
        // SAFETY: made by `nft_ctx_new`, freed once.
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

/// This process's netfilter sockets, with their netlink addresses. The library does not tell its
/// socket; a notification can only be recognised as our own by that socket's address.
fn netfilter_sockets() -> io::Result<BTreeSet<(RawFd, u32)>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let Some(fd) = name.to_str().and_then(|name| name.parse::<RawFd>().ok()) else { continue };
        // If another thread closes it meanwhile, the questions fail or tell of a socket that
        // replaced it; neither does harm.
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
