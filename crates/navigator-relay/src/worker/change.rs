//! What the relay and the other workers tell a worker: where to listen, whom to cut, what to take over, when
//! to end. Everything here happens between two turns of connections.

use std::{
    collections::HashSet,
    sync::{Arc, mpsc::Sender},
};

use super::{
    Listening, Worker,
    inbox::{Change, Message},
    settle,
};
use crate::{listener::Listener, route::Route, tcp::Connection, token::Key};

impl Worker {
    pub(super) fn read_inbox(&mut self) {
        self.peers.heard(self.number);
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Settles(connection) => self.take_over(*connection),
                Message::Change(change) => self.change(change),
                Message::StopListening { done } => self.stop_listening(&done),
                Message::End { at } => self.ends = Some(at),
            }
        }
    }

    fn change(&mut self, change: Change) {
        for (listener, route) in change.listen {
            self.listen(listener, route);
        }
        for key in change.unlisten {
            if let Some(gone) = self.take_listening(key) {
                gone.listener.unwatch(&self.resources.epoll);
                self.sessions.remove_if(|session| session.flow.listener == key);
            }
        }
        if !change.cut.is_empty() {
            self.cut(&change.cut);
        }
        // Nobody waits any more if the relay has gone.
        let _ = change.done.send(());
    }

    /// New, or known and leading elsewhere from now on.
    fn listen(&mut self, listener: Arc<Listener>, route: Route) {
        let versions = route.lives().iter().map(|live| live.version);
        self.newest = versions.fold(self.newest, u64::max);
        if !listener.is_for(self.number, self.peers.count()) {
            return;
        }
        let index = listener.key.index as usize;
        if self.listeners.len() <= index {
            self.listeners.resize_with(index + 1, || None);
        }
        match &mut self.listeners[index] {
            Some(known) if known.listener.key == listener.key => known.route = route,
            place => {
                if let Err(error) = listener.watch(&self.resources.epoll) {
                    tracing::error!(forward = %route.first().name, %error, "cannot wait for connections");
                }
                *place = Some(Listening { listener, route, burst: 1 });
            }
        }
    }

    pub(super) fn listening(&mut self, key: Key) -> Option<&mut Listening> {
        let place = self.listeners.get_mut(key.index as usize)?.as_mut()?;
        (place.listener.key == key).then_some(place)
    }

    fn take_listening(&mut self, key: Key) -> Option<Listening> {
        self.listening(key)?;
        self.listeners.get_mut(key.index as usize)?.take()
    }

    fn cut(&mut self, versions: &HashSet<u64>) {
        for key in self.connections.keys() {
            let live = self.connections.get_mut(key).map(|connection| connection.live());
            if live.is_some_and(|live| versions.contains(&live.version)) {
                self.remove(key, Connection::reset);
            }
        }
        self.sessions.remove_if(|session| versions.contains(&session.live.version));
        self.turn_all_away(|route| versions.contains(&route.first().version));
        self.break_off(|live| versions.contains(&live.version));
    }

    fn stop_listening(&mut self, done: &Sender<()>) {
        self.keeps = settle::Keeps::All;
        for listening in std::mem::take(&mut self.listeners).into_iter().flatten() {
            listening.listener.unwatch(&self.resources.epoll);
        }
        // Nobody waits any more if the relay has gone.
        let _ = done.send(());
    }

    /// Whether nobody is here any more, or not for long enough.
    pub(super) fn has_ended(&self) -> bool {
        let is_empty =
            self.connections.is_empty() && self.greetings.is_empty() && self.handshakes.is_empty();
        self.ends.is_some_and(|at| is_empty || at <= self.resources.now)
    }

    pub(super) fn end(&mut self) {
        for key in self.connections.keys() {
            self.remove(key, Connection::reset);
        }
        self.sessions.remove_if(|_| true);
        self.turn_all_away(|_| true);
        self.break_off(|_| true);
    }
}
