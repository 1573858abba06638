//! From one set to the next: opens what is new, closes what is gone, and touches nothing else. All that
//! can fail is done before anything changes, so a set that cannot be had leaves the old one in force.
//! Only the forwards that differ are looked at, so a change costs the same in a set of any size.

mod bind;
mod live;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, mpsc::channel},
};

use bind::Bound;
use socket2::Socket;

use super::{
    Relay,
    certificates::Renewed,
    namespaces::{Moved, names},
    place::Place,
};
use crate::{
    Forward, ForwardSet, Removal,
    forward_set::Difference,
    listener::Listener,
    live::Live,
    route::Route,
    token::Key,
    worker::inbox::{Change, Message},
};

/// Why a set is not in force, one line per entry.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct ApplyError {
    pub lines: Vec<String>,
}

/// What becomes of the forwards that differ, and of the ports that they have or want.
#[derive(Default)]
struct Wanted {
    /// Nothing is one that goes.
    forwards: HashMap<Arc<str>, Option<Arc<Live>>>,
    /// Where each port leads. Nowhere is one that goes.
    places: HashMap<Place, Vec<Arc<Live>>>,
}

/// What names and files stood for that stand for something else now.
struct Aside {
    namespaces: Moved,
    certificates: Renewed,
}

impl Relay {
    /// Makes `set` the one in force. Connections of forwards that are the same afterwards, or differ in
    /// limits and timeouts only, go on; those of the others are cut or drained as their old forward
    /// says. Returns when all workers go by the new set.
    ///
    /// # Errors
    /// Names each entry that cannot be had: an address in use, a namespace that is not there. The
    /// old set is in force then.
    pub fn apply(&mut self, set: ForwardSet) -> Result<(), ApplyError> {
        let mut difference = self.set.difference(&set);
        let aside = Aside {
            namespaces: self.namespaces.look_at_all_again(),
            certificates: self.certificates.look_at_all_again(),
        };
        aside.add_to(&mut difference, &set);
        let result = self.make(difference, aside);
        // What a predecessor had and this set does without.
        self.inherited.clear();
        result
    }

