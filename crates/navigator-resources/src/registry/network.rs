//! Networks.

use navigator_model::{NetworkId, SubnetId};

use crate::{
    Context, Facts, Refusal, Resource, Rules, Standard, Stop, Writes, attribute::Text,
};

/// A layer-2 segment.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "network",
    collection = "networks",
    class = "Network",
    extension = "network",
    visible_to_all = "shared OR external"
)]
pub struct Network {
    #[field(id)]
    pub id: NetworkId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(computed = "(SELECT string_agg(s.id, ',') FROM subnets s WHERE s.network_id = networks.id)")]
    pub subnets: Vec<SubnetId>,
    #[field(create, update, filter, sort, default = true)]
    pub admin_state_up: bool,
    #[field(filter, sort)]
    pub status: String,
    #[field(create, update, filter, default = false, admin(create, update))]
    pub shared: bool,
    #[field(name = "router:external", create, update, filter, default = false, admin(create, update))]
    pub external: bool,
    #[field(create, update, filter, sort, default = 0)]
    pub mtu: u32,
    #[field(create, update, default = true)]
    pub port_security_enabled: bool,
    #[field(name = "provider:network_type", create, filter, unset, admin(create, get))]
    pub network_type: Text<32>,
    #[field(name = "provider:physical_network", create, filter, unset, admin(create, get))]
    pub physical_network: Option<Text<64>>,
    #[field(name = "provider:segmentation_id", create, filter, unset, admin(create, get))]
    pub segmentation_id: Option<u32>,
    #[field(standard)]
    pub standard: Standard,
}

impl Rules for Network {
    fn create(
        _input: &NetworkCreate,
        _parent: Option<&str>,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        Err(Refusal::NoNetworkAvailable {}.into())
    }

    fn update(
        _current: &Self,
        _update: &NetworkUpdate,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        Err(Refusal::NoNetworkAvailable {}.into())
    }

    fn delete(_current: &Self, _facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        Err(Refusal::NoNetworkAvailable {}.into())
    }
}
