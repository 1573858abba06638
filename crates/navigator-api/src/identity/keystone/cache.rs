//! What Keystone said about tokens, for a short while. Keyed by digest, so that nothing in memory
//! is a token. All entries of a kind live equally long, so the oldest is always the next to go; both
//! kinds are bounded, so that whoever invents tokens pushes out entries and nothing else.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use super::token::Token;

/// Tokens that Keystone knows, in bytes.
const MOST_BYTES: usize = 48 << 20;
/// Tokens that it does not know. Each takes a hundred bytes or so.
const MOST_REFUSED: usize = 30_000;
/// Per entry: key, queue and the table's own.
const ENTRY: usize = 192;

/// SHA-256 of the token, and whether it may have expired: these are two questions.
pub(crate) type Key = ([u8; 32], Expiry);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expiry {
    Enforced,
    /// Within Keystone's window, because a service vouches for the request.
    Forgiven,
}

pub(crate) fn key(token: &str, expiry: Expiry) -> Key {
    (Sha256::digest(token).into(), expiry)
}

#[derive(Debug)]
pub(crate) struct Cache {
    lifetime: Duration,
    known: HashMap<Key, (Instant, Arc<Token>)>,
    known_order: VecDeque<(Instant, Key)>,
    bytes: usize,
    refused: HashMap<Key, Instant>,
    refused_order: VecDeque<(Instant, Key)>,
    most_bytes: usize,
    most_refused: usize,
}

impl Cache {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            known: HashMap::new(),
            known_order: VecDeque::new(),
            bytes: 0,
            refused: HashMap::new(),
            refused_order: VecDeque::new(),
            most_bytes: MOST_BYTES,
            most_refused: MOST_REFUSED,
        }
    }

    /// `Some(None)`: Keystone does not know it.
    pub(crate) fn get(&self, key: &Key, now: Instant) -> Option<Option<Arc<Token>>> {
        let fresh = |at: Instant| now.saturating_duration_since(at) < self.lifetime;
        if let Some((_, token)) = self.known.get(key).filter(|(at, _)| fresh(*at)) {
            return Some(Some(Arc::clone(token)));
        }
        self.refused.get(key).filter(|at| fresh(**at)).map(|_| None)
    }

    /// `at` is when Keystone was asked, not when it answered.
    pub(crate) fn insert(&mut self, key: Key, token: Option<Arc<Token>>, at: Instant) {
        if self.lifetime.is_zero() {
            return;
        }
        self.forget_known(&key);
        self.refused.remove(&key);
        match token {
            Some(token) => {
                self.bytes += token.size() + ENTRY;
                self.known.insert(key, (at, token));
                self.known_order.push_back((at, key));
            }
            None => {
                self.refused.insert(key, at);
                self.refused_order.push_back((at, key));
            }
        }
        self.shrink(at);
    }

    pub(crate) fn len(&self) -> (usize, usize) {
        (self.known.len(), self.refused.len())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.refused.len() * ENTRY
    }

    fn forget_known(&mut self, key: &Key) {
        if let Some((_, token)) = self.known.remove(key) {
            self.bytes -= token.size() + ENTRY;
        }
    }

    fn shrink(&mut self, now: Instant) {
        let lifetime = self.lifetime;
        let old = move |at: Instant| now.saturating_duration_since(at) >= lifetime;
        while let Some(&(at, key)) = self.known_order.front()
            && (old(at) || self.bytes > self.most_bytes)
        {
            self.known_order.pop_front();
            if self.known.get(&key).is_some_and(|(of, _)| *of == at) {
                self.forget_known(&key);
            }
        }
        // What was replaced since has left its place in the queue.
        if self.known_order.len() > 2 * self.known.len() + 16 {
            let known = &self.known;
            self.known_order.retain(|(at, key)| known.get(key).is_some_and(|(of, _)| of == at));
        }
        while let Some(&(at, key)) = self.refused_order.front()
            && (old(at) || self.refused_order.len() > self.most_refused)
        {
            self.refused_order.pop_front();
            if self.refused.get(&key) == Some(&at) {
                self.refused.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(10);

    fn token() -> Arc<Token> {
        let text = br#"{"token": {"expires_at": "2026-01-01T00:00:00Z", "user": {"id": "u", "domain": {"id": "d"}}}}"#;
        Arc::new(Token::parse(text).unwrap())
    }

    fn number(n: usize) -> Key {
        key(&n.to_string(), Expiry::Enforced)
    }

    #[test]
    fn an_answer_is_forgotten_after_its_lifetime() {
        let mut cache = Cache::new(LIFETIME);
        let start = Instant::now();
        cache.insert(number(1), Some(token()), start);
        cache.insert(number(2), None, start);
        let before = start + LIFETIME - Duration::from_millis(1);
        assert_eq!(cache.get(&number(1), before), Some(Some(token())));
        assert_eq!(cache.get(&number(2), before), Some(None));
        assert_eq!(cache.get(&number(1), start + LIFETIME), None);
        assert_eq!(cache.get(&number(2), start + LIFETIME), None);
        assert_eq!(cache.get(&number(3), start), None);
        // And its memory is given back when something else comes.
        cache.insert(number(3), None, start + LIFETIME);
        assert_eq!((cache.len(), cache.known_order.len(), cache.bytes), ((0, 1), 0, 0));
    }

    #[test]
    fn a_token_that_may_have_expired_is_another_question() {
        let mut cache = Cache::new(LIFETIME);
        let start = Instant::now();
        cache.insert(key("t", Expiry::Forgiven), Some(token()), start);
        assert_eq!(cache.get(&key("t", Expiry::Enforced), start), None);
    }

    #[test]
    fn a_later_answer_replaces_the_earlier() {
        let mut cache = Cache::new(LIFETIME);
        let start = Instant::now();
        cache.insert(number(1), Some(token()), start);
        cache.insert(number(1), None, start + Duration::from_secs(5));
        assert_eq!(cache.get(&number(1), start + Duration::from_secs(6)), Some(None));
        assert_eq!((cache.len(), cache.bytes), ((0, 1), 0));
    }

    #[test]
    fn a_million_invented_tokens_and_as_many_real_ones_stay_within_bounds() {
        let mut cache = Cache::new(LIFETIME);
        cache.most_bytes = 1 << 20;
        cache.most_refused = 1000;
        let start = Instant::now();
        for n in 0..200_000 {
            cache.insert(number(n), None, start);
            cache.insert(number(1_000_000 + n), Some(token()), start);
            // The same one again and again must not grow the queues either.
            cache.insert(number(7), Some(token()), start);
        }
        assert!(cache.bytes <= 1 << 20, "{}", cache.bytes);
        assert!(cache.refused_order.len() <= 1000 && cache.len().1 <= 1000);
        assert!(cache.known_order.len() <= 2 * cache.known.len() + 16);
    }

    /// Full, it is below 64 MiB.
    const _: () = assert!(MOST_BYTES + MOST_REFUSED * 2 * ENTRY <= 64 << 20);

    #[test]
    fn nothing_is_kept_without_a_lifetime() {
        let mut cache = Cache::new(Duration::ZERO);
        cache.insert(number(1), Some(token()), Instant::now());
        assert_eq!(cache.len(), (0, 0));
    }
}
