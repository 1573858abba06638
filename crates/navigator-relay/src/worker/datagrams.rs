//! Datagrams on their way through a worker: a batch from a listening socket to its sessions' targets,
//! and from a target back to its client.

use std::sync::Arc;

use super::{Listening, Worker};
use crate::{
    Refusal,
    live::{Live, Meter, Way},
    tcp::connection::out_of_descriptors,
    timers::Tick,
    token::{Key, Token},
    udp::{Batch, Flow, Session, Train, send},
};

impl Worker {
    /// From clients to targets. Those of one flow go together, in their order.
    pub(super) fn datagrams_up(&mut self, key: Key) {
        let Some(Listening { listener, route, .. }) = self.listening(key) else {
            return;
        };
        let (listener, live) = (Arc::clone(listener), Arc::clone(route.first()));
        let mut batch = self.batch.take().unwrap_or_else(|| Box::new(Batch::new()));
        let count = batch.receive(&listener.socket).unwrap_or(0);
        let mut pending: Vec<(Flow, Vec<Train<'_>>)> = Vec::new();
        for train in (0..count).map(|n| batch.train(n)) {
            let Some(client) = train.peer else {
                continue;
            };
            let flow = Flow { listener: key, client, local: train.local };
            let train = Train { peer: None, local: None, ..train };
            match pending.iter_mut().find(|(known, _)| *known == flow) {
                Some((_, trains)) => trains.push(train),
                None if self.session(flow, &listener, &live).is_some() => {
                    pending.push((flow, vec![train]));
                }
                None => {}
            }
        }
        for (flow, trains) in pending {
            self.send_up(&flow, trains, &live);
        }
        self.batch = Some(batch);
    }

    /// The flow's session; a new one where there is none and the forward lets it in.
    fn session(
        &mut self,
        flow: Flow,
        listener: &Arc<crate::listener::Listener>,
        live: &Arc<Live>,
    ) -> Option<Key> {
        if let Some(key) = self.sessions.find(&flow) {
            return Some(key);
        }
        let now = self.resources.now;
        live.admit(flow.client.ip().to_canonical(), now).ok()?;
        let whereabouts = &mut self.resources.whereabouts;
        let opened = Session::open(flow, listener, live, whereabouts, now)
            .and_then(|session| self.sessions.insert(session, &self.resources.epoll));
        match opened {
            Ok(key) => {
                self.look_at_session(key);
                Some(key)
            }
            Err(error) => {
                if out_of_descriptors(&error) {
                    live.counters().refuse(Refusal::Descriptors);
                } else {
                    live.unreachable(live.target(listener.port), Refusal::Target, &error);
                }
                live.leave();
                None
            }
        }
    }

    fn send_up(&mut self, flow: &Flow, trains: Vec<Train<'_>>, live: &Live) {
        let Some(key) = self.sessions.find(flow) else {
            return;
        };
        let now = self.resources.now;
        let trains = within(Meter::new(live, Way::Up, now), live, trains);
        let Some(session) = self.sessions.get_mut(key).filter(|_| !trains.is_empty()) else {
            return;
        };
        session.last = now;
        // The target's refusal of what was sent before: this session has ended.
        if let Err(error) = send(&session.socket, &trains) {
            live.unreachable(live.target(session.listener.port), Refusal::Target, &error);
            self.sessions.remove(key);
        }
    }

    pub(super) fn datagrams_down(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let mut batch = self.batch.take().unwrap_or_else(|| Box::new(Batch::new()));
        let live = Arc::clone(&session.live);
        match batch.receive(&session.socket) {
            Ok(count) => {
                let now = self.resources.now;
                let trains = (0..count).map(|n| session.back(batch.train(n))).collect();
                let trains = within(Meter::new(&live, Way::Down, now), &live, trains);
                if !trains.is_empty() {
                    live.reached(live.target(session.listener.port));
                    session.last = now;
                    // A client that has gone is no reason to end: it may be one of several hosts'
                    // errors on the listening socket.
                    let _ = send(&session.listener.socket, &trains);
                }
            }
            Err(error) => {
                live.unreachable(live.target(session.listener.port), Refusal::Target, &error);
                self.sessions.remove(key);
            }
        }
        self.batch = Some(batch);
    }

    /// Its time may be over; otherwise it is looked at again when it might be.
    pub(super) fn session_due(&mut self, key: Key, tick: Tick) {
        let now = self.resources.now;
        let Some(session) = self.sessions.get_mut(key).filter(|s| s.due == Some(tick)) else {
            return;
        };
        if session.deadline() <= now {
            self.sessions.remove(key);
        } else {
            self.look_at_session(key);
        }
    }

    fn look_at_session(&mut self, key: Key) {
        if let Some(session) = self.sessions.get_mut(key) {
            let due = self.timers.tick(session.deadline());
            session.due = Some(due);
            self.timers.add(due, Token::session(key));
        }
    }
}

/// Counts what may go; what is beyond the forward's bandwidth is dropped.
fn within<'a>(meter: Meter<'_>, live: &Live, mut trains: Vec<Train<'a>>) -> Vec<Train<'a>> {
    trains.retain(|train| {
        let may = meter.throttled_until().is_none();
        if may {
            meter.count_read(train.bytes.len());
            meter.count_written(train.bytes.len() as u64);
        } else {
            live.counters().refuse_many(Refusal::Bandwidth, train.count() as u64);
        }
        may
    });
    trains
}
