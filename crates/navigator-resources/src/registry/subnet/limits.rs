//! DNS servers and host routes: how many and which. They reach DHCP clients, so each is a typed
//! value and none is text.

use std::{collections::HashSet, net::IpAddr};

use super::{IpVersion, Subnet};
use crate::Refusal;

/// Neutron's `max_dns_nameservers`.
const MAX_DNS_NAMESERVERS: usize = 5;
/// Neutron's `max_subnet_host_routes`.
const MAX_HOST_ROUTES: usize = 20;

impl Subnet {
    pub(super) fn check_limits(&self) -> Result<(), Refusal> {
        self.check_nameservers()?;
        self.check_host_routes()
    }

    fn check_nameservers(&self) -> Result<(), Refusal> {
        let servers = &self.dns_nameservers;
        if servers.len() > MAX_DNS_NAMESERVERS {
            return Err(Refusal::DNSNameServersExhausted {
                subnet_id: self.id.to_string(),
                quota: MAX_DNS_NAMESERVERS.to_string(),
            });
        }
        let mut seen = HashSet::new();
        for server in servers {
            if !seen.insert(server) {
                return Err(Refusal::invalid(
                    "dns_nameservers",
                    format!("Duplicate nameserver '{server}'"),
                ));
            }
            // `0.0.0.0` means "no server" to those who set it.
            let silent = *server == IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
            if IpVersion::of(*server) != self.ip_version || (server.is_multicast() && !silent) {
                let version = self.ip_version.number();
                return Err(Refusal::InvalidInput {
                    error_message: format!(
                        "dns_nameserver '{server}' does not match the ip_version '{version}'"
                    ),
                });
            }
        }
        Ok(())
    }

    fn check_host_routes(&self) -> Result<(), Refusal> {
        let routes = &self.host_routes;
        if routes.len() > MAX_HOST_ROUTES {
            return Err(Refusal::HostRoutesExhausted {
                subnet_id: self.id.to_string(),
                quota: MAX_HOST_ROUTES.to_string(),
            });
        }
        let mut seen = HashSet::new();
        for route in routes {
            if !seen.insert((route.destination, route.nexthop)) {
                return Err(Refusal::invalid(
                    "host_routes",
                    format!("Duplicate hostroute '{} via {}'", route.destination, route.nexthop),
                ));
            }
            let versions = [route.destination.addr(), route.nexthop].map(IpVersion::of);
            if versions != [self.ip_version; 2] {
                return Err(Refusal::InvalidInput {
                    error_message: format!(
                        "host_route '{} via {}' does not match the ip_version '{}'",
                        route.destination,
                        route.nexthop,
                        self.ip_version.number()
                    ),
                });
            }
        }
        Ok(())
    }
}
