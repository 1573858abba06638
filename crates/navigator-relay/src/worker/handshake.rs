//! Clients whose TLS ends here, from their hello to the last message of the handshake. Only then is their
//! target connected, so those who never get that far cost it nothing. Bounded in bytes and in time.

use std::{io::Read as _, sync::Arc, time::Instant};

use nix::sys::epoll::{EpollEvent, EpollFlags};
use rustls::Error;

use super::Worker;
use crate::{
    Refusal,
    live::Live,
    tcp::connection::{Accepted, reset},
    timers::Tick,
    tls::{Accepting, Session},
    token::{Key, Token},
};

/// The most that a client may say before its handshake is done. Without a certificate of its own it has
/// no reason for a tenth of it.
const LONGEST: usize = 64 * 1024;

pub(super) struct Handshake {
    accepted: Accepted,
    session: Box<Session>,
    heard: usize,
    waits_for: EpollFlags,
    deadline: Instant,
    due: Tick,
}

enum Heard {
    More,
    Done,
    /// No TLS, nothing in common, or the client has gone. What could be said about it was said.
    Failed,
}

impl Handshake {
    /// Takes what there is, says what is to be said.
    fn go_on(&mut self, buffer: &mut [u8]) -> Heard {
        // What was read to find the forward comes first.
        let said = std::mem::take(&mut self.accepted.said);
        if !said.is_empty() && self.feed(&said).is_err() {
            return Heard::Failed;
        }
        loop {
            match self.session.flush(&self.accepted.client) {
                Ok(true) if self.session.is_handshaking() => {}
                Ok(true) => return Heard::Done,
                Ok(false) => return Heard::More,
                Err(_) => return Heard::Failed,
            }
            match (&self.accepted.client).read(buffer) {
                Ok(0) => return Heard::Failed,
                Ok(n) if self.feed(&buffer[..n]).is_err() => return Heard::Failed,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Heard::More,
                Err(_) => return Heard::Failed,
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.heard += bytes.len();
        let fed = match self.heard {
            // What comes with the last message is for the target.
            0..=LONGEST => self.session.feed(bytes, &mut self.accepted.said),
            _ => Err(Error::General("a handshake without an end".to_owned())),
        };
        if fed.is_err() {
            // The client is told why.
            let _ = self.session.flush(&self.accepted.client);
        }
        fed
    }
}

impl Worker {
    pub(super) fn begin_handshake(&mut self, accepted: Accepted, accepting: &Accepting) {
        let Ok(session) = Session::with_client(accepting) else {
            return self.forget(accepted, Refusal::Tls);
        };
        let deadline = accepted.since + accepted.live.forward.timeouts.connect;
        let due = self.timers.tick(deadline);
        let (session, waits_for) = (Box::new(session), EpollFlags::EPOLLIN);
        let handshake = Handshake { accepted, session, heard: 0, waits_for, deadline, due };
        let key = self.handshakes.insert(handshake);
        let token = Token::handshake(key);
        self.timers.add(due, token);
        let Some(handshake) = self.handshakes.get_mut(key) else {
            return;
        };
        let event = EpollEvent::new(waits_for, token.bits());
        if self.resources.epoll.add(&handshake.accepted.client, event).is_err() {
            return self.fail(key, Refusal::Descriptors);
        }
        self.shake_hands(key);
    }

    pub(super) fn shake_hands(&mut self, key: Key) {
        let Some(handshake) = self.handshakes.get_mut(key) else {
            return;
        };
        // A turn of one that speaks without an end is a record or two long.
        let most = LONGEST / 4;
        match handshake.go_on(&mut self.resources.buffer[..most]) {
            Heard::Done => self.set_up(key),
            Heard::Failed => self.fail(key, Refusal::Tls),
            Heard::More => self.wait_for_more(key),
        }
    }

    /// Level-triggered: it lasts a packet or two.
    fn wait_for_more(&mut self, key: Key) {
        let Some(handshake) = self.handshakes.get_mut(key) else {
            return;
        };
        let wanted = match handshake.session.has_to_flush() {
            // Nothing more is taken from one that does not take what it is told.
            true => EpollFlags::EPOLLOUT,
            false => EpollFlags::EPOLLIN,
        };
        if wanted == handshake.waits_for {
            return;
        }
        handshake.waits_for = wanted;
        let mut event = EpollEvent::new(wanted, Token::handshake(key).bits());
        if self.resources.epoll.modify(&handshake.accepted.client, &mut event).is_err() {
            self.fail(key, Refusal::Tls);
        }
    }

    fn set_up(&mut self, key: Key) {
        let Some(Handshake { mut accepted, session, .. }) = self.handshakes.remove(key) else {
            return;
        };
        let _ = self.resources.epoll.delete(&accepted.client);
        accepted.session = Some(session);
        self.open(accepted);
    }

    fn fail(&mut self, key: Key, reason: Refusal) {
        if let Some(Handshake { accepted, .. }) = self.handshakes.remove(key) {
            self.forget(accepted, reason);
        }
    }

    fn forget(&mut self, accepted: Accepted, reason: Refusal) {
        let Accepted { client, live, .. } = accepted;
        live.counters().refuse(reason);
        if reason != Refusal::Tls {
            // Otherwise an alert is under way.
            reset(&client);
        }
        live.leave();
        drop(client);
        self.resume_accepting();
    }

    /// Its time may be over.
    pub(super) fn handshake_due(&mut self, key: Key, tick: Tick) {
        let now = self.resources.now;
        let is_over = |it: &mut Handshake| it.due == tick && it.deadline <= now;
        if self.handshakes.get_mut(key).is_some_and(is_over) {
            self.fail(key, Refusal::TlsTimeout);
        }
    }

    /// Those whose forward has gone.
    pub(super) fn break_off(&mut self, which: impl Fn(&Arc<Live>) -> bool) {
        for key in self.handshakes.keys() {
            if self.handshakes.get_mut(key).is_some_and(|it| which(&it.accepted.live)) {
                self.fail(key, Refusal::Tls);
            }
        }
    }
}
