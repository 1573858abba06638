//! The kernel's errors in words that say what to do.

use std::io;

use nix::sys::resource::{Resource, getrlimit};

use super::in_use;
use crate::{Forward, live::Live, namespace::Namespace, transparent};

/// Why the forward cannot listen on this port.
pub(super) fn bind(live: &Live, port: u16, error: &io::Error) -> String {
    let listen = crate::ListenOn {
        ports: navigator_model::L4Port::new(port)
            .map_or(live.forward.listen.ports, navigator_model::L4PortRange::single),
        ..live.forward.listen.clone()
    };
    let reason = match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            let by = live.listen_in.run(|| in_use::holders(live.forward.transport, port));
            in_use::sentence(&by.unwrap_or_default())
        }
        Some(libc::EADDRNOTAVAIL) => "is not an address of this host".to_owned(),
        Some(libc::EACCES) => {
            "may not be used: low ports need the capability CAP_NET_BIND_SERVICE".to_owned()
        }
        Some(libc::EPERM) => {
            "cannot be had: entering a namespace needs the capability CAP_SYS_ADMIN".to_owned()
        }
        _ => format!("cannot be had: {error}"),
    };
    format!("forward.{}: listen: {listen} {reason}", live.name)
}

/// Whether connections may have their clients' addresses.
pub(super) fn transparent(
    name: &str,
    forward: &Forward,
    connect_in: &Namespace,
) -> Result<(), String> {
    let allowed = connect_in.run(|| transparent::is_allowed(forward.connect.address));
    allowed.and_then(|allowed| allowed).map_err(|error| {
        let reason = match error.raw_os_error() {
            Some(libc::EPERM) => "needs the capability CAP_NET_ADMIN".to_owned(),
            _ => error.to_string(),
        };
        format!("forward.{name}: transparent: {reason}")
    })
}

/// One line, however many of the ports were left without a descriptor.
pub(super) fn no_descriptors(ports: usize) -> String {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    format!(
        "{ports} listening ports need a descriptor each, and the limit is {limit}: raise LimitNOFILE= \
         of the unit, or `ulimit -n`"
    )
}
