//! A project's topology made at its first wish for one: a network, a subnet of each default pool, and
//! a router that leads to the default external network. Each part is made by the rules of its
//! resource, one decision after another in one transaction, so there is a whole topology or none.
//!
//! Network and router are marked; the tables' indexes refuse a second topology of a project, so of
//! requests at once one makes it and the others find it.

use navigator_model::{NetworkId, ProjectId, SubnetId};
use serde_json::{Map, Value, json};

use crate::{
    Context, Facts, Input, Network, Refusal, Resource, Router, Rules, Select, Stop, Subnet,
    SubnetPool, Writes, forwarding::router_interfaces, registry::subnet::IpVersion,
};

const VERSIONS: [IpVersion; 2] = [IpVersion::V4, IpVersion::V6];

/// How many decisions make a topology: the network, two subnets, the router, two interfaces.
pub const STEPS: usize = 6;

/// How many decisions delete one: interfaces, router, network.
pub const DELETION_STEPS: usize = 3;

/// What the decisions before made.
#[derive(Debug, Default)]
pub struct Topology {
    /// Was there before.
    found: bool,
    external: Option<NetworkId>,
    network: Option<NetworkId>,
    subnets: [Option<SubnetId>; 2],
    router: Option<Router>,
}

fn failure(reason: &str) -> Refusal {
    Refusal::AutoAllocationFailure { reason: reason.to_owned() }
}

/// What is wrong with a part is a failure of the deployment to the one who only wanted a network.
fn or_failure<T>(decided: Result<T, Stop>, reason: &str) -> Result<T, Stop> {
    decided.map_err(|stop| match stop {
        Stop::Refuse(Refusal::SubnetAllocationError { .. }) => failure(reason).into(),
        Stop::Refuse(refusal) if [400, 404].contains(&refusal.status()) => failure(reason).into(),
        stop => stop,
    })
}

/// The body of a POST that this server writes itself.
fn input<I: Input>(body: Value) -> Result<I, Stop> {
    let attributes = match body {
        Value::Object(attributes) => attributes,
        _ => Map::new(),
    };
    I::from_json(&attributes).map_err(|(name, reason)| Refusal::invalid(name, reason).into())
}

/// Where topologies lead out, and whether there is anything to cut their subnets from.
pub fn requirements(facts: &Facts, context: &Context<'_>) -> Result<NetworkId, Stop> {
    let external: Vec<Network> = facts.list(Select::eq("is_default", true))?;
    let external = external.into_iter().find(|network| network.external);
    let external = external.ok_or_else(|| failure("No default router:external network"))?;
    let mut pools = 0;
    for version in VERSIONS {
        pools += usize::from(SubnetPool::default_of(version, facts, context.caller)?.is_some());
    }
    if pools == 0 {
        return Err(failure("No default subnetpools defined").into());
    }
    Ok(external.id)
}

fn marked<R: Resource>(project: &ProjectId, facts: &Facts) -> Result<Option<R>, Stop> {
    let select = Select::eq("auto_allocated", true).and("project_id", project.0.clone());
    Ok(facts.list::<R>(select)?.pop())
}

impl Topology {
    /// The network's id, after all steps.
    pub fn network(&self) -> Option<NetworkId> {
        self.network
    }

