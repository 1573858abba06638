//! For tests: a table of facts that decisions run against and that their writes change. It knows
//! nothing of SQL: columns that the database computes are computed here from the same rows.

mod computed;
mod session;
mod site;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::IpAddr,
};

pub(crate) use session::Session;
pub(crate) use site::{Site, TENANT, network, subnet};

use navigator_model::{AgentId, ObjectKey, Scope};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    Caller, Context, Facts, Input, Query, Refusal, Resource, Row, Rules, Select, Settings,
    SqlValue, Stop, Write, Writes,
    attribute::{Dict, Tags},
    facts::{AddressChoice, Fact, SegmentChoice},
    registry::{agent::Agent, gateway_port_forwarding::GatewayPortForwarding},
    sharing,
};

pub(crate) const NOW: &str = "2026-01-02T03:04:05Z";

/// The administrator, and members of two projects.
pub(crate) fn admin() -> Caller {
    Caller::administrator("admin", "root")
}

pub(crate) fn member(project: &str) -> Caller {
    Caller::new(project, "user").with_roles(["member"])
}

#[derive(Default)]
pub(crate) struct World {
    rows: BTreeMap<&'static str, BTreeMap<String, Row>>,
    /// Subnet and address to port.
    pub(crate) addresses: BTreeMap<(String, IpAddr), String>,
    segments: BTreeSet<(String, Option<String>, u32)>,
    claims: BTreeMap<(String, u8, u16), String>,
    tags: BTreeMap<String, Tags>,
    /// The project of whoever asks.
    asking: String,
    /// What the last decision touched.
    pub(crate) touched: BTreeSet<(Scope, ObjectKey)>,
    /// Whether the last decision touched the hosts.
    pub(crate) touched_hosts: bool,
    /// How many rows the last decision wrote.
    pub(crate) written: usize,
    /// The length of all that the last decision read, printed.
    pub(crate) read: usize,
    pub(crate) settings: Settings,
    seeds: u128,
}

impl World {
    /// An agent of this type that was heard of just now.
    pub(crate) fn agent(&mut self, agent_type: &str, binary: &str, host: &str) {
        self.seeds += 1;
        let agent = Agent {
            id: AgentId(Uuid::from_u128(self.seeds)),
            agent_type: crate::registry::agent::AgentType(agent_type.to_owned()),
            binary: binary.to_owned(),
            topic: "topic".to_owned(),
            host: host.into(),
            availability_zone: None,
            admin_state_up: true,
            configurations: Dict::default(),
            created_at: NOW.to_owned(),
            started_at: NOW.to_owned(),
            heartbeat_timestamp: NOW.to_owned(),
            description: None,
        };
        self.put("agents", &agent.id(), agent.to_row());
    }

    fn put(&mut self, table: &'static str, id: &str, row: Row) {
        self.rows.entry(table).or_default().insert(id.to_owned(), row);
    }

    pub(crate) fn create<R: Rules>(
        &mut self,
        caller: &Caller,
        parent: Option<String>,
        body: Value,
    ) -> Result<R, Refusal> {
        let mut body = map(body);
        body.entry("project_id").or_insert_with(|| caller.project_id.0.clone().into());
        let input = input::<R::Create>(&body)?;
        self.decide(caller, |facts, context| {
            sharing::create(&input, parent.as_deref(), facts, context)
        })
    }

    pub(crate) fn update<R: Rules>(
        &mut self,
        caller: &Caller,
        id: impl ToString,
        body: Value,
    ) -> Result<R, Refusal> {
        let body = map(body);
        let shared = body.get("shared").and_then(Value::as_bool);
        let update = input::<R::Update>(&body)?;
        let current: R = self.get(id);
        self.decide(caller, |facts, context| {
            sharing::update(&current, &update, shared, facts, context)
        })
    }

    pub(crate) fn delete<R: Rules>(
        &mut self,
        caller: &Caller,
        id: impl ToString,
    ) -> Result<(), Refusal> {
        let current: R = self.get(id);
        self.decide(caller, |facts, context| Ok(((), R::delete(&current, facts, context)?)))
    }

