//! For tests: tables of facts that answer a decision's needs, and take its writes. Not a database:
//! no constraints other than addresses, segments and claimed ports, no computed columns.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use navigator_model::{ObjectKey, PortId, Protocol, Scope, SubnetId};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Caller, Context, Facts, Input, Query, Refusal, Resource, Row, Rules, Stop, Write, Writes,
    context::Settings,
    facts::{AddressChoice, Fact, SegmentChoice, Select},
};

pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";

#[derive(Clone)]
pub(crate) struct FactTable {
    tables: BTreeMap<&'static str, BTreeMap<String, Row>>,
    pub(crate) addresses: BTreeMap<(SubnetId, IpAddr), PortId>,
    segments: BTreeSet<(String, String, u32)>,
    claims: BTreeMap<(String, Protocol, u16), String>,
    /// What the last decision touched.
    pub(crate) touched: Vec<(Scope, ObjectKey)>,
    /// Whether the last decision touched the hosts.
    pub(crate) touched_hosts: bool,
    /// How many facts the last decision asked for.
    pub(crate) needs: usize,
    pub(crate) settings: Settings,
    pub(crate) caller: Caller,
    seed: u128,
}

impl FactTable {
    /// Empty, and an administrator of project `admin` asks.
    pub(crate) fn new() -> Self {
        Self {
            tables: BTreeMap::new(),
            addresses: BTreeMap::new(),
            segments: BTreeSet::new(),
            claims: BTreeMap::new(),
            touched: Vec::new(),
            touched_hosts: false,
            needs: 0,
            settings: Settings::default(),
            caller: caller("admin", true),
            seed: 1,
        }
    }

    /// From now on an ordinary member of this project asks.
    pub(crate) fn as_project(&mut self, project: &str) -> &mut Self {
        self.caller = caller(project, false);
        self
    }

    pub(crate) fn as_admin(&mut self) -> &mut Self {
        self.caller = caller("admin", true);
        self
    }

    pub(crate) fn put<R: Resource>(&mut self, object: &R) {
        let table = self.tables.entry(R::declaration().table).or_default();
        table.insert(object.id(), object.to_row());
    }

    pub(crate) fn list<R: Resource>(&self) -> Vec<R> {
        let table = self.tables.get(R::declaration().table);
        table.into_iter().flatten().map(|(_, row)| R::from_row(row).unwrap()).collect()
    }

    pub(crate) fn get<R: Resource>(&self, id: impl ToString) -> Option<R> {
        let row = self.tables.get(R::declaration().table)?.get(&id.to_string())?;
        Some(R::from_row(row).unwrap())
    }

