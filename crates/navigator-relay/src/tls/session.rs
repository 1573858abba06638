//! One end of a TLS connection: what came from the socket goes in, plaintext comes out, and the other
//! way round. It never waits, and holds no plaintext: who feeds it gets all there is.

use std::{
    io::{self, BufRead as _, ErrorKind, Write as _},
    net::{IpAddr, TcpStream},
};

use rustls::{ClientConnection, Connection, Error, ServerConnection};

use super::files::{Accepting, Originating};

pub(crate) struct Session {
    end: Connection,
    /// The peer has said that it has said all.
    said_all: bool,
}

/// What a session has agreed on, for those who are told about the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) name: Option<String>,
    pub(crate) protocol: Option<Vec<u8>>,
    pub(crate) version: &'static str,
}

impl Session {
    pub(crate) fn with_client(accepting: &Accepting) -> Result<Self, Error> {
        let end = ServerConnection::new(accepting.config.clone())?;
        Ok(Self::new(Connection::Server(end)))
    }

    /// `protocol` is what the client has agreed to, where it has.
    pub(crate) fn with_target(
        originating: &Originating,
        target: IpAddr,
        protocol: Option<Vec<u8>>,
    ) -> Result<Self, Error> {
        let (config, name) = (originating.config.clone(), originating.name(target));
        let end = match protocol {
            Some(protocol) => ClientConnection::new_with_alpn(config, name, vec![protocol])?,
            None => ClientConnection::new(config, name)?,
        };
        Ok(Self::new(Connection::Client(end)))
    }

    fn new(mut end: Connection) -> Self {
        // What it is given is bounded by who gives it.
        end.set_buffer_limit(None);
        Self { end, said_all: false }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.end.is_handshaking()
    }

    /// Whether the peer has closed its half, as TLS says it.
    pub(crate) fn said_all(&self) -> bool {
        self.said_all
    }

    /// Takes what came from the socket, and puts the plaintext of it to `plain`.
    ///
    /// # Errors
    /// The peer breaks the protocol or is not who it should be. An alert that says so is ready to be
    /// flushed.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), Error> {
        while !bytes.is_empty() && !self.said_all {
            let taken = self.end.read_tls(&mut bytes);
            let state = self.end.process_new_packets()?;
            self.said_all = state.peer_has_closed();
            let mut left = state.plaintext_bytes_to_read();
            let mut reader = self.end.reader();
            while left > 0 {
                let Ok(chunk) = reader.fill_buf() else { break };
                plain.extend_from_slice(chunk);
                let length = chunk.len();
                left = left.saturating_sub(length.max(1));
                reader.consume(length);
            }
            if !taken.is_ok_and(|taken| taken > 0) {
                break;
            }
        }
        Ok(())
    }

    /// What is to be flushed next has these bytes in it.
    pub(crate) fn encrypt(&mut self, plain: &[u8]) -> io::Result<()> {
        self.end.writer().write_all(plain)
    }

    /// What is to be flushed next says that there will be no more.
    pub(crate) fn say_all(&mut self) {
        self.end.send_close_notify();
    }

    pub(crate) fn has_to_flush(&self) -> bool {
        self.end.wants_write()
    }

    /// False: the socket takes no more now.
    pub(crate) fn flush(&mut self, mut socket: &TcpStream) -> io::Result<bool> {
        while self.end.wants_write() {
            match self.end.write_tls(&mut socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    pub(crate) fn spoken(&self) -> Spoken {
        let name = match &self.end {
            Connection::Server(end) => end.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        };
        let version = match self.end.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "",
        };
        Spoken { name, protocol: self.end.alpn_protocol().map(<[u8]>::to_vec), version }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        forward_set::{CertificateFiles, Originate, Terminate, Trust},
        tls::Trusted,
    };

    fn made() -> (Arc<Accepting>, Arc<Originating>) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = (directory.path().join("c"), directory.path().join("k"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let files = CertificateFiles { certificate: certificate.clone(), key };
        let accepting =
            Accepting::read(&Terminate { certificates: vec![files], alpn: Vec::new() }).unwrap();
        let originate = Originate {
            name: Some("a.example".parse().unwrap()),
            trust: Trust::File(certificate),
            alpn: Vec::new(),
            identity: None,
        };
        let originating = Originating::read(&originate, &mut Trusted::default()).unwrap();
        (Arc::new(accepting), Arc::new(originating))
    }

    /// What the session has to say, taken from a socket in its place.
    fn said(session: &mut Session) -> Vec<u8> {
        let mut said = Vec::new();
        while session.has_to_flush() {
            session.end.write_tls(&mut said).unwrap();
        }
        said
    }

    fn pair(made: &(Arc<Accepting>, Arc<Originating>)) -> (Session, Session) {
        let client = Session::with_target(&made.1, [127, 0, 0, 1].into(), None).unwrap();
        (client, Session::with_client(&made.0).unwrap())
    }

    /// Passes what each says to the other, in pieces, until both have nothing to say.
    fn talk(client: &mut Session, server: &mut Session, piece: usize) -> [Vec<u8>; 2] {
        let mut heard = [Vec::new(), Vec::new()];
        loop {
            let (up, down) = (said(client), said(server));
            if up.is_empty() && down.is_empty() {
                return heard;
            }
            up.chunks(piece).for_each(|part| server.feed(part, &mut heard[0]).unwrap());
            down.chunks(piece).for_each(|part| client.feed(part, &mut heard[1]).unwrap());
        }
    }

    #[test]
    fn plaintext_comes_out_as_it_went_in_however_it_is_cut() {
        let made = made();
        for piece in [1, 7, 4_000, 5_000, 65_536] {
            let (mut client, mut server) = pair(&made);
            talk(&mut client, &mut server, piece);
            assert!(!client.is_handshaking() && !server.is_handshaking());
            let up: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
            client.encrypt(&up).unwrap();
            client.say_all();
            server.encrypt(b"down").unwrap();
            let heard = talk(&mut client, &mut server, piece);
            assert!(heard[0] == up, "in pieces of {piece}");
            assert_eq!(heard[1], b"down");
            assert_eq!((server.said_all(), client.said_all()), (true, false));
            // The other half goes on.
            server.encrypt(b"later").unwrap();
            assert_eq!(talk(&mut client, &mut server, piece)[1], b"later");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn fuzz_tls_session(bytes: Vec<u8>, at: usize, byte: u8, piece in 1_usize..600) {
            let made = made();
            let (mut client, mut server) = pair(&made);
            let _ = server.feed(&bytes, &mut Vec::new());
            let (_, mut server) = pair(&made);
            // A hello that was good but for one byte, and noise after a handshake that was good.
            let mut hello = said(&mut client);
            let at = at % hello.len();
            hello[at] = byte;
            for part in hello.chunks(piece) {
                let _ = server.feed(part, &mut Vec::new());
            }
            let (mut client, mut server) = pair(&made);
            talk(&mut client, &mut server, piece);
            let mut plain = Vec::new();
            let _ = server.feed(&bytes, &mut plain);
            let _ = client.feed(&bytes, &mut plain);
            prop_assert!(plain.is_empty());
        }
    }
}
