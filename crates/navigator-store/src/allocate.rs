//! Takes addresses and segmentation ids. The tables' keys decide who gets one, so that any number
//! of servers may allocate at once; nothing is checked first and inserted later.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use navigator_model::{L4Port, L4PortRange, NetworkId, PortId, Protocol, SubnetId};
use navigator_resources::{
    SqlType, SqlValue,
    facts::{AddressChoice, SegmentChoice},
};

use crate::{backend::Tx, error::StoreError, sql::Sql};

/// Random tries before all that is taken is read.
const TRIES: usize = 8;

pub(crate) struct AddressPlace {
    pub(crate) subnet_id: SubnetId,
    pub(crate) network_id: NetworkId,
    pub(crate) port_id: PortId,
}

pub(crate) struct SegmentPlace {
    pub(crate) network_id: NetworkId,
    pub(crate) network_type: String,
    pub(crate) physical_network: String,
}

pub(crate) async fn address(
    tx: &mut Tx,
    place: &AddressPlace,
    choice: &AddressChoice,
) -> Result<Option<IpAddr>, StoreError> {
    let pools = match choice {
        AddressChoice::Exact(address) => {
            return Ok(take_address(tx, place, *address).await?.then_some(*address));
        }
        AddressChoice::Any(pools) => {
            Pools::new(pools.iter().map(|(a, b)| (number(*a), number(*b))))
        }
    };
    // Pools of one subnet are of one family.
    let like = match choice {
        AddressChoice::Any(pools) => pools.first().map(|pool| pool.0),
        AddressChoice::Exact(address) => Some(*address),
    };
    let Some(like) = like else { return Ok(None) };
    for _ in 0..TRIES {
        let Some(candidate) = pools.random() else { return Ok(None) };
        let candidate = address_of(candidate, like);
        if take_address(tx, place, candidate).await? {
            return Ok(Some(candidate));
        }
    }
    let taken = Sql::with(
        "SELECT ip_address FROM ip_allocations WHERE subnet_id = $1",
        [place.subnet_id.to_string().into()],
    );
    let rows = tx.fetch(taken, &[("ip_address", SqlType::Text)]).await?;
    let mut taken: HashSet<u128> =
        rows.iter().filter_map(|row| row.text("ip_address").parse().ok().map(number)).collect();
    while let Some(free) = pools.random_except(&taken) {
        let candidate = address_of(free, like);
        if take_address(tx, place, candidate).await? {
            return Ok(Some(candidate));
        }
        // Somebody was faster.
        taken.insert(free);
    }
    Ok(None)
}

async fn take_address(
    tx: &mut Tx,
    place: &AddressPlace,
    address: IpAddr,
) -> Result<bool, StoreError> {
    let sql = Sql::with(
        "INSERT INTO ip_allocations (subnet_id, ip_address, network_id, port_id) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (subnet_id, ip_address) DO NOTHING",
        [
            place.subnet_id.to_string().into(),
            address.to_string().into(),
            place.network_id.to_string().into(),
            place.port_id.to_string().into(),
        ],
    );
    Ok(tx.execute(sql).await? == 1)
}

/// The lowest port of the range that nobody claimed of this holder.
pub(crate) async fn free_port(
    tx: &mut Tx,
    holder: &str,
    protocol: Protocol,
    ports: L4PortRange,
) -> Result<Option<L4Port>, StoreError> {
    let sql = Sql::with(
        "SELECT port FROM port_claims \
         WHERE holder = $1 AND protocol = $2 AND port BETWEEN $3 AND $4 ORDER BY port",
        [
            holder.into(),
            protocol.name().into(),
            i64::from(ports.first().get()).into(),
            i64::from(ports.last().get()).into(),
        ],
    );
    let claimed = tx.fetch(sql, &[("port", SqlType::Int)]).await?;
    let mut claimed = claimed.iter().map(|row| row.get("port")).peekable();
    let free = ports.ports().find(|port| {
        let taken = claimed.peek() == Some(&&SqlValue::Int(i64::from(*port)));
        claimed.next_if(|_| taken).is_none()
    });
    Ok(free.and_then(L4Port::new))
}

