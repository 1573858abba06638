//! A forward set as TOML: one table `[forward.NAME]` each. Read entry by entry, so that an error names
//! the entry in one line.

mod tls;

use std::{fmt::Display, net::IpAddr, sync::Arc, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Forward, ForwardSet, InvalidForward, Limits, ProxyVersion, Removal, Timeouts, Transport,
};

/// What is wrong with a text, one line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct InvalidText {
    pub lines: Vec<String>,
}

impl InvalidText {
    /// What is quoted of a document may have line ends in it.
    fn new(mut lines: Vec<String>) -> Self {
        for line in &mut lines {
            if line.contains(char::is_control) {
                *line = line.chars().map(visible).collect();
            }
        }
        Self { lines }
    }
}

fn visible(character: char) -> String {
    match character {
        control if control.is_control() => control.escape_default().to_string(),
        other => other.to_string(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForwardText {
    #[serde(default)]
    protocol: Transport,
    listen: Place,
    connect: Place,
    connect_timeout_s: Option<f64>,
    idle_timeout_s: Option<f64>,
    half_closed_timeout_s: Option<f64>,
    /// 0 is off.
    keepalive_s: Option<f64>,
    #[serde(default)]
    allowed_sources: Vec<String>,
    max_connections: Option<u32>,
    max_new_per_second: Option<u32>,
    max_bytes_per_second: Option<u64>,
    #[serde(default)]
    transparent: bool,
    proxy_protocol: Option<ProxyVersion>,
    #[serde(default)]
    proxy_protocol_from: Vec<String>,
    #[serde(default)]
    sni: Vec<String>,
    tls: Option<tls::TerminateText>,
    connect_tls: Option<tls::OriginateText>,
    #[serde(default)]
    removal: Removal,
}

/// `"address:port"`, or the same with a namespace.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "write \"ADDRESS:PORT\", or { address = \"ADDRESS:PORT\", netns = \"NAME\" }"
)]
enum Place {
    Here(String),
    #[serde(rename_all = "snake_case")]
    There(There),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct There {
    address: String,
    netns: Option<String>,
}

impl ForwardSet {
    /// Reads `[forward.NAME]` tables, and nothing besides.
    ///
    /// # Errors
    /// A line for each thing that is wrong.
    pub fn from_toml(text: &str) -> Result<Self, InvalidText> {
        Self::from_table(parse(text)?)
    }

    /// The same of a document whose text has been read already.
    ///
    /// # Errors
    /// A line for each thing that is wrong.
    pub(crate) fn from_table(table: Table) -> Result<Self, InvalidText> {
        let mut lines = Vec::new();
        let mut forwards = Vec::new();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("forward", Value::Table(entries)) => {
                    for (name, value) in entries {
                        match read(value) {
                            Ok(forward) => forwards.push((name, forward)),
                            Err(reason) => {
                                lines.push(InvalidForward { name, reason }.to_string());
                            }
                        }
                    }
                }
                ("forward", _) => lines.push("forward: write [forward.NAME]".to_owned()),
                (key, _) => lines.push(format!("{key}: unknown; forwards are [forward.NAME]")),
            }
        }
        match Self::new(forwards) {
            Ok(set) if lines.is_empty() => Ok(set),
            Ok(_) => Err(InvalidText::new(lines)),
            Err(invalid) => {
                lines.extend(invalid.iter().map(ToString::to_string));
                Err(InvalidText::new(lines))
            }
        }
    }
}

/// A document, or the line where it is none.
pub(crate) fn parse(text: &str) -> Result<Table, InvalidText> {
    toml::from_str(text).map_err(|error| InvalidText::new(vec![position(text, &error)]))
}

/// The parser's message in one line, with the line's number.
fn position(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let number = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    format!("line {number}: {message}")
}

fn read(value: Value) -> Result<Forward, String> {
    let text: ForwardText =
        value.try_into().map_err(|error: toml::de::Error| error.message().replace('\n', ", "))?;
    let transport = text.protocol;
    let mut listen: super::ListenOn = in_field("listen", text.listen.address().parse())?;
    let mut connect: super::ConnectTo = in_field("connect", text.connect.address().parse())?;
    listen.netns = text.listen.netns("listen")?;
    connect.netns = text.connect.netns("connect")?;
    let default = Timeouts::of(transport);
    let mut forward = Forward::new(transport, listen, connect);
    forward.timeouts = Timeouts {
        connect: seconds("connect_timeout_s", text.connect_timeout_s)?.unwrap_or(default.connect),
        idle: seconds("idle_timeout_s", text.idle_timeout_s)?.unwrap_or(default.idle),
        half_closed: seconds("half_closed_timeout_s", text.half_closed_timeout_s)?
            .unwrap_or(default.half_closed),
    };
    if let Some(time) = seconds("keepalive_s", text.keepalive_s)? {
        forward.keepalive = (!time.is_zero()).then_some(time);
    }
    forward.limits = Limits {
        sources: prefixes("allowed_sources", &text.allowed_sources)?,
        connections: text.max_connections,
        new_per_second: text.max_new_per_second,
        bytes_per_second: text.max_bytes_per_second,
    };
    forward.transparent = text.transparent;
    forward.proxy_protocol = text.proxy_protocol;
    forward.proxies = prefixes("proxy_protocol_from", &text.proxy_protocol_from)?;
    let names = text.sni.iter().map(|name| in_field("sni", name.parse()));
    forward.sni = names.collect::<Result<_, _>>()?;
    forward.tls = text.tls.map(tls::TerminateText::read).transpose()?.map(Arc::new);
    forward.connect_tls = text.connect_tls.map(tls::OriginateText::read).transpose()?.map(Arc::new);
    forward.removal = text.removal;
    Ok(forward)
}

/// Prefixes, or single addresses.
fn prefixes(field: &str, texts: &[String]) -> Result<Vec<IpNet>, String> {
    let prefix = |text: &String| {
        let prefix = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        prefix.map_err(|_| format!("{field}: '{text}' is no prefix like 192.0.2.0/24"))
    };
    texts.iter().map(prefix).collect()
}

fn in_field<T, E: Display>(field: &str, result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("{field}: {error}"))
}

fn seconds(field: &str, value: Option<f64>) -> Result<Option<Duration>, String> {
    const YEAR: f64 = 366.0 * 86_400.0;
    match value {
        None => Ok(None),
        Some(value) if (0.0..=YEAR).contains(&value) => Ok(Some(Duration::from_secs_f64(value))),
        Some(value) => Err(format!("{field}: {value} is not from 0 to {YEAR} seconds")),
    }
}

impl Place {
    fn address(&self) -> &str {
        match self {
            Self::Here(address) => address,
            Self::There(there) => &there.address,
        }
    }

    /// A namespace's name is one file name.
    fn netns(self, field: &str) -> Result<Option<String>, String> {
        let Self::There(There { netns: Some(name), .. }) = self else {
            return Ok(None);
        };
        let plain = !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..";
        if plain { Ok(Some(name)) } else { Err(format!("{field}.netns: '{name}' is no name")) }
    }
}
