//! Which worker has a connection: the one that took it, since most are short and a hand-over costs a wake-up.
//! One that turns out to last gets a place where fewer of its kind are, once.

use super::{Worker, inbox::Message};
use crate::{Removal, tcp::Connection, token::Key};

/// What a worker keeps of what it has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// What may go elsewhere goes where fewer are.
    Few,
    All,
}

impl Worker {
    pub(super) fn settle(&mut self, key: Key) {
        // It may have ended by the very event.
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.settles();
        let place = match self.keeps {
            Keeps::Few => self.peers.place(self.number),
            Keeps::All => self.number,
        };
        self.peers.settles(place);
        if place == self.number {
            return;
        }
        if let Some(mut connection) = self.connections.remove(key) {
            connection.unwatch(&self.resources);
            self.peers.send(place, Message::Settles(Box::new(connection)));
        }
    }

    /// Another worker's, which has settled here.
    pub(super) fn take_over(&mut self, connection: Connection) {
        let is_cut = self.is_cut(&connection);
        let Some(key) = self.have(connection) else {
            return;
        };
        if is_cut {
            return self.remove(key, Connection::reset);
        }
        if let Some(connection) = self.connections.get_mut(key) {
            let next = connection.resume(key, &mut self.resources);
            self.go_on(key, next);
        }
    }

    /// Whether its forward went while it was between two workers, and neither could cut it.
    fn is_cut(&mut self, connection: &Connection) -> bool {
        let live = connection.live();
        let (version, removal) = (live.version, live.forward.removal);
        // A version that this worker has not been told of yet is one that comes, not one that went.
        if removal != Removal::Cut || version > self.newest || self.keeps == Keeps::All {
            return false;
        }
        let listening = self.listening(connection.listener());
        !listening.is_some_and(|it| it.route.lives().iter().any(|live| live.version == version))
    }
}
