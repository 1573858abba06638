//! The same request again and again, from several connections at once.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;

use super::{Answers, attacker::exchange};

const ATTACKERS: usize = 8;
const LASTS: Duration = Duration::from_millis(1500);

pub(super) async fn of(to: SocketAddr, request: &[u8]) -> Answers {
    let start = Instant::now();
    let attackers = (0..ATTACKERS).map(async |_| {
        let mut answers = Answers::new();
        while start.elapsed() < LASTS {
            *answers.entry(exchange(to, request).await).or_default() += 1;
        }
        answers
    });
    let mut all = Answers::new();
    for (status, count) in join_all(attackers).await.into_iter().flatten() {
        *all.entry(status).or_default() += count;
    }
    all
}
