//! The one writer of dnsmasq's lines. A line is made from typed values; text that users typed gets
//! in only through [`OptionName`] and [`OptionLine::new`], which refuse whatever dnsmasq could read
//! as something else than one value of one option.

use std::{fmt, net::IpAddr};

use navigator_model::{MacAddress, PortId, SubnetId};

/// `set:` and `tag:` of everything in a subnet.
pub(super) fn subnet_tag(id: SubnetId) -> String {
    format!("subnet-{id}")
}

/// Of one port with options of its own.
pub(super) fn port_tag(id: PortId) -> String {
    format!("port-{id}")
}

/// An operator's domain without its final dot, if it is one.
pub(super) fn domain(text: &str) -> Option<&str> {
    let text = text.trim_end_matches('.');
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (text.len() <= 200 && text.split('.').all(label)).then_some(text)
}

/// Which address a MAC address gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLine {
    pub mac_address: MacAddress,
    pub name: String,
    pub address: IpAddr,
    pub tags: Vec<String>,
}

impl fmt::Display for HostLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},", self.mac_address, self.name)?;
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}")?,
            IpAddr::V6(address) => write!(f, "[{address}]")?,
        }
        for tag in &self.tags {
            write!(f, ",set:{tag}")?;
        }
        Ok(())
    }
}

/// An option that dnsmasq knows by name, or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionName {
    /// `option:<name>`.
    Ipv4(&'static str),
    /// `option6:<name>`.
    Ipv6(&'static str),
    /// By number, in DHCP for IPv4.
    Number(u8),
    /// `option6:<number>`.
    Number6(u16),
}

impl fmt::Display for OptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(name) => write!(f, "option:{name}"),
            Self::Ipv6(name) => write!(f, "option6:{name}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Number6(number) => write!(f, "option6:{number}"),
        }
    }
}

/// A value for whoever has the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionLine {
    tag: String,
    name: OptionName,
    value: String,
}

impl OptionLine {
    /// `tag` is one of ours; `value` may be a user's. An empty value means: never send it.
    pub fn new(tag: String, name: OptionName, value: String) -> Result<Self, String> {
        if is_plain(&value) {
            Ok(Self { tag, name, value })
        } else {
            Err(format!("the value of DHCP option {name} cannot be written"))
        }
    }
}

impl fmt::Display for OptionLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tag:{},{}", self.tag, self.name)?;
        if self.value.is_empty() { Ok(()) } else { write!(f, ",{}", self.value) }
    }
}

/// dnsmasq ends a line at a control character, a comment starts at a number sign, quotes and
/// backslashes change what follows, and outer blanks are lost.
fn is_plain(value: &str) -> bool {
    let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '#');
    value.len() <= 255 && value.chars().all(plain) && value.trim() == value
}
