//! What the compute service hears of its servers' ports, derived from rows as they were and as they
//! will be. The names are the compute API's (`os-server-external-events`).

use crate::row::Row;

/// A port of a server works, or failed to.
pub const PLUGGED: &str = "network-vif-plugged";
/// A port of a server no longer works.
pub const UNPLUGGED: &str = "network-vif-unplugged";
/// What the compute service remembers of a server's network is out of date.
pub const CHANGED: &str = "network-changed";
/// A port of a server is gone.
pub const DELETED: &str = "network-vif-deleted";

const COMPLETED: &str = "completed";
const FAILED: &str = "failed";

/// One line of `POST /os-server-external-events`; the port is its `tag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEvent {
    pub name: &'static str,
    pub status: &'static str,
    pub server_id: String,
    pub port_id: String,
}

/// What a change means for servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Event(ServerEvent),
    /// [`CHANGED`] for the server that has this port, if one has it.
    Changed {
        port_id: String,
    },
}

/// What it means that a row becomes another. `None`: there is, or will be, no such row.
pub type Notices = fn(before: Option<&Row>, after: Option<&Row>) -> Vec<Notice>;

/// The server that a port belongs to. Other services' ports are none of the compute service's.
pub fn server_of<'a>(device_owner: &str, device_id: &'a str) -> Option<&'a str> {
    let is_server =
        device_owner.starts_with("compute:") && uuid::Uuid::parse_str(device_id).is_ok();
    is_server.then_some(device_id)
}

fn event(name: &'static str, status: &'static str, server_id: &str, port_id: &str) -> ServerEvent {
    ServerEvent { name, status, server_id: server_id.to_owned(), port_id: port_id.to_owned() }
}

/// The event of a port's new status.
pub fn status_changed(
    before: &str,
    after: &str,
    server_id: &str,
    port_id: &str,
) -> Option<ServerEvent> {
    let (name, status) = match (before, after) {
        ("DOWN" | "BUILD", "ACTIVE") => (PLUGGED, COMPLETED),
        ("DOWN" | "BUILD", "ERROR") => (PLUGGED, FAILED),
        ("ACTIVE", "DOWN") => (UNPLUGGED, COMPLETED),
        _ => return None,
    };
    Some(event(name, status, server_id, port_id))
}

/// While it still runs elsewhere, a server's device is in its place where it goes to.
pub fn plugged_ahead(server_id: &str, port_id: &str) -> ServerEvent {
    event(PLUGGED, COMPLETED, server_id, port_id)
}

/// [`CHANGED`] for a known server.
pub fn changed(server_id: &str, port_id: &str) -> ServerEvent {
    event(CHANGED, COMPLETED, server_id, port_id)
}

/// Whether a row says something else than before, apart from these columns.
fn differs(before: &Row, after: &Row, apart_from: &[&str]) -> bool {
    let mut said = after.iter().filter(|(column, _)| !apart_from.contains(column));
    said.any(|(column, value)| before.find(column).is_some_and(|known| known != value))
}

/// Bookkeeping, and what has events of its own.
const QUIET: &[&str] = &["status", "status_reason", "revision_number", "updated_at"];

/// For rows of `ports`. A new port means nothing: the compute service asked for it.
pub fn of_port(before: Option<&Row>, after: Option<&Row>) -> Vec<Notice> {
    fn server(row: &Row) -> Option<&str> {
        server_of(row.text("device_owner"), row.text("device_id"))
    }
    let Some(before) = before else { return Vec::new() };
    let id = before.text("id");
    let mut events = Vec::new();
    match after {
        None => events.extend(server(before).map(|of| event(DELETED, COMPLETED, of, id))),
        Some(after) => {
            // One that was just taken from its server still went down for it.
            if let Some(of) = server(after).or_else(|| server(before)) {
                events.extend(status_changed(before.text("status"), after.text("status"), of, id));
            }
            let of = server(after).filter(|_| differs(before, after, QUIET));
            events.extend(of.map(|of| changed(of, id)));
        }
    }
    events.into_iter().map(Notice::Event).collect()
}

