//! Flavors: what projects may choose of a service without knowing what it is made of. A router's
//! flavor says of what kind it is.

#[cfg(test)]
mod tests;

use navigator_model::RouterId;

use crate::{
    Context, Facts, Refusal, Resource, Router, Rules, Select, ServiceProfile, SqlValue, Stop,
    Writes,
    attribute::Text,
    registry::service_profile::ServiceProfileId,
    service_provider::{self, ROUTING, RouterKind, ServiceProvider},
};

crate::attribute::ids! { FlavorId }

crate::word_attribute! {
    /// What a flavor is of.
    pub enum ServiceType {
        Routing => "L3_ROUTER_NAT",
        LoadBalancer => "LOADBALANCERV2",
        Qos => "QOS",
        Trunk => "TRUNK",
        Metering => "METERING",
        Log => "LOG_API",
        Vpn => "VPN",
        Firewall => "FIREWALL_V2",
        Flavors => "FLAVORS",
    }
}

/// A named choice of a service.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "flavor",
    collection = "flavors",
    class = "Flavor",
    extension = "flavors",
    visible_to_all = "TRUE"
)]
pub struct Flavor {
    #[field(id, filter, sort)]
    pub id: FlavorId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(create, update, filter, sort, default = Text::default())]
    pub description: Text<1024>,
    #[field(create, required, filter, sort)]
    pub service_type: ServiceType,
    #[field(
        create, update, default = Vec::new(),
        link(table = "flavor_service_profiles", owner = "flavor_id", item = "service_profile_id")
    )]
    pub service_profiles: Vec<ServiceProfileId>,
    #[field(create, update, filter, sort, default = true)]
    pub enabled: bool,
}

impl Flavor {
    fn check_profiles(&self, before: &[ServiceProfileId], facts: &Facts) -> Result<(), Stop> {
        let new = self.service_profiles.iter().filter(|id| !before.contains(id));
        for id in new {
            profile(*id, facts)?;
        }
        Ok(())
    }

    /// Sorted, each once: as the database gives it back.
    fn with_profiles(mut self, mut profiles: Vec<ServiceProfileId>) -> Self {
        profiles.sort_unstable();
        profiles.dedup();
        self.service_profiles = profiles;
        self
    }

    fn check_unused(&self, facts: &Facts) -> Result<(), Stop> {
        let id = self.id.to_string();
        if facts.list::<Router>(Select::eq("flavor_id", id.as_str()))?.is_empty() {
            return Ok(());
        }
        Err(Refusal::FlavorInUse { flavor_id: id }.into())
    }

    /// What the flavor's first enabled profile stands for.
    pub fn next_provider(
        &self,
        facts: &Facts,
    ) -> Result<(&'static ServiceProvider, ServiceProfile), Stop> {
        if !self.enabled {
            return Err(Refusal::FlavorDisabled {}.into());
        }
        let ids = self.service_profiles.iter().map(|id| SqlValue::from(id.to_string()));
        let profiles: Vec<ServiceProfile> = facts.list(Select::any("id", ids))?;
        let Some(profile) = profiles.iter().find(|profile| profile.enabled) else {
            return Err(Refusal::ServiceProfileDisabled {}.into());
        };
        let provider = service_provider::of_driver(&profile.driver.0)
            .filter(|provider| provider.service_type == self.service_type.word());
        let driver = profile.driver.0.clone();
        let provider = provider.ok_or(Refusal::ServiceProfileDriverNotFound { driver })?;
        Ok((provider, profile.clone()))
    }
}

fn profile(id: ServiceProfileId, facts: &Facts) -> Result<ServiceProfile, Stop> {
    let not_found = || Refusal::not_found::<ServiceProfile>(id);
    Ok(facts.find::<ServiceProfile>(id)?.ok_or_else(not_found)?)
}

fn flavor(id: &str, facts: &Facts) -> Result<Flavor, Stop> {
    Ok(facts.lock::<Flavor>(id)?.ok_or_else(|| Refusal::not_found::<Flavor>(id))?)
}

/// Adds a profile to a flavor.
pub fn bind(
    flavor_id: &str,
    profile_id: ServiceProfileId,
    facts: &Facts,
) -> Result<Writes, Stop> {
    let flavor = flavor(flavor_id, facts)?;
    profile(profile_id, facts)?;
    if flavor.service_profiles.contains(&profile_id) {
        return Err(Refusal::FlavorServiceProfileBindingExists {
            fl_id: flavor_id.to_owned(),
            sp_id: profile_id.to_string(),
        }
        .into());
    }
    let mut profiles = flavor.service_profiles.clone();
    profiles.push(profile_id);
    let mut writes = Writes::new();
    writes.update(&flavor.with_profiles(profiles));
    Ok(writes)
}

/// Takes a profile from a flavor.
pub fn unbind(flavor_id: &str, profile_id: &str, facts: &Facts) -> Result<Writes, Stop> {
    let flavor = flavor(flavor_id, facts)?;
    let (gone, kept): (Vec<_>, Vec<_>) =
        flavor.service_profiles.iter().partition(|id| id.to_string() == profile_id);
    if gone.is_empty() {
        return Err(Refusal::FlavorServiceProfileBindingNotFound {
            fl_id: flavor_id.to_owned(),
            sp_id: profile_id.to_owned(),
        }
        .into());
    }
    let mut writes = Writes::new();
    writes.update(&flavor.with_profiles(kept));
    Ok(writes)
}

/// Of what kind the flavor makes a new router, if it is one of routers.
pub(crate) fn of_router(
    id: FlavorId,
    router_id: RouterId,
    facts: &Facts,
) -> Result<RouterKind, Stop> {
    let flavor = flavor(&id.to_string(), facts)?;
    if flavor.service_type.word() != ROUTING {
        return Err(Refusal::InvalidFlavorServiceType {
            service_type: flavor.service_type.to_string(),
            router_id: router_id.to_string(),
        }
        .into());
    }
    Ok(flavor.next_provider(facts)?.0.kind)
}

impl Rules for Flavor {
    fn create(
        input: &FlavorCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let flavor = Self {
            id: FlavorId(context.uuid("flavor")),
            name: input.name.clone(),
            description: input.description.clone(),
            service_type: input.service_type,
            service_profiles: Vec::new(),
            enabled: input.enabled,
        }
        .with_profiles(input.service_profiles.clone());
        flavor.check_profiles(&[], facts)?;
        let mut writes = Writes::new();
        writes.insert(&flavor);
        Ok((flavor, writes))
    }

    fn update(
        current: &Self,
        update: &FlavorUpdate,
        facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut flavor = current.clone();
        update.apply_to(&mut flavor);
        let profiles = flavor.service_profiles.clone();
        let flavor = flavor.with_profiles(profiles);
        flavor.check_profiles(&current.service_profiles, facts)?;
        let mut writes = Writes::new();
        if flavor != *current {
            writes.update(&flavor);
        }
        Ok((flavor, writes))
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        current.check_unused(facts)?;
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }
}
