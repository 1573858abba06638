//! How the text of an option becomes a value of Navigator's configuration.

use std::net::{IpAddr, SocketAddr};

use toml::{Table, Value};

use super::Options;

/// The value, if the option has one here, and what the operator should know.
pub(super) struct Converted {
    pub(super) value: Option<Value>,
    pub(super) note: Option<String>,
}

impl From<Value> for Converted {
    fn from(value: Value) -> Self {
        Self { value: Some(value), note: None }
    }
}

type Result = std::result::Result<Converted, String>;

fn noted(value: Value, note: String) -> Converted {
    Converted { value: Some(value), note: Some(note) }
}

pub(super) fn text(value: &str) -> Result {
    Ok(Value::from(value).into())
}

fn whole(value: &str) -> std::result::Result<i64, String> {
    value.trim().parse().map_err(|_| format!("'{value}' is not a whole number"))
}

pub(super) fn number(value: &str) -> Result {
    match whole(value)? {
        number if number < 0 => Err(format!("{number} is below 0")),
        number => Ok(Value::from(number).into()),
    }
}

/// Below 0 is no limit.
pub(super) fn limit(value: &str) -> std::result::Result<Value, String> {
    Ok(Value::from(whole(value)?.max(-1)))
}

/// Neutron takes fractions, of which the whole seconds count here.
pub(super) fn seconds(value: &str) -> Result {
    let seconds: f64 = value.parse().map_err(|_| format!("'{value}' is not a number"))?;
    if !(1.0..=86_400.0).contains(&seconds) {
        return Err(format!("{value} is not between 1 and 86400 seconds"));
    }
    Ok(Value::from(seconds as i64).into())
}

/// -1 is no limit.
pub(super) fn most(value: &str) -> Result {
    match value.trim() {
        "-1" | "infinite" => Ok(Converted { value: None, note: None }),
        value => number(value),
    }
}

/// -1 is for ever: a lease of about 136 years.
pub(super) fn lease(value: &str) -> Result {
    match whole(value)? {
        -1 => Ok(Value::from(i64::from(u32::MAX)).into()),
        _ => number(value),
    }
}

/// -1 switches the cache off.
pub(super) fn cache_time(value: &str) -> Result {
    let seconds = whole(value)?.max(0);
    let note = format!("a token that was revoked is taken for up to {seconds} s");
    Ok(if seconds > 10 { noted(Value::from(seconds), note) } else { Value::from(seconds).into() })
}

pub(super) fn domain(value: &str) -> Result {
    text(value.trim_end_matches('.'))
}

fn truth(value: &str) -> std::result::Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("'{value}' is not true or false")),
    }
}

pub(super) fn truth_value(value: &str) -> Result {
    Ok(Value::from(truth(value)?).into())
}

/// Only what says so is true: middleware of old took `false` for it.
pub(super) fn insecure(value: &str) -> Result {
    let insecure = truth(value)?;
    let note = "who answers there is believed, whatever its certificate says".to_owned();
    Ok(if insecure { noted(Value::from(true), note) } else { Value::from(false).into() })
}

/// Where it is, is not in Neutron's files: they say in which region to look for it.
pub(super) fn nova_auth_url(value: &str) -> Result {
    let note = "used if nova.endpoint is set in Navigator's own configuration: Nova's address";
    Ok(noted(Value::from(value), note.to_owned()))
}

pub(super) fn debug(value: &str) -> Result {
    Ok(Value::from(if truth(value)? { "debug" } else { "info" }).into())
}

pub(super) fn json(value: &str) -> Result {
    Ok(Value::from(if truth(value)? { "json" } else { "text" }).into())
}

pub(super) fn auth_strategy(value: &str) -> Result {
    match value {
        "keystone" => text("keystone"),
        "noauth" => text("none"),
        "http_basic" => text("basic"),
        _ => Err("keystone, http_basic or noauth".to_owned()),
    }
}

fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn list(value: &str) -> Result {
    Ok(Value::Array(items(value).map(Value::from).collect()).into())
}