    /// Runs a decision to its end and takes its writes; a refusal leaves everything as it was.
    pub(crate) fn decide<T>(
        &mut self,
        mut decide: impl FnMut(&Facts, &Context<'_>) -> Result<(T, Writes), Stop>,
    ) -> Result<T, Refusal> {
        let mut after = self.clone();
        after.seed += 1;
        let context = Context {
            caller: &self.caller,
            settings: &self.settings,
            now: NOW,
            seed: Uuid::from_u128(after.seed),
        };
        let mut facts = Facts::default();
        for needs in 0..10_000 {
            match decide(&facts, &context) {
                Ok((value, writes)) => {
                    after.needs = needs;
                    after.take(writes)?;
                    *self = after;
                    return Ok(value);
                }
                Err(Stop::Need(query)) => {
                    let fact = after.answer(&query);
                    facts.insert(query, fact);
                }
                Err(Stop::Refuse(refusal)) => return Err(refusal),
                Err(Stop::Corrupt(error)) => panic!("{error}"),
            }
        }
        panic!("the decision asks without end");
    }

    pub(crate) fn create<R: Rules>(&mut self, body: Value) -> Result<R, Refusal> {
        let input = self.input::<R::Create>(body);
        self.decide(|facts, context| R::create(&input, None, facts, context))
    }

    pub(crate) fn create_child<R: Rules>(
        &mut self,
        parent: impl ToString,
        body: Value,
    ) -> Result<R, Refusal> {
        let (parent, input) = (parent.to_string(), self.input::<R::Create>(body));
        self.decide(|facts, context| R::create(&input, Some(&parent), facts, context))
    }

    pub(crate) fn update<R: Rules>(
        &mut self,
        id: impl ToString,
        body: Value,
    ) -> Result<R, Refusal> {
        let input = self.input::<R::Update>(body);
        let current: R = self.get(id).unwrap();
        self.decide(|facts, context| R::update(&current, &input, facts, context))
    }

    pub(crate) fn delete<R: Rules>(&mut self, id: impl ToString) -> Result<(), Refusal> {
        let current: R = self.get(id).unwrap();
        self.decide(|facts, context| Ok(((), R::delete(&current, facts, context)?)))
    }

    /// As the API reads a body: the caller's project is in it unless another is named.
    fn input<I: Input>(&self, body: Value) -> I {
        let mut body = body.as_object().unwrap().clone();
        let project = self.caller.project_id.0.clone();
        body.entry("project_id").or_insert(Value::from(project));
        match I::from_json(&body) {
            Ok(input) => input,
            Err((attribute, reason)) => panic!("{attribute}: {reason}"),
        }
    }

    fn answer(&mut self, query: &Query) -> Fact {
        match query {
            Query::Rows { table, select } => Fact::Rows(self.rows(table, select)),
            Query::AllocateAddress { subnet_id, port_id, choice, .. } => {
                let used = |a: &IpAddr| self.addresses.contains_key(&(*subnet_id, *a));
                let found = match choice {
                    AddressChoice::Exact(address) => Some(*address).filter(|a| !used(a)),
                    AddressChoice::Any(ranges) => {
                        ranges.iter().flat_map(|range| addresses(*range)).find(|a| !used(a))
                    }
                };
                if let Some(address) = found {
                    self.addresses.insert((*subnet_id, address), *port_id);
                }
                Fact::Address(found)
            }
            Query::AllocateSegment { network_type, physical_network, choice, .. } => {
                let name = physical_network.clone().unwrap_or_default();
                let key = |id| (network_type.clone(), name.clone(), id);
                let (first, last) = match choice {
                    SegmentChoice::Exact(id) => (*id, *id),
                    SegmentChoice::Any { first, last } => (*first, *last),
                };
                let found = (first..=last).find(|id| !self.segments.contains(&key(*id)));
                self.segments.extend(found.map(key));
                Fact::Segment(found)
            }
        }
    }

    fn rows(&self, table: &str, select: &Select) -> Vec<Row> {
        let matches = |row: &&Row| {
            select.conditions.iter().all(|(column, values)| values.contains(row.get(column)))
        };
        let rows = self.tables.get(table).into_iter().flat_map(BTreeMap::values);
        rows.filter(matches).cloned().collect()
    }

    fn take(&mut self, writes: Writes) -> Result<(), Refusal> {
        self.touched.clear();
        self.touched_hosts = false;
        for write in writes.0 {
            self.take_one(write)?;
        }
        Ok(())
    }

    fn take_one(&mut self, write: Write) -> Result<(), Refusal> {
        match write {
            Write::Insert { declaration, row, .. } => {
                let id = row.text("id").to_owned();
                let table = self.tables.entry(declaration.table).or_default();
                assert!(table.insert(id, row).is_none(), "inserted twice");
            }
            Write::Update { declaration, id, row } => {
                let table = self.tables.entry(declaration.table).or_default();
                assert!(table.insert(id, row).is_some(), "updated what is not there");
            }
            Write::Delete { declaration, id } => {
                let table = self.tables.entry(declaration.table).or_default();
                assert!(table.remove(&id).is_some(), "deleted what is not there");
            }
            Write::ReleaseAddress { port_id, address } => {
                self.addresses.retain(|(_, held), holder| {
                    *holder != port_id || address.is_some_and(|gone| gone != *held)
                });
            }
            Write::ClaimPorts { holder, protocol, ports, owner, conflict } => {
                for port in ports.ports() {
                    let key = (holder.clone(), protocol, port);
                    if self.claims.insert(key, owner.clone()).is_some() {
                        return Err(conflict);
                    }
                }
            }
            Write::ReleasePorts { owner } => self.claims.retain(|_, held| *held != owner),
            Write::Touch { scope, object } => self.touched.push((scope, object)),
            Write::TouchHosts => self.touched_hosts = true,
            Write::Bump { .. } | Write::ReleaseSegments { .. } => {}
        }
        Ok(())
    }
}

fn caller(project: &str, is_admin: bool) -> Caller {
    Caller { project_id: project.into(), user_id: project.to_owned(), is_admin }
}

fn addresses((start, end): (IpAddr, IpAddr)) -> impl Iterator<Item = IpAddr> {
    crate::registry::subnet::AllocationPool { start, end }.addresses()
}
