//! The seam's HTTP form: paths, query names and rhythm, shared by the server's endpoints and the
//! agent's client so that they cannot drift apart. Constants only.
//!
//! Bodies are JSON of the values in `navigator-model`; wake-ups are one JSON value per line.

use std::time::Duration;

/// `GET …?host=H&scope=S[&since=N]` answers a `Fetched`.
pub const SNAPSHOT_PATH: &str = "/agent/v1/snapshot";
/// `GET …?host=H` answers a list of `[scope, revision]`.
pub const REVISIONS_PATH: &str = "/agent/v1/revisions";
/// `GET …?host=H` answers an endless stream of wake-ups, one per line.
pub const WAKEUPS_PATH: &str = "/agent/v1/wakeups";
/// `POST` of a `Heartbeat`, answered 204.
pub const HEARTBEAT_PATH: &str = "/agent/v1/heartbeat";
/// `POST …?host=H` of a `Report`, answered 204.
pub const REPORT_PATH: &str = "/agent/v1/report";

pub const HOST_PARAMETER: &str = "host";
pub const SCOPE_PARAMETER: &str = "scope";
pub const SINCE_PARAMETER: &str = "since";

/// The stream of wake-ups carries an empty line at least this often.
pub const KEEPALIVE: Duration = Duration::from_secs(1);
/// A stream without a byte for this long is lost.
pub const SILENCE: Duration = Duration::from_secs(3);
