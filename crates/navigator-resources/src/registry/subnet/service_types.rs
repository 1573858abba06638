//! Subnets that are for the ports of certain services only.

use super::Subnet;
use crate::{Refusal, registry::port::DHCP_OWNER};

/// What a service type begins with: the kinds of `device_owner`.
const KINDS: &[&str] = &["network:", "compute:", "baremetal:"];

/// More service types than this of one subnet are refused.
const MOST_SERVICE_TYPES: usize = 100;

impl Subnet {
    /// Whether a port of this owner gets an address here without asking for it. DHCP servers are
    /// where their clients are.
    pub fn serves(&self, device_owner: &str) -> bool {
        self.service_types.is_empty()
            || device_owner == DHCP_OWNER
            || self.service_types.iter().any(|known| known == device_owner)
    }

    pub(super) fn check_service_types(&self) -> Result<(), Refusal> {
        if self.service_types.len() > MOST_SERVICE_TYPES {
            let reason = format!("more than {MOST_SERVICE_TYPES} service types");
            return Err(Refusal::invalid("service_types", reason));
        }
        let unknown = |known: &&String| !KINDS.iter().any(|kind| known.starts_with(kind));
        match self.service_types.iter().find(unknown) {
            None => Ok(()),
            Some(service_type) => {
                Err(Refusal::InvalidSubnetServiceType { service_type: service_type.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        Network, Port, Refusal, Subnet,
        world::{Session, refused, refusal},
    };

    /// A network with a subnet for each of the prefixes and their service types.
    fn table(subnets: &[(&str, Value)]) -> (Session, Network) {
        let mut table = Session::new();
        let network: Network = table.create(json!({})).unwrap();
        for (cidr, types) in subnets {
            let version = if cidr.contains(':') { 6 } else { 4 };
            let mut body = json!({
                "network_id": network.id.to_string(), "ip_version": version, "cidr": cidr,
                "service_types": types});
            if version == 6 {
                body["ipv6_address_mode"] = json!("slaac");
            }
            table.create::<Subnet>(body).unwrap();
        }
        (table, network)
    }

    fn addresses(table: &mut Session, network: &Network, more: Value) -> Result<String, Refusal> {
        let mut body = json!({"network_id": network.id.to_string()});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let port: Port = table.create(body)?;
        let addresses = port.fixed_ips.iter().map(|fixed_ip| fixed_ip.ip_address.to_string());
        Ok(addresses.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_port_gets_its_address_where_ports_of_its_kind_get_theirs() {
        let (mut table, network) = table(&[
            ("10.0.0.0/24", json!([])),
            ("10.1.0.0/29", json!(["compute:nova", "network:floatingip"])),
        ]);
        let of = |owner: &str| json!({ "device_owner": owner });
        let first = addresses(&mut table, &network, of("compute:nova")).unwrap();
        assert!(first.starts_with("10.1.0."), "{first}");
        for other in ["", "compute:other", "network:other"] {
            let address = addresses(&mut table, &network, of(other)).unwrap();
            assert!(address.starts_with("10.0.0."), "{other}: {address}");
        }
        // Who asks for a place gets it.
        let named = json!({"fixed_ips": [{"ip_address": "10.1.0.5"}]});
        assert_eq!(addresses(&mut table, &network, named).unwrap(), "10.1.0.5");
        // When theirs are full, ports get what everybody gets.
        let last = loop {
            let address = addresses(&mut table, &network, of("compute:nova")).unwrap();
            if !address.starts_with("10.1.0.") {
                break address;
            }
        };
        assert!(last.starts_with("10.0.0."), "{last}");
    }

    #[test]
    fn where_all_subnets_are_for_others_there_is_no_address() {
        let (mut table, network) = table(&[("10.0.0.0/24", json!(["compute:nova"]))]);
        let none = addresses(&mut table, &network, json!({}));
        assert_eq!(
            refusal(none),
            refused(409, "IpAddressGenerationFailureNoMatchingSubnet")
        );
        let unaddressed = json!({"fixed_ips": []});
        assert_eq!(addresses(&mut table, &network, unaddressed).unwrap(), "");
    }

    #[test]
    fn addresses_that_hosts_make_themselves_follow_the_service_types_too() {
        let (mut table, network) = table(&[
            ("10.0.0.0/24", json!([])),
            ("2001:db8::/64", json!(["compute:nova"])),
        ]);
        let mac = |owner: &str, mac: &str| json!({"device_owner": owner, "mac_address": mac});
        let both = mac("compute:nova", "fa:16:3e:00:00:01");
        let both = addresses(&mut table, &network, both).unwrap();
        assert!(both.ends_with(" 2001:db8::f816:3eff:fe00:1"), "{both}");
        let four = mac("compute:other", "fa:16:3e:00:00:02");
        let four = addresses(&mut table, &network, four).unwrap();
        assert!(!four.contains(':'), "{four}");
    }

    #[test]
    fn service_types_are_kinds_of_device_owners() {
        let (mut table, network) = table(&[]);
        let mut make = |types: Value| {
            let body = json!({
                "network_id": network.id.to_string(), "ip_version": 4, "cidr": "10.0.0.0/24",
                "service_types": types});
            table.create::<Subnet>(body)
        };
        for unknown in ["kitchen", "", "Compute:nova"] {
            let made = make(json!(["compute:nova", unknown]));
            assert_eq!(refusal(made), refused(400, "InvalidSubnetServiceType"), "{unknown}");
        }
        assert!(make(json!(vec!["compute:nova"; 101])).is_err());
        assert_eq!(make(json!(null)).unwrap().service_types.len(), 0);
    }
}
