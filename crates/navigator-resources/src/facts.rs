//! What a decision knows of the database. A decision asks for a fact; if it has not been loaded
//! yet, the answer is [`Stop::Need`], which the decision passes on with `?`. The store then loads
//! it in the transaction and runs the decision again, until it ends with writes or a refusal.
//!
//! So decisions stay plain functions, they say themselves what they depend on, and a test is a
//! table of facts.

use std::{collections::HashMap, net::IpAddr};

use navigator_model::{L4Port, L4PortRange, NetworkId, PortId, Protocol, SubnetId};

use crate::{
    attribute::Tags,
    refusal::Refusal,
    resource::Resource,
    row::{Row, SqlValue},
};

/// Why a decision did not end with writes.
#[derive(Debug)]
pub enum Stop {
    /// To be loaded in this order.
    Need(Vec<Query>),
    Refuse(Refusal),
    /// A stored row that does not decode.
    Corrupt(crate::row::DecodeError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// Two parts of a decision, neither of which depends on the other: what both need is loaded at once. Where
/// both refuse, the first one says why.
pub fn both<A, B>(one: Result<A, Stop>, other: Result<B, Stop>) -> Result<(A, B), Stop> {
    match (one, other) {
        (Err(Stop::Need(mut queries)), Err(Stop::Need(more))) => {
            queries.extend(more);
            Err(Stop::Need(queries))
        }
        (one, other) => Ok((one?, other?)),
    }
}

/// Equality conditions on columns; several values of one column are alternatives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Select {
    pub conditions: Vec<(&'static str, Vec<SqlValue>)>,
    /// Take row locks (until the transaction ends).
    pub lock: bool,
    /// Keep the rows from being locked by others (until the transaction ends).
    pub hold: bool,
    /// With what only answers show and rules have no use for, such as tags.
    pub shown: bool,
    /// No more rows than these, whichever.
    pub most: Option<u32>,
}

impl Select {
    pub fn all() -> Self {
        Self::default()
    }

    pub fn eq(column: &'static str, value: impl Into<SqlValue>) -> Self {
        Self::default().and(column, value)
    }

    pub fn any(column: &'static str, values: impl IntoIterator<Item = SqlValue>) -> Self {
        Self { conditions: vec![(column, values.into_iter().collect())], ..Self::default() }
    }

    #[must_use]
    pub fn and(mut self, column: &'static str, value: impl Into<SqlValue>) -> Self {
        self.conditions.push((column, vec![value.into()]));
        self
    }

    #[must_use]
    pub fn locked(mut self) -> Self {
        self.lock = true;
        self
    }

    #[must_use]
    pub fn as_shown(mut self) -> Self {
        self.shown = true;
        self
    }

    /// For who asks whether there are any, of which there may be many.
    #[must_use]
    pub fn at_most(mut self, rows: u32) -> Self {
        self.most = Some(rows);
        self
    }

    /// For rows that the decision depends on and does not change: any number of transactions may
    /// hold a row at once, and whoever changes or deletes it locks it and so comes before or after.
    /// Bumps of its revision go on.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.hold = true;
        self
    }
}

/// A fact that can be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// Rows of a resource's table, computed columns included, ordered by id.
    Rows { table: &'static str, select: Select },
    /// Takes an address of a subnet for a port in `ip_allocations`: the given one, or any free one
    /// of the ranges. Uniqueness is the database's. Undone with the transaction.
    AllocateAddress {
        subnet_id: SubnetId,
        network_id: NetworkId,
        port_id: PortId,
        choice: AddressChoice,
    },
    /// The tags of an object.
    Tags { object_id: String },
    /// Takes a segmentation id for a network in `segment_allocations`.
    AllocateSegment {
        network_id: NetworkId,
        network_type: String,
        physical_network: Option<String>,
        choice: SegmentChoice,
    },
    /// The lowest port of a range that nobody claims. It takes nothing: the holder's row is locked.
    FreePort { holder: String, protocol: Protocol, ports: L4PortRange },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AddressChoice {
    Exact(IpAddr),
    /// First and last address of each range; tried at random first, then exhaustively.
    Any(Vec<(IpAddr, IpAddr)>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SegmentChoice {
    Exact(u32),
    /// First and last id of each range; tried at random first, then exhaustively.
    Any(Vec<(u32, u32)>),
}

impl Query {
    /// What [`Facts::list`] of the same selection asks for.
    pub fn rows<R: Resource>(select: Select) -> Self {
        Self::Rows { table: R::declaration().table, select }
    }

    /// Whether it waits for whoever has locked the rows.
    pub fn locks(&self) -> bool {
        matches!(self, Self::Rows { select, .. } if select.lock || select.hold)
    }
}

/// A loaded fact.
#[derive(Clone, Debug)]
pub enum Fact {
    Rows(Vec<Row>),
    /// `None`: taken, or none left.
    Address(Option<IpAddr>),
    Segment(Option<u32>),
    Port(Option<L4Port>),
    Tags(Tags),
}

#[derive(Debug, Default)]
pub struct Facts {
    loaded: HashMap<Query, Fact>,
}

impl Facts {
    pub fn insert(&mut self, query: Query, fact: Fact) {
        self.loaded.insert(query, fact);
    }

    fn get(&self, query: Query) -> Result<&Fact, Stop> {
        self.loaded.get(&query).ok_or_else(|| Stop::Need(vec![query]))
    }

    /// Goes on when all of these are known, and asks for the others at once: for a decision that needs
    /// each of them whatever the others are. Locks come first; what was read before one of them was
    /// granted is read again.
    pub fn ask(&self, queries: impl IntoIterator<Item = Query>) -> Result<(), Stop> {
        let mut queries: Vec<Query> = queries.into_iter().collect();
        let is_unknown = |query: &Query| !self.knows(query);
        let waits = queries.iter().any(|query| query.locks() && is_unknown(query));
        queries.retain(|query| is_unknown(query) || (waits && !query.locks()));
        if queries.is_empty() { Ok(()) } else { Err(Stop::Need(queries)) }
    }

    pub fn knows(&self, query: &Query) -> bool {
        self.loaded.contains_key(query)
    }

    /// All rows that match, by id, as they are stored and computed.
    pub fn rows<R: Resource>(&self, select: Select) -> Result<&[Row], Stop> {
        match self.get(Query::rows::<R>(select))? {
            Fact::Rows(rows) => Ok(rows),
            _ => Ok(&[]),
        }
    }

    /// All rows that match, by id.
    pub fn list<R: Resource>(&self, select: Select) -> Result<Vec<R>, Stop> {
        let rows = self.rows::<R>(select)?;
        rows.iter().map(R::from_row).collect::<Result<_, _>>().map_err(Stop::Corrupt)
    }

    /// The row of this id, of any project: visibility is the caller's to check.
    pub fn find<R: Resource>(&self, id: impl ToString) -> Result<Option<R>, Stop> {
        Ok(self.list(Select::eq("id", id.to_string()))?.pop())
    }

    /// The same, and nobody else changes it until the transaction ends.
    pub fn lock<R: Resource>(&self, id: impl ToString) -> Result<Option<R>, Stop> {
        Ok(self.list(Select::eq("id", id.to_string()).locked())?.pop())
    }

    /// The tags of the object of this id.
    pub fn tags(&self, id: &str) -> Result<Tags, Stop> {
        match self.get(Query::Tags { object_id: id.to_owned() })? {
            Fact::Tags(tags) => Ok(tags.clone()),
            _ => Ok(Tags::default()),
        }
    }

    /// The row of this id as it stays until the transaction ends. See [`Select::held`].
    pub fn hold<R: Resource>(&self, id: impl ToString) -> Result<Option<R>, Stop> {
        Ok(self.list(Select::eq("id", id.to_string()).held())?.pop())
    }

    /// Takes an address; `None` when it is taken or none is left.
    pub fn allocate_address(
        &self,
        subnet_id: SubnetId,
        network_id: NetworkId,
        port_id: PortId,
        choice: AddressChoice,
    ) -> Result<Option<IpAddr>, Stop> {
        match self.get(Query::AllocateAddress { subnet_id, network_id, port_id, choice })? {
            Fact::Address(address) => Ok(*address),
            _ => Ok(None),
        }
    }

    /// The lowest port of `ports` that `holder` has free. Lock the holder's row before.
    pub fn free_port(
        &self,
        holder: &str,
        protocol: Protocol,
        ports: L4PortRange,
    ) -> Result<Option<L4Port>, Stop> {
        match self.get(Query::FreePort { holder: holder.to_owned(), protocol, ports })? {
            Fact::Port(port) => Ok(*port),
            _ => Ok(None),
        }
    }

    /// Takes a segmentation id; `None` when it is taken or none is left.
    pub fn allocate_segment(
        &self,
        network_id: NetworkId,
        network_type: &str,
        physical_network: Option<&str>,
        choice: SegmentChoice,
    ) -> Result<Option<u32>, Stop> {
        match self.get(Query::AllocateSegment {
            network_id,
            network_type: network_type.to_owned(),
            physical_network: physical_network.map(str::to_owned),
            choice,
        })? {
            Fact::Segment(id) => Ok(*id),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_parts_of_a_decision_need_is_asked_for_at_once() {
        let need = |id: &str| Err(Stop::Need(vec![Query::Tags { object_id: id.to_owned() }]));
        let refused = || Err(Stop::Refuse(Refusal::NoNetworkAvailable {}));
        let asked = |stopped: Result<((), ()), Stop>| match stopped {
            Err(Stop::Need(queries)) => queries.len(),
            Err(_) => 0,
            Ok(_) => 9,
        };
        assert_eq!(asked(both(need("1"), need("2"))), 2);
        assert_eq!(asked(both(need("1"), Ok(()))), 1);
        assert_eq!(asked(both(Ok(()), need("2"))), 1);
        // The first is not known to agree yet.
        assert_eq!(asked(both(need("1"), refused())), 1);
        assert_eq!(asked(both(refused(), need("2"))), 0);
        assert_eq!(asked(both(Ok(()), refused())), 0);
        assert_eq!(asked(both(Ok(()), Ok(()))), 9);
    }
}
