//! What epoll and the timers say of an event: which slot, of which generation, which of its sockets.

/// Packed into epoll's 64 bits: kind (3), generation (29), index (31), side (1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The worker's inbox.
    Inbox,
    Listener,
    Connection,
    Greeting,
    Session,
    /// A client whose TLS is not set up yet.
    Handshake,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Target,
}

/// A slot and its generation: a slot used again is another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

pub(crate) const GENERATIONS: u32 = 1 << 29;
const INDEX_MASK: u64 = (1 << 31) - 1;

impl Token {
    pub(crate) const INBOX: Self = Self(0);

    pub(crate) fn listener(key: Key) -> Self {
        Self(1 << 61 | Self::key_bits(key))
    }

    pub(crate) fn greeting(key: Key) -> Self {
        Self(3 << 61 | Self::key_bits(key))
    }

    pub(crate) fn session(key: Key) -> Self {
        Self(4 << 61 | Self::key_bits(key))
    }

    pub(crate) fn handshake(key: Key) -> Self {
        Self(5 << 61 | Self::key_bits(key))
    }

    pub(crate) fn connection(key: Key, side: Side) -> Self {
        Self(2 << 61 | Self::key_bits(key) | u64::from(side == Side::Target))
    }

    fn key_bits(key: Key) -> u64 {
        (u64::from(key.generation) << 32) | (u64::from(key.index) << 1)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0 >> 61 {
            0 => Kind::Inbox,
            1 => Kind::Listener,
            2 => Kind::Connection,
            3 => Kind::Greeting,
            4 => Kind::Session,
            _ => Kind::Handshake,
        }
    }

    pub(crate) fn key(self) -> Key {
        Key {
            index: ((self.0 >> 1) & INDEX_MASK) as u32,
            generation: ((self.0 >> 32) as u32) & (GENERATIONS - 1),
        }
    }

    pub(crate) fn side(self) -> Side {
        if self.0 & 1 == 1 { Side::Target } else { Side::Client }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_keeps_its_parts() {
        for index in [0, 1, 77, u32::MAX >> 1] {
            for generation in [0, 1, GENERATIONS - 1] {
                let key = Key { index, generation };
                for side in [Side::Client, Side::Target] {
                    let token = Token::from_bits(Token::connection(key, side).bits());
                    assert_eq!(
                        (token.kind(), token.key(), token.side()),
                        (Kind::Connection, key, side)
                    );
                }
                assert_eq!(Token::greeting(key).kind(), Kind::Greeting);
                assert_eq!(Token::session(key).kind(), Kind::Session);
                assert_eq!(Token::session(key).key(), key);
                assert_eq!(Token::handshake(key).kind(), Kind::Handshake);
                assert_eq!(Token::listener(key).kind(), Kind::Listener);
                assert_eq!(Token::listener(key).key(), key);
            }
        }
        assert_eq!(Token::INBOX.kind(), Kind::Inbox);
    }
}
