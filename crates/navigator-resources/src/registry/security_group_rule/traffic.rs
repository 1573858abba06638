//! What a rule or a template says about packets, read from a request and checked. What passes here
//! can be programmed: no combination reaches an agent that a packet filter refuses.

use ipnet::IpNet;
use navigator_model::{AddressGroupId, SecurityGroupId};
use std::net::IpAddr;

use super::protocol::{
    Direction, Ethertype, Numbers, Raw, canonical, is_ipv6_only, number, numbers,
};
use crate::{Refusal, attribute::quoted};

/// As the request says it.
pub struct TrafficRequest<'a> {
    pub direction: Direction,
    pub ethertype: Ethertype,
    pub protocol: Option<&'a Raw>,
    pub port_range_min: Option<&'a Raw>,
    pub port_range_max: Option<&'a Raw>,
    pub remote_ip_prefix: Option<&'a Raw>,
    /// Whether it names a remote group in any form.
    pub names_group: bool,
    pub remote_group_id: Option<SecurityGroupId>,
    pub remote_address_group_id: Option<AddressGroupId>,
}

/// Checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub direction: Direction,
    pub ethertype: Ethertype,
    /// Name in lower case, or number.
    pub protocol: Option<String>,
    /// A port, or the type of ICMP.
    pub port_range_min: Option<i64>,
    /// A port, or the code of ICMP.
    pub port_range_max: Option<i64>,
    /// With its length; bits beyond it are kept as given.
    pub remote_ip_prefix: Option<String>,
    pub remote_group_id: Option<SecurityGroupId>,
    pub remote_address_group_id: Option<AddressGroupId>,
}

/// Two rules of a group with one key let the same packets pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrafficKey {
    direction: Direction,
    ethertype: Ethertype,
    protocol: Option<u8>,
    ports: (Option<i64>, Option<i64>),
    prefix: Option<String>,
    groups: (Option<SecurityGroupId>, Option<AddressGroupId>),
}

impl Traffic {
    pub fn read(request: &TrafficRequest<'_>) -> Result<Self, Refusal> {
        let remotes = [
            request.remote_ip_prefix.is_some(),
            request.names_group,
            request.remote_address_group_id.is_some(),
        ];
        if remotes.into_iter().filter(|named| *named).count() > 1 {
            return Err(Refusal::SecurityGroupMultipleRemoteEntites {});
        }
        let traffic = Self {
            direction: request.direction,
            ethertype: request.ethertype,
            protocol: canonical(request.protocol)?,
            port_range_min: port(request.port_range_min)?,
            port_range_max: port(request.port_range_max)?,
            remote_ip_prefix: prefix(request.remote_ip_prefix)?,
            remote_group_id: request.remote_group_id,
            remote_address_group_id: request.remote_address_group_id,
        };
        traffic.check_protocol()?;
        traffic.check_numbers()?;
        traffic.check_prefix()?;
        Ok(traffic)
    }

    fn protocol_number(&self) -> Option<u8> {
        self.protocol.as_deref().and_then(|protocol| number(protocol, self.ethertype))
    }

    fn check_protocol(&self) -> Result<(), Refusal> {
        let (Some(protocol), Some(name)) = (self.protocol_number(), &self.protocol) else {
            return Ok(());
        };
        if self.ethertype == Ethertype::IPv4 && is_ipv6_only(protocol) {
            return Err(Refusal::SecurityGroupEthertypeConflictWithProtocol {
                ethertype: self.ethertype.to_string(),
                protocol: name.clone(),
            });
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), Refusal> {
        let (min, max) = (self.port_range_min, self.port_range_max);
        if min.is_none() && max.is_none() {
            return Ok(());
        }
        let (Some(protocol), Some(name)) = (self.protocol_number(), &self.protocol) else {
            return Err(Refusal::SecurityGroupProtocolRequiredWithPorts {});
        };
        match numbers(protocol) {
            Numbers::Ports => check_ports(min, max),
            Numbers::TypeAndCode => check_type_and_code(min, max),
            Numbers::None => {
                Err(Refusal::SecurityGroupInvalidProtocolForPort { protocol: name.clone() })
            }
        }
    }

    fn check_prefix(&self) -> Result<(), Refusal> {
        let Some(net) = self.network() else { return Ok(()) };
        let ethertype = if net.addr().is_ipv4() { Ethertype::IPv4 } else { Ethertype::IPv6 };
        if ethertype == self.ethertype {
            return Ok(());
        }
        Err(Refusal::SecurityGroupRuleParameterConflict {
            ethertype: self.ethertype.to_string(),
            cidr: net.to_string(),
        })
    }

    fn network(&self) -> Option<IpNet> {
        self.remote_ip_prefix.as_ref()?.parse().ok()
    }

    pub fn normalized_cidr(&self) -> Option<String> {
        self.network().map(|net| net.trunc().to_string())
    }

    pub fn key(&self) -> TrafficKey {
        // All addresses are no restriction.
        let restricts = |net: &IpNet| net.prefix_len() > 0;
        TrafficKey {
            direction: self.direction,
            ethertype: self.ethertype,
            protocol: self.protocol_number(),
            ports: (self.port_range_min, self.port_range_max),
            prefix: self.network().filter(restricts).map(|net| net.trunc().to_string()),
            groups: (self.remote_group_id, self.remote_address_group_id),
        }
    }
}

/// Both ends, in order, and no port 0.
fn check_ports(min: Option<i64>, max: Option<i64>) -> Result<(), Refusal> {
    if min == Some(0) || max == Some(0) {
        return Err(Refusal::SecurityGroupInvalidPortValue { port: "0".to_owned() });
    }
    match (min, max) {
        (Some(min), Some(max)) if min <= max => Ok(()),
        _ => Err(Refusal::SecurityGroupInvalidPortRange {}),
    }
}

fn check_type_and_code(min: Option<i64>, max: Option<i64>) -> Result<(), Refusal> {
    for (value, attr, field) in [(min, "port_range_min", "type"), (max, "port_range_max", "code")] {
        if let Some(value) = value.filter(|value| !(0..=255).contains(value)) {
            return Err(Refusal::SecurityGroupInvalidIcmpValue {
                field: field.to_owned(),
                attr: attr.to_owned(),
                value: value.to_string(),
            });
        }
    }
    match (min, max) {
        (None, Some(code)) => {
            Err(Refusal::SecurityGroupMissingIcmpType { value: code.to_string() })
        }
        _ => Ok(()),
    }
}

/// 0 to 65535: a code or type may be 0.
fn port(given: Option<&Raw>) -> Result<Option<i64>, Refusal> {
    let Some(Raw(text)) = given else { return Ok(None) };
    let number = text.trim().parse::<u16>().map_err(|_| Refusal::SecurityGroupInvalidPortValue {
        port: quoted(&text.as_str().into()),
    })?;
    Ok(Some(i64::from(number)))
}

fn prefix(given: Option<&Raw>) -> Result<Option<String>, Refusal> {
    let Some(Raw(text)) = given else { return Ok(None) };
    let net = match text.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => text.parse::<IpNet>(),
    };
    match net {
        Ok(net) => Ok(Some(net.to_string())),
        Err(_) => Err(Refusal::InvalidCIDR { input: quoted(&text.as_str().into()) }),
    }
}
