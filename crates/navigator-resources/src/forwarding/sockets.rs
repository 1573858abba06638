//! The external and internal ports of a forwarding. A request may say each side as one port or as
//! a range; both forms are stored and shown, the single port is `null` when the range is a real one.

use navigator_model::{L4Port, L4PortRange};

use crate::Refusal;

/// Both sides, with a relation that can be programmed: N to N, or N to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sockets {
    pub external: L4PortRange,
    pub internal: L4PortRange,
}

/// What a request says. The outer `None` means that it does not name the attribute.
#[derive(Clone, Copy, Debug, Default)]
pub struct PortsRequest {
    pub external_port: Option<Option<L4Port>>,
    pub external_port_range: Option<Option<L4PortRange>>,
    pub internal_port: Option<Option<L4Port>>,
    pub internal_port_range: Option<Option<L4PortRange>>,
}

impl PortsRequest {
    /// A request that may leave out what `stored` has.
    pub fn resolve(self, stored: Option<Sockets>) -> Result<Sockets, Refusal> {
        let external = side(
            "external_port",
            self.external_port.flatten(),
            self.external_port_range.flatten(),
            stored.map(|s| s.external),
        )?;
        let internal = side(
            "internal_port",
            self.internal_port.flatten(),
            self.internal_port_range.flatten(),
            stored.map(|s| s.internal),
        )?;
        if internal.count() != 1 && internal.count() != external.count() {
            return Err(Refusal::InvalidInput {
                error_message: "Invalid ranges of internal and/or external ports. The relation \
                                between internal and external ports should be N-N or 1-N"
                    .to_owned(),
            });
        }
        Ok(Sockets { external, internal })
    }
}

/// `null` says the same as not naming it: the other form counts, or what is stored.
fn side(
    name: &'static str,
    port: Option<L4Port>,
    range: Option<L4PortRange>,
    stored: Option<L4PortRange>,
) -> Result<L4PortRange, Refusal> {
    match (port.map(L4PortRange::single), range) {
        (Some(one), Some(range)) if one != range => Err(Refusal::invalid(
            name,
            format!("it contradicts {name}_range '{range}': give one of them"),
        )),
        (Some(said), _) | (None, Some(said)) => Ok(said),
        (None, None) => stored.ok_or_else(|| Refusal::HTTPBadRequest {
            reason: format!(
                "Failed to parse request. Required attribute '{name}' or '{name}_range' not \
                 specified"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(number: u16) -> Option<Option<L4Port>> {
        Some(L4Port::new(number))
    }

    fn range(text: &str) -> Option<Option<L4PortRange>> {
        Some(Some(text.parse().unwrap()))
    }

    fn shown(request: PortsRequest) -> String {
        match request.resolve(None) {
            Ok(sockets) => format!("{}->{}", sockets.external, sockets.internal),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn a_port_is_a_range_of_one() {
        let request = PortsRequest {
            external_port: port(80),
            internal_port_range: range("8080"),
            ..PortsRequest::default()
        };
        assert_eq!(shown(request), "80:80->8080:8080");
    }

    #[test]
    fn a_range_leads_to_as_many_ports_or_to_one() {
        for (external, internal, good) in [
            ("1:3", "11:13", true),
            ("1:3", "11", true),
            ("1:3", "11:12", false),
            ("1", "11:12", false),
        ] {
            let request = PortsRequest {
                external_port_range: range(external),
                internal_port_range: range(internal),
                ..PortsRequest::default()
            };
            assert_eq!(request.resolve(None).is_ok(), good, "{external} {internal}");
        }
    }

    #[test]
    fn a_port_that_contradicts_the_range_is_refused() {
        let request = PortsRequest {
            external_port: port(80),
            external_port_range: range("81"),
            internal_port: port(1),
            ..PortsRequest::default()
        };
        assert!(shown(request).contains("contradicts"));
    }

    #[test]
    fn a_side_that_nobody_names_is_asked_for() {
        let request = PortsRequest { internal_port: port(1), ..PortsRequest::default() };
        assert!(shown(request).contains("'external_port' or 'external_port_range' not specified"));
    }

    #[test]
    fn an_update_keeps_the_side_that_it_does_not_name() {
        let stored =
            Sockets { external: "1:3".parse().unwrap(), internal: "11:13".parse().unwrap() };
        let request = PortsRequest { external_port_range: range("5:7"), ..PortsRequest::default() };
        let Sockets { external, internal } = request.resolve(Some(stored)).unwrap();
        assert_eq!((external.to_string(), internal.to_string()), ("5:7".into(), "11:13".into()));
    }
}
