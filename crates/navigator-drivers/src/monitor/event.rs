//! Reads the kernel's notifications and turns them into hints.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

use navigator_state::Namespace;
use netlink_sys::{
    Socket,
    protocols::{NETLINK_NETFILTER, NETLINK_ROUTE},
};
use nix::{
    errno::Errno,
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        socket::{setsockopt, sockopt},
    },
};

use super::{Foreign, MonitorError, filter, watcher::Source};
use crate::nft::{self, Messages, NEW_GENERATION, NamespaceInode, Received};

pub(super) type Notify = Box<dyn Fn(&Namespace, Foreign) + Send>;

const BUFFER_BYTES: usize = 1 << 20;
const READ_BYTES: usize = 64 << 10;

/// RTNLGRP_*: links, IPv4 addresses, routes and rules, IPv6 addresses, routes and rules, and both
/// families' sysctls.
const ROUTE_GROUPS: [u32; 9] = [1, 5, 7, 8, 9, 11, 19, 24, 25];
/// Not in `libc`.
const RTM_NEWNETCONF: u16 = 80;
const NFTABLES_GROUP: u32 = 7;

const LINK_HEADER: usize = 16;
const LINK_NAME: u16 = 3;

/// The sockets of one namespace.
pub(super) struct Sockets {
    namespace: Namespace,
    inode: NamespaceInode,
    route: Socket,
    nftables: Socket,
    buffer: Vec<u8>,
    notify: Notify,
}

impl Sockets {
    pub(super) fn open(namespace: Namespace, notify: Notify) -> Result<Self, MonitorError> {
        let failed = |what| move |source| MonitorError::Socket { what, source };
        let inode = NamespaceInode::current().map_err(failed("namespace"))?;
        let route = subscribe(NETLINK_ROUTE, &ROUTE_GROUPS).map_err(failed("devices"))?;
        let nftables =
            { subscribe(NETLINK_NETFILTER, &[NFTABLES_GROUP]).map_err(failed("nftables"))? };
        // A transaction's end is all we need; without this, a transaction of 50,000 elements would
        // overrun the socket.
        filter::only_kind(&nftables, NEW_GENERATION).map_err(failed("nftables"))?;
        let buffer = vec![0; READ_BYTES];
        Ok(Self { namespace, inode, route, nftables, buffer, notify })
    }
}

fn subscribe(protocol: isize, groups: &[u32]) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.set_non_blocking(true)?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_BYTES)?;
    socket.bind_auto()?;
    for group in groups {
        socket.add_membership(*group)?;
    }
    Ok(socket)
}

impl Source for Sockets {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.route.as_fd(), self.nftables.as_fd()]
    }

    fn read(&mut self) {
        let inode = self.inode;
        let mut seen = drain(&self.route, &mut self.buffer, route_event);
        seen.append(&mut drain(&self.nftables, &mut self.buffer, |message| {
            let foreign = message.kind == NEW_GENERATION && !nft::is_own(inode, message.port);
            foreign.then_some(Foreign::Nft)
        }));
        if seen.contains(&Foreign::Everything) {
            (self.notify)(&self.namespace, Foreign::Everything);
            return;
        }
        for event in seen {
            (self.notify)(&self.namespace, event);
        }
    }
}

fn drain(
    socket: &Socket,
    buffer: &mut [u8],
    event: impl Fn(&Received<'_>) -> Option<Foreign>,
) -> BTreeSet<Foreign> {
    let mut seen = BTreeSet::new();
    loop {
        match socket.recv(&mut &mut *buffer, 0) {
            Ok(length) => {
                let read = buffer.get(..length).unwrap_or_default();
                seen.extend(Messages(read).filter_map(|message| event(&message)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return seen,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The kernel had more to tell than the socket could hold.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                seen.insert(Foreign::Everything);
            }
            Err(error) => {
                tracing::error!(%error, "a monitor cannot read its socket");
                seen.insert(Foreign::Everything);
                return seen;
            }
        }
    }
}

fn route_event(message: &Received<'_>) -> Option<Foreign> {
    match message.kind {
        libc::RTM_NEWLINK | libc::RTM_DELLINK => {
            let name = message.attributes_after(LINK_HEADER).text(LINK_NAME)?;
            Some(Foreign::Link { name: name.to_owned() })
        }
        libc::RTM_NEWADDR | libc::RTM_DELADDR => Some(Foreign::Address),
        libc::RTM_NEWROUTE | libc::RTM_DELROUTE => Some(Foreign::Route),
        libc::RTM_NEWRULE | libc::RTM_DELRULE => Some(Foreign::Rule),
        RTM_NEWNETCONF => Some(Foreign::Sysctl),
        _ => None,
    }
}

/// A directory of named namespaces.
pub(super) struct Directory {
    inotify: Inotify,
    notify: Notify,
}

impl Directory {
    pub(super) fn open(path: &Path, notify: Notify) -> Result<Self, MonitorError> {
        let failed = |errno: Errno| MonitorError::Directory {
            path: path.display().to_string(),
            source: errno.into(),
        };
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let inotify = Inotify::init(flags).map_err(failed)?;
        let names = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_ONLYDIR;
        inotify.add_watch(path, names).map_err(failed)?;
        Ok(Self { inotify, notify })
    }
}

impl Source for Directory {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.inotify.as_fd()]
    }

    fn read(&mut self) {
        let mut names = BTreeSet::new();
        let mut lost = false;
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                lost |= event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                names.extend(event.name.and_then(|name| name.into_string().ok()));
            }
        }
        if lost {
            (self.notify)(&Namespace::Host, Foreign::Everything);
        }
        for name in names {
            let namespace = Namespace::Named(name.clone());
            (self.notify)(&namespace, Foreign::Namespace { name });
        }
    }
}
