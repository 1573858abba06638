//! Connections of which at least one side speaks TLS with the relay: what is read is decrypted, what is
//! written is encrypted. Otherwise as `direction.rs`, and by its invariants: what is held is in `pending`
//! or in the sink's session, and nothing is read while anything is held.
//!
//! An end is passed on as it came. One that TLS announces is announced to a TLS sink; one without a
//! word (the socket's end alone) is passed on without a word, so a sink that speaks TLS can tell.

use std::{
    io::{ErrorKind, Read as _},
    net::TcpStream,
};

use rustls::Error;

use super::{
    Resources,
    connection::Accepted,
    direction::{Broken, Direction, TURN, Turn, retry},
};
use crate::{
    Refusal,
    live::{Meter, Way},
    tls::{Session, plain},
};

/// The sessions of a connection.
pub(super) struct Secured {
    client: Option<Box<Session>>,
    pub(super) target: Option<Box<Session>>,
    /// What the client said before the target could be told.
    early: Vec<u8>,
    /// What the target said along with its part of the handshake.
    welcome: Vec<u8>,
}

/// Of one direction: whose TLS is taken off, and whose is put on.
pub(super) struct Ends<'a> {
    source: Option<&'a mut Session>,
    sink: Option<&'a mut Session>,
}

/// How far a handshake is.
pub(super) enum Hands {
    Wait,
    Shaken,
}

impl Secured {
    /// None for a connection that has nothing to do with TLS.
    pub(super) fn new(accepted: &mut Accepted) -> Result<Option<Box<Self>>, Error> {
        let target = match &accepted.live.originating {
            None => None,
            Some(originating) => {
                let address = accepted.live.forward.connect.address;
                let protocol = accepted.session.as_ref().and_then(|it| it.spoken().protocol);
                Some(Box::new(Session::with_target(originating, address, protocol)?))
            }
        };
        let client = accepted.session.take();
        if client.is_none() && target.is_none() {
            return Ok(None);
        }
        Ok(Some(Box::new(Self { client, target, early: Vec::new(), welcome: Vec::new() })))
    }

    /// What the client has said already goes to the target first.
    pub(super) fn say_first(&mut self, said: &[u8], up: &mut Direction) {
        match self.target {
            Some(_) => self.early = said.to_vec(),
            None => up.push(said),
        }
    }

    pub(super) fn ends(&mut self, way: Way) -> Ends<'_> {
        let (client, target) = (self.client.as_deref_mut(), self.target.as_deref_mut());
        match way {
            Way::Up => Ends { source: client, sink: target },
            Way::Down => Ends { source: target, sink: client },
        }
    }

    /// Goes on with the handshake with the target. A PROXY header goes before it.
    ///
    /// # Errors
    /// Why there will be none.
    pub(super) fn shake_hands(
        &mut self,
        target: &TcpStream,
        (up, down): (&mut Direction, &mut Direction),
        resources: &mut Resources,
    ) -> Result<Hands, (Refusal, String)> {
        let Some(session) = self.target.as_deref_mut() else {
            return Ok(Hands::Shaken);
        };
        let broken = |error: std::io::Error| (Refusal::TlsTarget, error.to_string());
        loop {
            while up.held() > 0 {
                if !up.writable || !up.flush(target).map_err(broken)? {
                    return Ok(Hands::Wait);
                }
            }
            if !up.flush_session(session, target).map_err(broken)? {
                return Ok(Hands::Wait);
            }
            if !session.is_handshaking() {
                self.pass_on((up, down)).map_err(broken)?;
                return Ok(Hands::Shaken);
            }
            if !down.readable {
                return Ok(Hands::Wait);
            }
            let fed = match down.read(target, resources.buffer.len(), resources) {
                Ok(Some(0)) => return Err(broken(ErrorKind::UnexpectedEof.into())),
                Ok(Some(n)) => session.feed(&resources.buffer[..n], &mut self.welcome),
                Ok(None) => continue,
                Err(error) => return Err(broken(error)),
            };
            if let Err(error) = fed {
                // It is told why.
                let _ = session.flush(target);
                return Err(refusal(&error));
            }
        }
    }
}

