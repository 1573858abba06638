//! What a listening socket is bound to.

use std::{fmt, net::IpAddr, sync::Arc};

use crate::{Transport, live::Live};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) transport: Transport,
    /// The namespace's inode number: a name may mean another one by now.
    pub(super) namespace: u64,
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

impl Place {
    /// One for each port of the forward.
    pub(super) fn of(live: &Arc<Live>) -> impl Iterator<Item = Self> {
        let listen = &live.forward.listen;
        let (transport, address) = (live.forward.transport, listen.address);
        let namespace = live.listen_in.inode();
        listen.ports.ports().map(move |port| Self { transport, namespace, address, port })
    }

    /// What only one of several addresses can have, if one of them is for all.
    pub(super) fn port(self) -> (Transport, u64, u16) {
        (self.transport, self.namespace, self.port)
    }

    /// Reads the text form.
    pub(super) fn read(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [transport, namespace, address, port] = fields.as_slice() else {
            return None;
        };
        let transport = match *transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return None,
        };
        let address = if *address == "*" { None } else { Some(address.parse().ok()?) };
        Some(Self {
            transport,
            namespace: namespace.parse().ok()?,
            address,
            port: port.parse().ok()?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.map_or("*".to_owned(), |address| address.to_string());
        write!(f, "{} {} {address} {}", self.transport, self.namespace, self.port)
    }
}