    /// Like [`Self::apply`] of the set in force without `removed` and with `added`, but looks at nothing
    /// else: what it costs does not grow with the set. One that is added replaces the one of its name.
    ///
    /// # Errors
    /// As [`Self::apply`], and names each entry that is wrong by itself or beside the others.
    pub fn change<'a>(
        &mut self,
        removed: impl IntoIterator<Item = &'a str>,
        added: impl IntoIterator<Item = (String, Forward)>,
    ) -> Result<(), ApplyError> {
        let mut difference = ForwardSet::difference_of(removed, added);
        let new: Vec<_> = difference.iter().filter_map(|(_, new)| new.clone()).collect();
        let aside = Aside {
            namespaces: self.namespaces.look_again(new.iter().flat_map(|forward| names(forward))),
            certificates: self.certificates.look_again(new.iter().map(|forward| &**forward)),
        };
        aside.add_to(&mut difference, &self.set);
        self.make(difference, aside)
    }

    fn make(&mut self, difference: Difference, aside: Aside) -> Result<(), ApplyError> {
        let result = self.prepare(&difference);
        if result.is_err() {
            self.namespaces.put_back(aside.namespaces);
            self.certificates.put_back(aside.certificates);
        }
        let result = result.and_then(|(wanted, bound)| self.go_by(wanted, bound));
        self.namespaces.forget_unused();
        self.certificates.forget_unused();
        result
    }

    /// All that can fail.
    fn prepare(&mut self, difference: &Difference) -> Result<(Wanted, Bound), ApplyError> {
        let before = self.set.replace(difference.clone()).map_err(|invalid| ApplyError {
            lines: invalid.iter().map(ToString::to_string).collect(),
        })?;
        let prepared = self.wanted(difference).and_then(|wanted| {
            let bound = self.bind(&wanted)?;
            Ok((wanted, bound))
        });
        if prepared.is_err() {
            self.set.undo(before);
        }
        prepared
    }

    fn wanted(&mut self, difference: &Difference) -> Result<Wanted, ApplyError> {
        let (mut wanted, mut lines) = (Wanted::default(), Vec::new());
        for (name, new) in difference {
            for place in self.forwards.get(name).into_iter().flat_map(Place::of) {
                self.place(&mut wanted, place).retain(|live| live.name != *name);
            }
            if new.is_none() {
                wanted.forwards.insert(Arc::clone(name), None);
            }
        }
        for (name, new) in difference {
            let Some(forward) = new else { continue };
            match self.live(name, forward) {
                Ok(live) => {
                    for place in Place::of(&live) {
                        self.place(&mut wanted, place).push(Arc::clone(&live));
                    }
                    wanted.forwards.insert(Arc::clone(name), Some(live));
                }
                Err(reasons) => lines.extend(reasons),
            }
        }
        if lines.is_empty() { Ok(wanted) } else { Err(ApplyError { lines }) }
    }

    /// Where the port shall lead: at first, where it leads now.
    fn place<'a>(&self, wanted: &'a mut Wanted, place: Place) -> &'a mut Vec<Arc<Live>> {
        let now = || match self.listeners.get(&place) {
            Some((_, route)) => route.lives().to_vec(),
            None => Vec::with_capacity(1),
        };
        wanted.places.entry(place).or_insert_with(now)
    }

    fn go_by(&mut self, wanted: Wanted, bound: Bound) -> Result<(), ApplyError> {
        let (mut listen, mut leaving) = (Vec::new(), Vec::new());
        for (place, lives) in &wanted.places {
            let Some((listener, old)) = self.listeners.get_mut(place) else { continue };
            match Route::new(lives.clone()) {
                Some(route) if !old.is_same(&route) => {
                    old.clone_from(&route);
                    listen.push((Arc::clone(listener), route));
                }
                Some(_) => {}
                None => leaving.extend(self.listeners.remove(place)),
            }
        }
        for (place, socket) in bound.sockets {
            listen.extend(wanted.places.get(&place).and_then(|to| self.add(place, socket, to)));
        }
        self.descriptors.look_at_limit(self.others + self.listeners.len());
        leaving.iter().for_each(|(listener, _)| listener.stop());
        let unlisten: Vec<Key> = leaving.iter().map(|(listener, _)| listener.key).collect();
        self.tell(&listen, &unlisten, &self.cut(&wanted));
        drop(leaving);
        for key in unlisten {
            self.keys.remove(key);
        }
        let lines = self.bind_later(&wanted, &bound.later);
        for (name, live) in wanted.forwards {
            match live {
                Some(live) => drop(self.forwards.insert(name, live)),
                None => drop(self.forwards.remove(&name)),
            }
        }
        if lines.is_empty() { Ok(()) } else { Err(ApplyError { lines }) }
    }

    fn add(
        &mut self,
        place: Place,
        socket: Socket,
        lives: &[Arc<Live>],
    ) -> Option<(Arc<Listener>, Route)> {
        let route = Route::new(lives.to_vec())?;
        let (key, transport, port) = (self.keys.insert(()), place.transport, place.port);
        let listener = Arc::new(Listener { key, transport, port, socket });
        self.listeners.insert(place, (Arc::clone(&listener), route.clone()));
        Some((listener, route))
    }

    /// Versions that go and whose forward says that their connections end.
    fn cut(&self, wanted: &Wanted) -> HashSet<u64> {
        let cut = |(name, new): (&Arc<str>, &Option<Arc<Live>>)| {
            let old = self.forwards.get(name)?;
            let stays = new.as_ref().is_some_and(|new| new.version == old.version);
            (old.forward.removal == Removal::Cut && !stays).then_some(old.version)
        };
        wanted.forwards.iter().filter_map(cut).collect()
    }

    /// Tells every worker and waits until each has done it.
    fn tell(&self, listen: &[(Arc<Listener>, Route)], unlisten: &[Key], cut: &HashSet<u64>) {
        if listen.is_empty() && unlisten.is_empty() && cut.is_empty() {
            return;
        }
        let (done, finished) = channel();
        for worker in 0..self.peers.count() {
            let (listen, unlisten, cut) = (listen.to_vec(), unlisten.to_vec(), cut.clone());
            let change = Change { listen, unlisten, cut, done: done.clone() };
            self.peers.send(worker, Message::Change(change));
        }
        drop(done);
        // Ends early only if a worker has ended.
        while finished.recv().is_ok() {}
    }
}

impl Aside {
    /// Forwards that stay as they are, in a namespace whose name stands for another one now, or with
    /// certificates that are others now.
    fn add_to(&self, difference: &mut Difference, set: &ForwardSet) {
        if self.namespaces.is_empty() && self.certificates.is_empty() {
            return;
        }
        let known: HashSet<Arc<str>> =
            difference.iter().map(|(name, _)| Arc::clone(name)).collect();
        for (name, forward) in set.entries().filter(|(name, _)| !known.contains(*name)) {
            let moved = names(forward).any(|netns| self.namespaces.contains_key(netns));
            if moved || self.certificates.concerns(forward) {
                difference.push((Arc::clone(name), Some(Arc::clone(forward))));
            }
        }
    }
}
