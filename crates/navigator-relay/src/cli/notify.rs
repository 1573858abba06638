//! Tells systemd how the service is (`Type=notify`). Without `NOTIFY_SOCKET`, tells nobody.

use std::{
    env,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

/// That the configuration is read again; `READY=1` follows, whatever came of it. A supervisor that asked
/// for it knows by the time that this is the answer.
pub(super) fn tell_reloading() {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.as_micros()));
}

/// Lines as sd_notify(3) describes them: `READY=1`, `STATUS=…`.
pub(super) fn tell(lines: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET").and_then(|name| name.into_string().ok()) else {
        return;
    };
    let address = match name.strip_prefix('@') {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(&name),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(lines.as_bytes(), &address);
    }
}