    /// One of [`STEPS`] decisions, in order. The first forgets what an attempt before made.
    pub fn step(
        &mut self,
        step: usize,
        project: &ProjectId,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<Writes, Stop> {
        match step {
            0 => {
                *self = Self::default();
                self.begin(project, facts, context)
            }
            _ if self.found => Ok(Writes::new()),
            1 | 2 => or_failure(
                self.cut_subnet(step - 1, project, facts, context),
                "Unable to provide tenant private network",
            ),
            3 => or_failure(
                self.make_router(project, facts, context),
                "Unable to provide external connectivity",
            ),
            _ => or_failure(
                self.attach(step - 4, facts, context),
                "Unable to provide external connectivity",
            ),
        }
    }

    fn begin(
        &mut self,
        project: &ProjectId,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<Writes, Stop> {
        let mut writes = Writes::new();
        match (marked::<Network>(project, facts)?, marked::<Router>(project, facts)?) {
            (Some(network), Some(_)) => {
                (self.found, self.network) = (true, Some(network.id));
                return Ok(writes);
            }
            // Somebody deleted the other part: what is left is an ordinary one from now on.
            (Some(network), None) => {
                writes.update(&Network { auto_allocated: false, ..network });
            }
            (None, Some(router)) => {
                writes.update(&Router { auto_allocated: false, ..router });
            }
            (None, None) => {}
        }
        let external = requirements(facts, context)?;
        let body = json!({"name": "auto_allocated_network", "project_id": project.0});
        let (network, made) = Network::create(&input(body)?, None, facts, context)?;
        writes.append(made).update(&Network { auto_allocated: true, ..network.clone() });
        (self.external, self.network) = (Some(external), Some(network.id));
        Ok(writes)
    }

    fn cut_subnet(
        &mut self,
        index: usize,
        project: &ProjectId,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<Writes, Stop> {
        let Some(pool) = SubnetPool::default_of(VERSIONS[index], facts, context.caller)? else {
            return Ok(Writes::new());
        };
        let version = VERSIONS[index].number();
        let body = json!({
            "name": format!("auto_allocated_subnet_v{version}"),
            "network_id": self.network.map(|id| id.to_string()),
            "ip_version": version,
            "subnetpool_id": pool.id.to_string(),
            "project_id": project.0,
        });
        let (subnet, writes) = Subnet::create(&input(body)?, None, facts, context)?;
        self.subnets[index] = Some(subnet.id);
        Ok(writes)
    }

    fn make_router(
        &mut self,
        project: &ProjectId,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<Writes, Stop> {
        let gateway = json!({"network_id": self.external.map(|id| id.to_string())});
        let body = json!({
            "name": "auto_allocated_router",
            "external_gateway_info": gateway,
            "project_id": project.0,
        });
        let (router, mut writes) = Router::create(&input(body)?, None, facts, context)?;
        let router = Router { auto_allocated: true, ..router };
        writes.update(&router);
        self.router = Some(router);
        Ok(writes)
    }

    fn attach(&self, index: usize, facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
        let (Some(subnet), Some(router)) = (self.subnets[index], &self.router) else {
            return Ok(Writes::new());
        };
        let add = Router::actions().iter().find(|action| action.name == "add_router_interface");
        let Some(add) = add else { return Ok(Writes::new()) };
        let mut body = Map::new();
        body.insert("subnet_id".to_owned(), subnet.to_string().into());
        (add.run)(router, &body, facts, context).map(|(_, writes)| writes)
    }
}

/// One of [`DELETION_STEPS`] decisions, in order. Without a topology there is nothing to do; what
/// users added to it and still use is a refusal, and nothing is deleted.
pub fn delete(
    step: usize,
    project: &ProjectId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let network = match marked::<Network>(project, facts)? {
        Some(network) => facts.lock::<Network>(network.id)?,
        None => None,
    };
    let router = match marked::<Router>(project, facts)? {
        Some(router) => facts.lock::<Router>(router.id)?,
        None => None,
    };
    match (step, network, router) {
        (0, Some(network), Some(router)) => detach(&router, network.id, facts, context),
        (1, _, Some(router)) => Router::delete(&router, facts, context),
        (2, Some(network), _) => Network::delete(&network, facts, context),
        _ => Ok(Writes::new()),
    }
}

fn detach(
    router: &Router,
    network: NetworkId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let mut writes = Writes::new();
    let remove = Router::actions().iter().find(|action| action.name == "remove_router_interface");
    let Some(remove) = remove else { return Ok(writes) };
    for port in router_interfaces(router.id, facts)? {
        if port.network_id == network {
            let mut body = Map::new();
            body.insert("port_id".to_owned(), port.id.to_string().into());
            writes.append((remove.run)(router, &body, facts, context)?.1);
        }
    }
    Ok(writes)
}

#[cfg(test)]
mod tests;
