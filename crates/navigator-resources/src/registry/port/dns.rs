//! What a port's addresses are called: the name that its user chose, or one made of the address, in
//! the domain of the whole cloud.

use navigator_model::default_host_name;
use serde_json::{Value, json};

use super::Port;
use crate::{Context, Refusal, attribute::DnsName};

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

    /// A name for each address.
    pub(super) fn dns_assignment(&self, domain: &str) -> Value {
        let chosen = below(&self.dns_name.0, domain).filter(|name| !name.is_empty());
        let domain = domain.trim_end_matches('.');
        let items = self.fixed_ips.iter().map(|fixed_ip| {
            let address = fixed_ip.ip_address;
            let hostname = chosen.map_or_else(|| default_host_name(address), str::to_owned);
            let fqdn = if domain.is_empty() {
                hostname.clone()
            } else {
                format!("{hostname}.{domain}.")
            };
            json!({"ip_address": address, "hostname": hostname, "fqdn": fqdn})
        });
        items.collect()
    }
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