pub(crate) async fn segment(
    tx: &mut Tx,
    place: &SegmentPlace,
    choice: &SegmentChoice,
) -> Result<Option<u32>, StoreError> {
    let pools = match choice {
        SegmentChoice::Exact(id) => {
            return Ok(take_segment(tx, place, *id).await?.then_some(*id));
        }
        SegmentChoice::Any(ranges) => {
            Pools::new(ranges.iter().map(|(first, last)| (u128::from(*first), u128::from(*last))))
        }
    };
    for _ in 0..TRIES {
        let Some(candidate) = pools.random().and_then(|n| u32::try_from(n).ok()) else {
            return Ok(None);
        };
        if take_segment(tx, place, candidate).await? {
            return Ok(Some(candidate));
        }
    }
    let taken = Sql::with(
        "SELECT segmentation_id FROM segment_allocations \
         WHERE network_type = $1 AND physical_network = $2",
        [place.network_type.as_str().into(), place.physical_network.as_str().into()],
    );
    let rows = tx.fetch(taken, &[("segmentation_id", SqlType::Int)]).await?;
    let mut taken: HashSet<u128> = rows
        .iter()
        .filter_map(|row| match row.get("segmentation_id") {
            navigator_resources::SqlValue::Int(id) => u128::try_from(*id).ok(),
            _ => None,
        })
        .collect();
    while let Some(free) = pools.random_except(&taken) {
        let Ok(candidate) = u32::try_from(free) else { return Ok(None) };
        if take_segment(tx, place, candidate).await? {
            return Ok(Some(candidate));
        }
        taken.insert(free);
    }
    Ok(None)
}

async fn take_segment(tx: &mut Tx, place: &SegmentPlace, id: u32) -> Result<bool, StoreError> {
    let sql = Sql::with(
        "INSERT INTO segment_allocations \
         (network_type, physical_network, segmentation_id, network_id) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (network_type, physical_network, segmentation_id) DO NOTHING",
        [
            place.network_type.as_str().into(),
            place.physical_network.as_str().into(),
            i64::from(id).into(),
            place.network_id.to_string().into(),
        ],
    );
    Ok(tx.execute(sql).await? == 1)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Of the same family as `like`.
fn address_of(number: u128, like: IpAddr) -> IpAddr {
    match (like, u32::try_from(number)) {
        (IpAddr::V4(_), Ok(number)) => Ipv4Addr::from(number).into(),
        _ => Ipv6Addr::from(number).into(),
    }
}

/// Ranges of numbers, first and last included, as one sequence. Never as many as 2^128 numbers: a
/// pool of all of IPv6 loses its last one.
struct Pools {
    ranges: Vec<(u128, u128)>,
    size: u128,
}

impl Pools {
    fn new(ranges: impl Iterator<Item = (u128, u128)>) -> Self {
        let mut pools = Self { ranges: Vec::new(), size: 0 };
        for (first, last) in ranges.filter(|(first, last)| first <= last) {
            let length = (last - first).saturating_add(1).min(u128::MAX - pools.size);
            if length > 0 {
                pools.ranges.push((first, first + (length - 1)));
                pools.size += length;
            }
        }
        pools
    }

    fn random(&self) -> Option<u128> {
        (self.size > 0).then(|| self.at(rand::random_range(0..self.size)))
    }

    /// The next free number after a random place, around the end.
    fn random_except(&self, taken: &HashSet<u128>) -> Option<u128> {
        if self.size == 0 {
            return None;
        }
        let start = rand::random_range(0..self.size);
        (start..self.size).chain(0..start).map(|index| self.at(index)).find(|n| !taken.contains(n))
    }

    fn at(&self, mut index: u128) -> u128 {
        for (first, last) in &self.ranges {
            let length = last - first + 1;
            if index < length {
                return first + index;
            }
            index -= length;
        }
        // Only for an index that is not below the size.
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_every_pool_is_found_and_then_none() {
        let pools = Pools::new([(10, 12), (5, 4), (20, 20)].into_iter());
        let mut taken = HashSet::new();
        while let Some(free) = pools.random_except(&taken) {
            assert!(taken.insert(free));
        }
        assert_eq!(taken, HashSet::from([10, 11, 12, 20]));
    }

    #[test]
    fn the_largest_pool_is_no_overflow() {
        let pools = Pools::new([(0, u128::MAX), (1, 2)].into_iter());
        assert_eq!(pools.size, u128::MAX);
        assert!(pools.random().is_some());
        assert_eq!(pools.at(u128::MAX - 1), u128::MAX - 1);
    }
}
