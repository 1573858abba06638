//! Who has which port of which address: a forward is compared with those alone that it could collide
//! with, so adding one costs the same in a set of ten and of fifty thousand. Forwards with server names
//! may share a port, if no two want the same name.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use super::{Entries, Forward, ServerName, Transport};

/// What a listening socket is for. Ordered so that those that could collide stand together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    transport: Transport,
    netns: Option<Arc<str>>,
    port: u16,
    address: Option<IpAddr>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The forwards' names: one, or several that share the place by server names.
    taken: BTreeMap<Place, Vec<Arc<str>>>,
    names: BTreeMap<(Place, ServerName), Arc<str>>,
}

impl Places {
    /// Notes what the forward listens on, or says what is somebody else's already. `others` are those
    /// that have been added.
    pub(super) fn add(
        &mut self,
        name: &Arc<str>,
        forward: &Forward,
        others: &Entries,
    ) -> Result<(), String> {
        for place in places(forward) {
            let port = place.port;
            self.is_free(&place, forward, others)
                .map_err(|what| format!("listen: port {port} of {} {what}", forward.listen))?;
        }
        for place in places(forward) {
            for server_name in &forward.sni {
                self.names.insert((place.clone(), server_name.clone()), Arc::clone(name));
            }
            self.taken.entry(place).or_insert_with(|| Vec::with_capacity(1)).push(Arc::clone(name));
        }
        Ok(())
    }

    /// Forgets a forward that was added.
    pub(super) fn remove(&mut self, name: &str, forward: &Forward) {
        for place in places(forward) {
            for server_name in &forward.sni {
                self.names.remove(&(place.clone(), server_name.clone()));
            }
            if let Some(owners) = self.taken.get_mut(&place) {
                owners.retain(|owner| **owner != *name);
                if owners.is_empty() {
                    self.taken.remove(&place);
                }
            }
        }
    }

    fn is_free(&self, place: &Place, forward: &Forward, others: &Entries) -> Result<(), String> {
        let Some((owner, other)) = self.owner(place).and_then(|name| others.get_key_value(name))
        else {
            return Ok(());
        };
        if forward.sni.is_empty() || other.sni.is_empty() || forward.listen != other.listen {
            return Err(format!("is forward.{owner}'s already ({})", other.listen));
        }
        if forward.proxies != other.proxies {
            return Err(format!("has another proxy_protocol_from in forward.{owner}"));
        }
        for server_name in &forward.sni {
            if let Some(other) = self.names.get(&(place.clone(), server_name.clone())) {
                return Err(format!("leads '{server_name}' to forward.{other} already"));
            }
        }
        Ok(())
    }

    /// One of those that have the place: of its address, or of all addresses if either is for all.
    fn owner(&self, place: &Place) -> Option<&Arc<str>> {
        let first = |from: Option<IpAddr>, to: Option<IpAddr>| {
            let at = |address| Place { address, ..place.clone() };
            let (_, owners) = self.taken.range(at(from)..=at(to)).next()?;
            owners.first()
        };
        let Some(address) = place.address else {
            return first(None, Some(Ipv6Addr::from_bits(u128::MAX).into()));
        };
        let (all, last): (IpAddr, IpAddr) = match address {
            IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into()),
            IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::from_bits(u128::MAX).into()),
        };
        let of_all = first(None, None).or_else(|| first(Some(all), Some(all)));
        let own = || match address == all {
            true => first(Some(all), Some(last)),
            false => first(Some(address), Some(address)),
        };
        of_all.or_else(own)
    }
}

fn places(forward: &Forward) -> impl Iterator<Item = Place> {
    let (transport, address) = (forward.transport, forward.listen.address);
    let netns: Option<Arc<str>> = forward.listen.netns.as_deref().map(Arc::from);
    let place = move |port| Place { transport, netns: netns.clone(), port, address };
    forward.listen.ports.ports().map(place)
}
