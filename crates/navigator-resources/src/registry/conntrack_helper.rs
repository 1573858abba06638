//! Conntrack helpers of routers: which protocols' second connections (such as FTP's) a router looks
//! for, and on which port.

#[cfg(test)]
mod tests;

use navigator_model::{L4Port, ProjectId, RouterId};

use crate::{
    Context, Facts, Refusal, Resource, Router, Rules, Select, Stop, Writes, attribute::Text,
};

crate::attribute::ids! { ConntrackHelperId }

crate::word_attribute! {
    /// What a helper's first connection runs over.
    pub enum HelperProtocol {
        Dccp => "dccp",
        Icmp => "icmp",
        Ipv6Icmp => "ipv6-icmp",
        Sctp => "sctp",
        Tcp => "tcp",
        Udp => "udp",
    }
}

/// The kernel's helpers and what each runs over.
const HELPERS: &[(&str, &[HelperProtocol])] = &[
    ("amanda", &[HelperProtocol::Tcp]),
    ("ftp", &[HelperProtocol::Tcp]),
    ("h323", &[HelperProtocol::Tcp, HelperProtocol::Udp]),
    ("irc", &[HelperProtocol::Tcp]),
    ("netbios-ns", &[HelperProtocol::Udp]),
    ("pptp", &[HelperProtocol::Tcp]),
    ("sane", &[HelperProtocol::Tcp]),
    ("sip", &[HelperProtocol::Tcp, HelperProtocol::Udp]),
    ("snmp", &[HelperProtocol::Udp]),
    ("tftp", &[HelperProtocol::Udp]),
];

/// A helper that a router has on one port.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "conntrack_helper",
    collection = "conntrack_helpers",
    class = "ConntrackHelper",
    extension = "l3-conntrack-helper",
    parent = Router,
    parent_column = "router_id"
)]
pub struct ConntrackHelper {
    #[field(id, filter, sort)]
    pub id: ConntrackHelperId,
    #[field(internal)]
    pub router_id: RouterId,
    #[field(create, update, required, filter, sort)]
    pub protocol: HelperProtocol,
    #[field(create, update, required, filter, sort)]
    pub port: L4Port,
    #[field(create, update, required, filter, sort)]
    pub helper: Text<64>,
    /// The router's.
    #[field(create, required, hidden)]
    pub project_id: ProjectId,
}

impl ConntrackHelper {
    /// The kernel has such a helper, and the router has none like it.
    fn check(&self, facts: &Facts) -> Result<(), Stop> {
        let helper = self.helper.0.as_str();
        let Some((_, protocols)) = HELPERS.iter().find(|(name, _)| *name == helper) else {
            return Err(Refusal::ConntrackHelperNotAllowed { helper: helper.to_owned() }.into());
        };
        if !protocols.contains(&self.protocol) {
            let supported: Vec<&str> = protocols.iter().map(|protocol| protocol.word()).collect();
            return Err(Refusal::InvalidProtocolForHelper {
                helper: helper.to_owned(),
                protocol: self.protocol.to_string(),
                supported_protocols: supported.join(", "),
            }
            .into());
        }
        let of_router = Select::eq("router_id", self.router_id.to_string());
        let same = |other: &Self| {
            other.id != self.id
                && (other.protocol, other.port, &other.helper)
                    == (self.protocol, self.port, &self.helper)
        };
        match facts.list::<Self>(of_router)?.iter().any(same) {
            false => Ok(()),
            true => Err(self.duplicate().into()),
        }
    }

    fn duplicate(&self) -> Refusal {
        Refusal::BadRequest {
            resource: "conntrack_helper".to_owned(),
            msg: format!(
                "the router has helper {} for {} port {} already",
                self.helper,
                self.protocol,
                self.port.get()
            ),
        }
    }
}

impl Rules for ConntrackHelper {
    fn create(
        input: &ConntrackHelperCreate,
        parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let router_id = parent.unwrap_or_default();
        // Locked: of two equal helpers the second one finds the first.
        let router = facts
            .lock::<Router>(router_id)?
            .ok_or_else(|| Refusal::not_found::<Router>(router_id))?;
        let helper = Self {
            id: ConntrackHelperId(context.uuid("conntrack_helper")),
            router_id: router.id,
            protocol: input.protocol,
            port: input.port,
            helper: input.helper.clone(),
            project_id: router.standard.project_id,
        };
        helper.check(facts)?;
        let mut writes = Writes::new();
        writes.insert_or(&helper, Some(helper.duplicate())).bump::<Router>(router.id);
        Ok((helper, writes))
    }

    fn update(
        current: &Self,
        update: &ConntrackHelperUpdate,
        facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut helper = current.clone();
        update.apply_to(&mut helper);
        let mut writes = Writes::new();
        if helper != *current {
            helper.check(facts)?;
            writes.update(&helper).bump::<Router>(helper.router_id);
        }
        Ok((helper, writes))
    }

    fn delete(current: &Self, _facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id).bump::<Router>(current.router_id);
        Ok(writes)
    }
}
