//! Hostile clients of one project, and one of another project that only wants to work. Both are known
//! by HTTP basic; what they want and what they get is counted here and judged by who asks.

mod attacker;
mod floods;
mod requests;
mod slow;
mod victim;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

pub use victim::Victim;

/// How often each status was answered; 0 is a connection that ended without.
pub type Answers = BTreeMap<u16, usize>;

/// The htpasswd file in which attacker and victim stand. Each password is its user's name.
pub const HTPASSWD: &str = "\
    alice:$2y$04$TlHuvlncJvA9kJP1WJotYuOuReJDgsoHQiWUtZo4FZXXK2Sm1yjlG\n\
    bob:$2y$04$03DxDzQ1boJ3GLQiHuR3b.Z7GSQL/GRBofwgpp3cEV8A2juy9vFxe\n";

/// The server's for heads and bodies. Shorter than anybody would want it, so that attacks end soon.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// One of the attacks.
#[derive(Clone, Debug)]
pub struct Attack {
    pub name: &'static str,
    /// What it is to be answered with: at least once, and with nothing else but what the means allow.
    pub expected: u16,
    pub means: Means,
}

#[derive(Clone, Debug)]
pub enum Means {
    /// The same request again and again, from several connections at once.
    Flood(Vec<u8>),
    /// So many connections that send this, and then such a byte each second.
    Drip { connections: usize, first: Vec<u8>, rest: Option<u8> },
    /// So many connections with requests whose answers are read late.
    ReadLate(usize),
    /// So many connections that say nothing.
    Idle(usize),
}

impl Attack {
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = requests::table()
            .into_iter()
            .map(|(name, request, expected)| Self { name, expected, means: Means::Flood(request) })
            .collect();
        let drip = |first, rest| Means::Drip { connections: 1000, first, rest };
        for (name, expected, means) in [
            ("1,000 heads at a byte a second", 0, drip(slow::head(), Some(b'a'))),
            ("1,000 bodies at a byte a second", 408, drip(slow::body(0, 16 << 10), Some(b' '))),
            (
                "1,000 bodies of 1 MiB that never end",
                408,
                drip(slow::body((1 << 20) - 1, 1 << 20), None),
            ),
            ("lists that are read late", 200, Means::ReadLate(20)),
            ("10,000 idle connections", 0, Means::Idle(10_000)),
        ] {
            all.push(Self { name, expected, means });
        }
        all
    }

    /// From its begin to its end.
    pub async fn run(&self, to: SocketAddr) -> Answers {
        match &self.means {
            Means::Flood(request) => floods::of(to, request).await,
            Means::Drip { connections, first, rest } => {
                slow::drip(to, *connections, first, *rest).await
            }
            Means::ReadLate(connections) => slow::unread(to, *connections).await,
            Means::Idle(connections) => slow::idle(to, *connections).await,
        }
    }
}