impl Secured {
    /// What either side has said before the handshake was done.
    fn pass_on(&mut self, (up, down): (&mut Direction, &mut Direction)) -> std::io::Result<()> {
        let (early, welcome) = (std::mem::take(&mut self.early), std::mem::take(&mut self.welcome));
        if let Some(session) = self.target.as_deref_mut() {
            session.encrypt(&early)?;
            up.written += early.len() as u64;
        }
        match self.client.as_deref_mut() {
            Some(session) => {
                session.encrypt(&welcome)?;
                down.written += welcome.len() as u64;
            }
            None => down.push(&welcome),
        }
        Ok(())
    }
}

fn refusal(error: &Error) -> (Refusal, String) {
    match error {
        Error::InvalidCertificate(why) => (Refusal::TlsCertificate, plain(why)),
        other => (Refusal::TlsTarget, format!("TLS: {other}")),
    }
}

impl Direction {
    /// Moves what can be moved, as [`Direction::run`] does.
    pub(super) fn run_secured(
        &mut self,
        (source, sink): (&TcpStream, &TcpStream),
        mut ends: Ends<'_>,
        resources: &mut Resources,
        meter: &Meter<'_>,
    ) -> Result<Turn, Broken> {
        let mut moved = 0;
        loop {
            if self.held() > 0 {
                if !self.writable || !self.flush(sink).map_err(|_| Broken::Sink)? {
                    return Ok(Turn::Waits);
                }
                continue;
            }
            if let Some(session) = ends.sink.as_deref_mut()
                && !self.flush_session(session, sink).map_err(|_| Broken::Sink)?
            {
                return Ok(Turn::Waits);
            }
            if self.at_end {
                return Ok(Turn::Ended);
            }
            if ends.source.as_ref().is_some_and(|session| session.said_all()) {
                self.at_end = true;
                if let Some(session) = ends.sink.as_deref_mut() {
                    session.say_all();
                }
                continue;
            }
            if !self.readable {
                return Ok(Turn::Waits);
            }
            if moved >= TURN {
                return Ok(Turn::Yields);
            }
            if let Some(until) = meter.throttled_until() {
                return Ok(Turn::Throttled(until));
            }
            let read = self.take_secured((source, sink), &mut ends, resources, meter)?;
            meter.count_read(read);
            moved += read;
        }
    }

    /// False: the socket takes no more now.
    fn flush_session(&mut self, session: &mut Session, sink: &TcpStream) -> std::io::Result<bool> {
        if !session.has_to_flush() {
            return Ok(true);
        }
        if self.writable {
            self.push_out(sink)?;
            self.writable = session.flush(sink)?;
        }
        Ok(self.writable)
    }

    /// Reads once and passes on what it was.
    fn take_secured(
        &mut self,
        (source, sink): (&TcpStream, &TcpStream),
        ends: &mut Ends<'_>,
        resources: &mut Resources,
        meter: &Meter<'_>,
    ) -> Result<usize, Broken> {
        let most = meter.most(resources.buffer.len());
        let read = self.read(source, most, resources).map_err(|_| Broken::Source)?;
        let Some(n) = read.filter(|n| *n > 0) else {
            self.at_end = read.is_some();
            if self.at_end
                && ends.source.is_none()
                && let Some(session) = ends.sink.as_deref_mut()
            {
                session.say_all();
            }
            return Ok(0);
        };
        let mut plain = std::mem::take(&mut resources.plain);
        plain.clear();
        let bytes = match ends.source.as_deref_mut() {
            Some(session) => {
                if session.feed(&resources.buffer[..n], &mut plain).is_err() {
                    // It is told why, if it listens.
                    let _ = session.flush(source);
                    return Err(Broken::Source);
                }
                &plain[..]
            }
            None => &resources.buffer[..n],
        };
        let passed = match ends.sink.as_deref_mut() {
            Some(session) => {
                self.written += bytes.len() as u64;
                session.encrypt(bytes)
            }
            None => self.write_or_keep(sink, bytes),
        };
        resources.plain = plain;
        passed.map_err(|_| Broken::Sink)?;
        Ok(n)
    }

    /// Into the worker's buffer. A short read is the end of what there is, unless the end is near.
    fn read(
        &mut self,
        mut source: &TcpStream,
        most: usize,
        resources: &mut Resources,
    ) -> std::io::Result<Option<usize>> {
        let read = retry(|| source.read(&mut resources.buffer[..most]))?;
        match read {
            None => self.readable = false,
            Some(n) if n > 0 && n < most && !self.ending => self.readable = false,
            Some(_) => {}
        }
        Ok(read)
    }
}