pub(super) fn first(value: &str) -> Result {
    let mut items = items(value);
    let first = items.next().ok_or("empty")?;
    if items.next().is_some() {
        return Ok(noted(Value::from(first), format!("only the first, {first}, is used")));
    }
    text(first)
}

/// `physnet1,physnet2`, or `*` for any.
pub(super) fn flat(value: &str) -> Result {
    if items(value).any(|item| item == "*") {
        return Ok(Converted {
            value: None,
            note: Some("ignored: name the networks in network.physical_networks".to_owned()),
        });
    }
    list(value)
}

/// `physnet1:100:200,physnet2`: the networks; which VLANs are given to tenants is `network.vlan_range`.
pub(super) fn vlan_networks(value: &str) -> Result {
    let networks = items(value).map(|item| item.split(':').next().unwrap_or(item));
    let value_of = Value::Array(networks.map(Value::from).collect());
    let ranged = items(value).any(|item| item.contains(':'));
    let note = "its physical networks are used; set the range for tenants in network.vlan_range";
    Ok(if ranged { noted(value_of, note.to_owned()) } else { value_of.into() })
}

/// `1:1000`; of several, the first.
pub(super) fn range(value: &str) -> Result {
    let first = items(value).next().ok_or("empty")?;
    let (low, high) = first.split_once(':').ok_or_else(|| format!("'{first}' is not low:high"))?;
    let (low, high) = (whole(low)?, whole(high)?);
    if low < 1 || high < low {
        return Err(format!("'{first}' is not a range"));
    }
    let range = Value::Array(vec![low.into(), high.into()]);
    if items(value).nth(1).is_some() {
        return Ok(noted(range, format!("only the first range, {first}, is used")));
    }
    Ok(range.into())
}

/// `physnet1:eth1,physnet2:eth2`
pub(super) fn mappings(value: &str) -> Result {
    let mut table = Table::new();
    for item in items(value) {
        let (network, device) =
            item.split_once(':').ok_or_else(|| format!("'{item}' is not network:device"))?;
        table.insert(network.trim().to_owned(), device.trim().into());
    }
    Ok(Value::Table(table).into())
}

/// From SQLAlchemy's URL.
pub(super) fn database(url: &str) -> Result {
    let (scheme, rest) = url.split_once("://").ok_or("not a URL")?;
    let fresh = "Navigator keeps tables of its own there; Neutron's are neither read nor changed";
    match scheme.split('+').next().unwrap_or_default() {
        "postgresql" | "postgres" => {
            Ok(noted(Value::from(format!("postgres://{rest}")), fresh.to_owned()))
        }
        // Three slashes and a path; a fourth one when it is absolute.
        "sqlite" => {
            let path = rest.strip_prefix('/').unwrap_or(rest);
            let path = path.split('?').next().unwrap_or(path);
            Ok(noted(Value::from(format!("sqlite:{path}")), fresh.to_owned()))
        }
        // Refused when it is opened, unless Navigator's own configuration names another one.
        other => {
            let note = format!("Navigator works on PostgreSQL and SQLite, not on {other}");
            Ok(noted(Value::from(url), note))
        }
    }
}

/// `server.listen` from its two halves; Neutron's defaults where one is missing.
pub(super) fn address(options: &Options, table: &mut Table) -> std::result::Result<(), String> {
    let (host, port) = (options.get("DEFAULT", "bind_host"), options.get("DEFAULT", "bind_port"));
    if host.is_none() && port.is_none() {
        return Ok(());
    }
    let host: IpAddr = host
        .unwrap_or("0.0.0.0")
        .parse()
        .map_err(|_| "[DEFAULT] bind_host: not an address; a name is not looked up".to_owned())?;
    let port = port.unwrap_or("9696").parse().map_err(|_| "[DEFAULT] bind_port: not a port")?;
    let address = SocketAddr::new(host, port).to_string();
    super::set(table, "server.listen", address.into());
    Ok(())
}
