//! `extra_dhcp_opts`: DHCP options that a user sets for a port. They end in a DHCP server's
//! configuration, so only known options with values of their kind are accepted: numbers, addresses,
//! prefixes, domain names, and paths or URLs of harmless characters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::Port;
use crate::Refusal;

crate::json_attribute!(ExtraDhcpOption, DhcpOptionRequest);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraDhcpOption {
    pub opt_name: String,
    pub opt_value: String,
    pub ip_version: u8,
}

/// Without a value the option is taken away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhcpOptionRequest {
    pub opt_name: String,
    #[serde(default)]
    pub opt_value: Option<String>,
    #[serde(default = "four", deserialize_with = "version")]
    pub ip_version: u8,
}

fn four() -> u8 {
    4
}

/// A number, also in quotes.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    match crate::AttributeValue::from_json(&value) {
        Ok(4i64) => Ok(4),
        Ok(6) => Ok(6),
        _ => Err(de::Error::custom("ip_version is not in [4, 6]")),
    }
}

/// What an option's value is.
#[derive(Clone, Copy)]
enum Kind {
    /// Whole numbers up to this one.
    Number(u32),
    Addresses,
    /// One address of either family: clients give a port that has only IPv6 the same option.
    BootServer,
    /// `prefix,router` pairs.
    Routes,
    Names,
    /// File names, paths, URLs.
    Path,
}

/// Options of DHCP by their names in dnsmasq and by their numbers (RFC 2132 and the IANA registry).
const V4: &[(&str, &str, Kind)] = &[
    ("time-offset", "2", Kind::Number(u32::MAX)),
    ("router", "3", Kind::Addresses),
    ("dns-server", "6", Kind::Addresses),
    ("log-server", "7", Kind::Addresses),
    ("domain-name", "15", Kind::Names),
    ("root-path", "17", Kind::Path),
    ("default-ttl", "23", Kind::Number(255)),
    ("mtu", "26", Kind::Number(65_535)),
    ("broadcast", "28", Kind::Addresses),
    ("ntp-server", "42", Kind::Addresses),
    ("netbios-ns", "44", Kind::Addresses),
    ("netbios-dd", "45", Kind::Addresses),
    ("netbios-nodetype", "46", Kind::Number(8)),
    ("tftp-server", "66", Kind::Path),
    ("tftp-server-name", "66", Kind::Path),
    ("bootfile-name", "67", Kind::Path),
    ("smtp-server", "69", Kind::Addresses),
    ("posix-timezone", "100", Kind::Path),
    ("tzdb-timezone", "101", Kind::Path),
    ("domain-search", "119", Kind::Names),
    ("classless-static-route", "121", Kind::Routes),
    ("tftp-server-address", "150", Kind::Addresses),
    ("server-ip-address", "255", Kind::BootServer),
    ("config-file", "209", Kind::Path),
    ("path-prefix", "210", Kind::Path),
];

/// Options of DHCPv6 (RFC 8415, RFC 3646, RFC 5970 and the IANA registry).
const V6: &[(&str, &str, Kind)] = &[
    ("dns-server", "23", Kind::Addresses),
    ("domain-search", "24", Kind::Names),
    ("sntp-server", "31", Kind::Addresses),
    ("information-refresh-time", "32", Kind::Number(u32::MAX)),
    ("ntp-server", "56", Kind::Addresses),
    ("bootfile-url", "59", Kind::Path),
    ("bootfile-param", "60", Kind::Path),
];

/// An empty value says "no such thing" for these.
const MAY_BE_EMPTY: &[&str] = &["router", "classless-static-route"];

impl DhcpOptionRequest {
    fn kind(&self) -> Option<Kind> {
        let known = if self.ip_version == 6 { V6 } else { V4 };
        known
            .iter()
            .find(|(name, number, _)| self.opt_name == *name || self.opt_name == *number)
            .map(|(_, _, kind)| *kind)
    }

    fn check(&self) -> Result<(), Refusal> {
        let refusal = |reason: String| Refusal::InvalidExtraDhcpOpt { reason };
        let (name, version) = (&self.opt_name, self.ip_version);
        let Some(kind) = self.kind() else {
            let name = crate::attribute::quoted(&name.as_str().into());
            return Err(refusal(format!(
                "'{name}' is not a DHCP option that may be set for IPv{version}."
            )));
        };
        let Some(value) = &self.opt_value else { return Ok(()) };
        let empty = value.is_empty() && MAY_BE_EMPTY.contains(&name.as_str());
        if empty || (value.len() <= 255 && kind.accepts(value, version)) {
            return Ok(());
        }
        let value = crate::attribute::quoted(&value.as_str().into());
        Err(refusal(format!("'{value}' is not a value of the option '{name}'.")))
    }
}

impl Kind {
    fn accepts(self, value: &str, version: u8) -> bool {
        match self {
            Self::Number(most) => {
                let digits = value.chars().all(|c| c.is_ascii_digit());
                digits && value.parse::<u32>().is_ok_and(|number| number <= most)
            }
            Self::Addresses => value.split(',').all(|item| is_address(item, version)),
            Self::BootServer => value.parse::<IpAddr>().is_ok(),
            Self::Routes => are_routes(value),
            Self::Names => value.split(',').all(is_domain_name),
            Self::Path => !value.is_empty() && value.chars().all(is_harmless),
        }
    }
}

/// dnsmasq writes IPv6 addresses in brackets; both forms are taken.
fn is_address(text: &str, version: u8) -> bool {
    if version == 4 {
        return text.parse::<Ipv4Addr>().is_ok();
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<Ipv6Addr>().is_ok()
}

fn are_routes(value: &str) -> bool {
    let items: Vec<&str> = value.split(',').collect();
    items.len().is_multiple_of(2)
        && items.chunks(2).all(|pair| {
            pair[0].parse::<Ipv4Net>().is_ok()
                && pair[1].parse::<IpAddr>().is_ok_and(|a| a.is_ipv4())
        })
}

fn is_domain_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    name.len() <= 253 && name.split('.').all(label)
}

/// Characters of file names and URLs that no configuration gives a meaning to. No comma, quote,
/// space or number sign.
fn is_harmless(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._~:/?@&+=%-[]".contains(c)
}

impl Port {
    /// Sets and takes away the options named; others stay as they are, as in Neutron.
    pub(super) fn set_dhcp_options(
        &mut self,
        request: Option<&[DhcpOptionRequest]>,
    ) -> Result<(), Refusal> {
        for item in request.unwrap_or_default() {
            item.check()?;
            let same = |option: &ExtraDhcpOption| {
                option.opt_name == item.opt_name && option.ip_version == item.ip_version
            };
            let place = self.extra_dhcp_opts.iter().position(same);
            match (item.opt_value.clone(), place) {
                (Some(value), Some(index)) => self.extra_dhcp_opts[index].opt_value = value,
                (Some(opt_value), None) => self.extra_dhcp_opts.push(ExtraDhcpOption {
                    opt_name: item.opt_name.clone(),
                    opt_value,
                    ip_version: item.ip_version,
                }),
                (None, Some(index)) => {
                    self.extra_dhcp_opts.remove(index);
                }
                (None, None) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
