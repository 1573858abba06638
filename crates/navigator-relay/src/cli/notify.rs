//! Tells systemd how the service is (`Type=notify`). Without `NOTIFY_SOCKET`, tells nobody.

use std::{
    env,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

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
