//! What a port's addresses are called: the name that its user chose, or one made of the address, in
//! the domain of the whole cloud.

use std::{borrow::Cow, net::IpAddr};

use navigator_model::default_host_name;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Port;
use crate::{Context, DecodeError, Momentary, Refusal, attribute::DnsName};

/// The part of a complete name that is below the domain; `None` if it is below another one.
fn below<'a>(name: &'a str, domain: &str) -> Option<&'a str> {
    let Some(complete) = name.strip_suffix('.') else { return Some(name) };
    let host = complete.strip_suffix(domain.trim_end_matches('.'))?.strip_suffix('.')?;
    Some(host).filter(|host| !host.is_empty())
}

impl Port {
    /// A complete name has to be one of the cloud's own domain.
    pub(super) fn set_dns_name(
        &mut self,
        name: &DnsName,
        context: &Context<'_>,
    ) -> Result<(), Refusal> {
        let domain = &context.settings.dns_domain;
        if below(&name.0, domain).is_none() {
            return Err(Refusal::BadRequest {
                resource: "port".to_owned(),
                msg: format!("dns_name '{}' is a FQDN outside of the domain '{domain}'", name.0),
            });
        }
        self.dns_name = name.clone();
        Ok(())
    }

}

/// A name for each address.
pub(super) const ASSIGNMENT: Momentary = Momentary {
    name: "dns_assignment",
    docs: "A name for each address.",
    schema: || {
        let text = || json!({"type": "string"});
        let members = json!({"hostname": text(), "ip_address": text(), "fqdn": text()});
        json!({"type": "array", "items": {"type": "object", "properties": members}})
    },
    show: |row, moment, out| {
        assign(row.text("dns_name"), row.text("fixed_ips"), &moment.settings.dns_domain, out)
            .map_err(|reason| DecodeError { table: "ports", column: "fixed_ips", reason })
    },
    filter: None,
};

/// Members as answers have them: in the order of their names.
#[derive(Serialize)]
struct Assignment<'a> {
    fqdn: Cow<'a, str>,
    hostname: &'a str,
    ip_address: IpAddr,
}

#[derive(Deserialize)]
struct Address {
    ip_address: IpAddr,
}

/// Appends the list for a port of this name with these addresses, as they are stored.
fn assign(name: &str, fixed_ips: &str, domain: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let chosen = below(name, domain).filter(|name| !name.is_empty());
    let domain = domain.trim_end_matches('.');
    let addresses: Vec<Address> =
        serde_json::from_str(fixed_ips).map_err(|error| error.to_string())?;
    out.push(b'[');
    for (index, Address { ip_address }) in addresses.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let hostname = chosen.map_or_else(|| default_host_name(ip_address).into(), Cow::Borrowed);
        let fqdn = match domain {
            "" => Cow::Borrowed(hostname.as_ref()),
            domain => Cow::Owned(format!("{hostname}.{domain}.")),
        };
        let assignment = Assignment { fqdn, hostname: &hostname, ip_address };
        serde_json::to_writer(&mut *out, &assignment).map_err(|error| error.to_string())?;
    }
    out.push(b']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_name_is_one_of_the_domain() {
        for (name, host) in [
            ("web", Some("web")),
            ("", Some("")),
            ("web.example.org.", Some("web")),
            ("a.b.example.org.", Some("a.b")),
            ("example.org.", None),
            ("web.example.com.", None),
            ("webexample.org.", None),
        ] {
            assert_eq!(below(name, "example.org"), host, "{name}");
            assert_eq!(below(name, "example.org."), host, "{name}");
        }
    }
}