/// For rows of `floatingips`: the port that it leads to and the one that it led to.
pub fn of_floating_ip(before: Option<&Row>, after: Option<&Row>) -> Vec<Notice> {
    if let (Some(before), Some(after)) = (before, after)
        && !differs(before, after, QUIET)
    {
        return Vec::new();
    }
    let port = |row: Option<&Row>| row.map(|row| row.text("port_id").to_owned());
    let mut ports = Vec::from_iter(port(before));
    ports.extend(port(after));
    ports.retain(|id| !id.is_empty());
    ports.dedup();
    ports.into_iter().map(|port_id| Notice::Changed { port_id }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqlValue;

    const SERVER: &str = "2f6ff2c2-9f3b-4dd6-8a39-0d4d6ac0cd11";

    fn row(columns: &[(&'static str, &str)]) -> Row {
        let mut row = Row::default();
        for (column, value) in columns {
            row.push(column, SqlValue::from(*value));
        }
        row
    }

    fn port(owner: &str, device: &str, status: &str, name: &str) -> Row {
        row(&[
            ("id", "p"),
            ("device_owner", owner),
            ("device_id", device),
            ("status", status),
            ("name", name),
        ])
    }

    fn told(before: Option<&Row>, after: Option<&Row>) -> Vec<String> {
        let text = |notice| match notice {
            Notice::Event(event) => {
                assert_eq!((event.server_id.as_str(), event.port_id.as_str()), (SERVER, "p"));
                format!("{} {}", event.name, event.status)
            }
            Notice::Changed { port_id } => format!("changed {port_id}"),
        };
        of_port(before, after).into_iter().map(text).collect()
    }

    #[test]
    fn a_servers_port_tells_what_became_of_it() {
        let of = |status: &str, name: &str| port("compute:nova", SERVER, status, name);
        for (before, after, expected) in [
            ("DOWN", "ACTIVE", vec!["network-vif-plugged completed"]),
            ("BUILD", "ACTIVE", vec!["network-vif-plugged completed"]),
            ("DOWN", "ERROR", vec!["network-vif-plugged failed"]),
            ("ACTIVE", "DOWN", vec!["network-vif-unplugged completed"]),
            ("ACTIVE", "ERROR", vec![]),
            ("ERROR", "ACTIVE", vec![]),
            ("ACTIVE", "ACTIVE", vec![]),
        ] {
            let events = told(Some(&of(before, "n")), Some(&of(after, "n")));
            assert_eq!(events, expected, "{before} {after}");
        }
        let renamed = told(Some(&of("ACTIVE", "n")), Some(&of("ACTIVE", "m")));
        assert_eq!(renamed, ["network-changed completed"]);
        assert_eq!(told(Some(&of("ACTIVE", "n")), None), ["network-vif-deleted completed"]);
        assert!(told(None, Some(&of("DOWN", "n"))).is_empty());
    }

    #[test]
    fn only_servers_ports_tell() {
        for (owner, device) in [
            ("", SERVER),
            ("network:dhcp", SERVER),
            ("baremetal:none", SERVER),
            ("compute:nova", ""),
            ("compute:nova", "not-a-uuid"),
        ] {
            let of = |status: &str, name: &str| port(owner, device, status, name);
            assert!(told(Some(&of("DOWN", "n")), Some(&of("ACTIVE", "m"))).is_empty(), "{owner}");
            assert!(told(Some(&of("ACTIVE", "n")), None).is_empty(), "{owner}");
        }
    }

    #[test]
    fn a_port_is_told_of_when_it_comes_to_a_server_and_unplugged_when_it_leaves() {
        let free = port("", "", "DOWN", "n");
        let taken = port("compute:nova", SERVER, "ACTIVE", "n");
        let coming = port("compute:nova", SERVER, "DOWN", "n");
        assert_eq!(told(Some(&free), Some(&coming)), ["network-changed completed"]);
        assert_eq!(told(Some(&taken), Some(&free)), ["network-vif-unplugged completed"]);
    }

    #[test]
    fn a_floating_ip_tells_of_both_ports() {
        let at = |port: &str| row(&[("id", "f"), ("port_id", port), ("status", "DOWN")]);
        let ports = |before: Option<&str>, after: Option<&str>| -> Vec<String> {
            let (before, after) = (before.map(at), after.map(at));
            let notices = of_floating_ip(before.as_ref(), after.as_ref()).into_iter();
            let port = |notice| match notice {
                Notice::Changed { port_id } => port_id,
                Notice::Event(event) => panic!("{event:?}"),
            };
            notices.map(port).collect()
        };
        assert_eq!(ports(None, Some("a")), ["a"]);
        assert_eq!(ports(Some("a"), Some("b")), ["a", "b"]);
        assert_eq!(ports(Some("a"), Some("")), ["a"]);
        assert_eq!(ports(Some("a"), None), ["a"]);
        assert!(ports(Some("a"), Some("a")).is_empty());
        assert!(ports(None, Some("")).is_empty());
    }
}
