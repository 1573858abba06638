//! What may be wrong with a Keystone, the fake or what stands before a real one, and how often it was
//! asked. Decides what becomes of a request; never answers one.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::lock;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    #[default]
    None,
    /// Connections end without an answer.
    Down,
    /// Every answer takes this long.
    Slow(Duration),
    /// Every third request ends without an answer.
    Flapping,
    /// Every answer is this status.
    Failing(u16),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Served,
    Ended,
    Answered(u16),
}

#[derive(Debug, Default)]
pub(crate) struct Trials {
    trouble: Mutex<Trouble>,
    requests: AtomicUsize,
    validations: AtomicUsize,
}

impl Trials {
    pub(crate) fn set(&self, trouble: Trouble) {
        *lock(&self.trouble) = trouble;
    }

    /// How often a token was asked about, and that question not lost.
    pub(crate) fn validations(&self) -> usize {
        self.validations.load(Ordering::SeqCst)
    }

    /// A request begins. Waits where everything is slow.
    pub(crate) async fn meet(&self, method: &str, path: &str) -> Fate {
        let trouble = *lock(&self.trouble);
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        match trouble {
            Trouble::Down => return Fate::Ended,
            Trouble::Flapping if number.is_multiple_of(3) => return Fate::Ended,
            Trouble::Failing(status) => return Fate::Answered(status),
            Trouble::Slow(delay) => tokio::time::sleep(delay).await,
            Trouble::None | Trouble::Flapping => {}
        }
        if method == "GET" && path == "/v3/auth/tokens" {
            self.validations.fetch_add(1, Ordering::SeqCst);
        }
        Fate::Served
    }
}