    pub(crate) fn action<R: Rules>(
        &mut self,
        caller: &Caller,
        id: impl ToString,
        name: &str,
        body: Value,
    ) -> Result<Value, Refusal> {
        let current: R = self.get(id);
        let action = R::actions().iter().find(|action| action.name == name).unwrap();
        let body = map(body);
        self.decide(caller, |facts, context| (action.run)(&current, &body, facts, context))
    }

    /// The row as it is now, with what the database computes.
    pub(crate) fn get<R: Resource>(&self, id: impl ToString) -> R {
        self.all::<R>(Select::eq("id", id.to_string())).pop().expect("the row is there")
    }

    pub(crate) fn all<R: Resource>(&self, select: Select) -> Vec<R> {
        let rows = self.load(R::declaration().table, &select);
        rows.iter().map(|row| R::from_row(row).unwrap()).collect()
    }

    /// Runs a decision until it ends and applies what it writes, or nothing.
    pub(crate) fn decide<T>(
        &mut self,
        caller: &Caller,
        mut decide: impl FnMut(&Facts, &Context<'_>) -> Result<(T, Writes), Stop>,
    ) -> Result<T, Refusal> {
        self.seeds += 1;
        self.asking.clone_from(&caller.project_id.0);
        let settings = self.settings.clone();
        let seed = Uuid::from_u128(self.seeds);
        let context = Context { caller, settings: &settings, now: NOW, seed };
        let mut facts = Facts::default();
        self.read = 0;
        let mut taken = HashSet::new();
        loop {
            match decide(&facts, &context) {
                Ok((value, writes)) => {
                    self.apply(writes)?;
                    return Ok(value);
                }
                Err(Stop::Need(queries)) => {
                    for query in queries {
                        let fact = self.answer(&query, &mut taken);
                        self.read += format!("{fact:?}").len();
                        facts.insert(query, fact);
                    }
                }
                Err(Stop::Refuse(refusal)) => {
                    self.addresses.retain(|key, _| !taken.contains(key));
                    return Err(refusal);
                }
                Err(Stop::Corrupt(error)) => panic!("{error}"),
            }
        }
    }

    fn answer(&mut self, query: &Query, taken: &mut HashSet<(String, IpAddr)>) -> Fact {
        match query {
            Query::Rows { table, select } => {
                let mut rows = self.load(table, select);
                rows.truncate(select.most.map_or(usize::MAX, |most| most as usize));
                if !select.shown {
                    rows.iter_mut()
                        .for_each(|row| computed::hide_what_rules_do_not_see(table, row));
                }
                Fact::Rows(rows)
            }
            Query::AllocateAddress { subnet_id, port_id, choice, .. } => {
                let subnet_id = subnet_id.to_string();
                let free = |a: &IpAddr| !self.addresses.contains_key(&(subnet_id.clone(), *a));
                let address = match choice {
                    AddressChoice::Exact(address) => Some(*address).filter(free),
                    AddressChoice::Any(ranges) => {
                        ranges.iter().flat_map(|(first, last)| between(*first, *last)).find(free)
                    }
                };
                if let Some(address) = address {
                    self.addresses.insert((subnet_id.clone(), address), port_id.to_string());
                    taken.insert((subnet_id, address));
                }
                Fact::Address(address)
            }
            Query::Tags { object_id } => {
                Fact::Tags(self.tags.get(object_id).cloned().unwrap_or_default())
            }
            Query::AllocateSegment { network_type, physical_network, choice, .. } => {
                let key = |id| (network_type.clone(), physical_network.clone(), id);
                let ranges = match choice {
                    SegmentChoice::Exact(id) => vec![(*id, *id)],
                    SegmentChoice::Any(ranges) => ranges.clone(),
                };
                let mut ids = ranges.into_iter().flat_map(|(first, last)| first..=last);
                let found = ids.find(|id| !self.segments.contains(&key(*id)));
                self.segments.extend(found.map(key));
                Fact::Segment(found)
            }
            Query::FreePort { holder, protocol, ports } => {
                let claimed = |port: &u16| {
                    self.claims.contains_key(&(holder.clone(), protocol.number(), *port))
                };
                let free = ports.ports().find(|port| !claimed(port));
                Fact::Port(free.and_then(navigator_model::L4Port::new))
            }
        }
    }

    fn load(&self, table: &str, select: &Select) -> Vec<Row> {
        let rows = self.rows.get(table).into_iter().flat_map(BTreeMap::values);
        let matching = rows.filter(|row| {
            select.conditions.iter().all(|(column, values)| holds(row, column, values))
        });
        matching.map(|row| self.computed(table, row.clone())).collect()
    }

    fn apply(&mut self, writes: Writes) -> Result<(), Refusal> {
        let before = (self.rows.clone(), self.addresses.clone(), self.claims.clone());
        self.touched.clear();
        self.touched_hosts = false;
        self.written = 0;
        for write in writes.0 {
            if let Err(refusal) = self.write(write) {
                (self.rows, self.addresses, self.claims) = before;
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn write(&mut self, write: Write) -> Result<(), Refusal> {
        self.written += 1;
        match write {
            Write::Insert { declaration, row, .. } => {
                let id = row.text("id").to_owned();
                self.put(declaration.table, &id, row);
            }
            Write::Update { declaration, id, row } => {
                let known = self.rows.entry(declaration.table).or_default();
                assert!(known.contains_key(&id), "{} {id} is updated but gone", declaration.name);
                known.insert(id, row);
            }
            Write::Delete { declaration, id } => {
                let known = self.rows.entry(declaration.table).or_default();
                assert!(known.remove(&id).is_some(), "{} {id} is deleted twice", declaration.name);
            }
            Write::Bump { declaration, id } => {
                assert!(self.rows.entry(declaration.table).or_default().contains_key(&id));
            }
            Write::ReleaseAddress { port_id, address } => {
                let holder = port_id.to_string();
                self.addresses.retain(|(_, held), by| {
                    *by != holder || address.is_some_and(|address| address != *held)
                });
            }
            Write::ClaimPorts { holder, protocol, ports, owner, conflict } => {
                for port in ports.ports() {
                    let key = (holder.clone(), protocol.number(), port);
                    if self.claims.insert(key, owner.clone()).is_some() {
                        return Err(conflict);
                    }
                }
            }
            Write::ReleasePorts { owner } => self.claims.retain(|_, by| *by != owner),
            Write::Touch { scope, object } => drop(self.touched.insert((scope, object))),
            Write::TouchHosts => self.touched_hosts = true,
            Write::Tag { id, add, remove } => {
                let tags = self.tags.entry(id).or_default();
                tags.0.extend(add);
                tags.0.retain(|tag| !remove.contains(tag));
            }
            Write::ReleaseSegments { .. } => {}
            Write::ReleaseSegment { network_type, physical_network, segmentation_id } => {
                self.segments.remove(&(network_type, physical_network, segmentation_id));
            }
        }
        Ok(())
    }

    pub(crate) fn forwards(&self) -> Vec<GatewayPortForwarding> {
        self.all(Select::all())
    }
}

fn between(first: IpAddr, last: IpAddr) -> Box<dyn Iterator<Item = IpAddr>> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Box::new((u32::from(first)..=u32::from(last)).map(|n| IpAddr::V4(n.into())))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            Box::new((u128::from(first)..=u128::from(last)).map(|n| IpAddr::V6(n.into())))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Equality, or an item of the list that a link table keeps.
fn holds(row: &Row, column: &str, values: &[SqlValue]) -> bool {
    let value = row.get(column);
    let items = || match value {
        SqlValue::Text(text) if text.starts_with("[\"") => {
            serde_json::from_str::<Vec<String>>(text).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    values.contains(value) || items().into_iter().any(|item| values.contains(&item.into()))
}

fn map(body: Value) -> Map<String, Value> {
    body.as_object().cloned().unwrap_or_default()
}

fn input<T: Input>(body: &Map<String, Value>) -> Result<T, Refusal> {
    T::from_json(body).map_err(|(name, reason)| Refusal::invalid(name, reason))
}

/// Status and type of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> (u16, String) {
    let refusal = outcome.expect_err("it is refused");
    (refusal.status(), refusal.type_name())
}

/// What [`refusal`] shall be.
pub(crate) fn refused(status: u16, name: &str) -> (u16, String) {
    (status, name.to_owned())
}
