//! Sockets for the ports that a set has more than the one before. One whose place is still taken by a port
//! of ours that goes is bound after that one has gone.

use std::collections::HashSet;

use socket2::Socket;

use super::{ApplyError, Wanted};
use crate::{
    listener,
    relay::{Relay, explain, in_use, place::Place},
    tcp::connection::out_of_descriptors,
};

/// Sockets bound so far, and places that somebody else has.
#[derive(Default)]
pub(super) struct Bound {
    pub(super) sockets: Vec<(Place, Socket)>,
    /// Taken by a listener of ours that goes.
    pub(super) later: Vec<Place>,
    lines: Vec<String>,
}

impl Relay {
    /// Sockets for all ports that are new.
    pub(super) fn bind(&mut self, wanted: &Wanted) -> Result<Bound, ApplyError> {
        let goes = |place: &&Place| wanted.places.get(place).is_some_and(Vec::is_empty);
        let leaving: HashSet<_> =
            wanted.places.keys().filter(goes).map(|place| place.port()).collect();
        let mut bound = Bound::default();
        for (place, lives) in &wanted.places {
            let Some(live) = lives.first().filter(|_| !self.listeners.contains_key(place)) else {
                continue;
            };
            if let Some(socket) = self.inherited.remove(place) {
                bound.sockets.push((*place, socket));
                continue;
            }
            match listener::bind(&live.forward, place.port, &live.listen_in) {
                Ok(socket) => bound.sockets.push((*place, socket)),
                Err(error) if in_use::is(&error) && leaving.contains(&place.port()) => {
                    bound.later.push(*place);
                }
                Err(error) if out_of_descriptors(&error) => {
                    let ports = self.listeners.len() + wanted.places.len();
                    return Err(ApplyError { lines: vec![explain::no_descriptors(ports)] });
                }
                Err(error) => bound.lines.push(explain::bind(live, place.port, &error)),
            }
        }
        if bound.lines.is_empty() {
            return Ok(bound);
        }
        bound.lines.sort();
        Err(ApplyError { lines: bound.lines })
    }

    /// The places that had to be left first. The set is in force by now, so what fails here is told
    /// and left out.
    pub(super) fn bind_later(&mut self, wanted: &Wanted, places: &[Place]) -> Vec<String> {
        let mut lines = Vec::new();
        for place in places {
            let lives = wanted.places.get(place).map_or(&[][..], Vec::as_slice);
            let Some(live) = lives.first() else { continue };
            match listener::bind(&live.forward, place.port, &live.listen_in) {
                Ok(socket) => {
                    let added = self.add(*place, socket, lives);
                    self.tell(added.as_slice(), &[], &HashSet::new());
                }
                Err(error) => lines.push(explain::bind(live, place.port, &error)),
            }
        }
        lines
    }
}
