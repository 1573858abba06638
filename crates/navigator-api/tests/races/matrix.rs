//! Something is deleted while something else is made that needs it: all pairs of one table, each in
//! many interleavings of their statements. Whatever the order, the database is consistent
//! afterwards, and each request is answered as if it had been alone before or after the other.

mod references;
mod schedule;
mod stage;
mod table;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::Value;

use crate::{
    audit,
    cloud::{Answer, Backend, Cloud},
    relay::Gate,
    seed::{Random, seed, setting},
    servers::Servers,
};
use schedule::{Schedule, Turns};
use stage::{Request, Stage};
use table::{PAIRS, Pair};

/// How many interleavings of each pair the test suite looks at.
const INTERLEAVINGS: usize = 6;

/// What each of the two was told, and how often.
type Outcomes = BTreeMap<String, usize>;

struct Matrix {
    servers: Servers,
    turns: Vec<Arc<Turns>>,
    seed: u64,
}

impl Matrix {
    async fn start(backend: Backend) -> Self {
        let turns: Vec<Arc<Turns>> = (0..2).map(|_| Arc::new(Turns::default())).collect();
        let gates = turns.iter().map(|turns| turns.clone() as Arc<dyn Gate>).collect();
        let servers = Servers::start(backend, gates).await;
        servers.direct.agents_appear().await;
        Self { servers, turns, seed: seed() }
    }

    /// All interleavings of one pair.
    async fn pair(&self, number: usize, pair: &Pair, count: usize) -> Outcomes {
        let mut outcomes = Outcomes::new();
        for run in 0..count {
            let mut stage = Stage::new(&self.servers.direct);
            stage.prepare(pair.given).await;
            let first = stage.request(pair.deletes).await;
            let second = stage.request(pair.makes).await;
            let random = Random::lane(self.seed, (number * 100_000 + run) as u64);
            let told = self.interleave(run, [first, second], random).await;
            for answer in &told {
                assert!(answer.status < 500, "{}, run {run}: {}", pair.name, answer.body);
                // Who made something is shown it, also if it is gone by then.
                let nothing =
                    answer.body.as_object().is_some_and(|b| b.values().any(Value::is_null));
                assert!(answer.status != 201 || !nothing, "{}: {}", pair.name, answer.body);
            }
            let told = told.iter().map(|answer| match answer.status {
                200..300 => "done".to_owned(),
                _ => answer.error_type().to_owned(),
            });
            *outcomes.entry(told.collect::<Vec<_>>().join(" / ")).or_default() += 1;
        }
        outcomes
    }

    /// One request on each server, statement by statement.
    /// The first two runs have one request done before the other.
    async fn interleave(
        &self,
        run: usize,
        requests: [Request; 2],
        mut random: Random,
    ) -> Vec<Answer> {
        if run < 2 {
            let [first, second] = [run, 1 - run];
            let ahead = requests[first].send(&self.servers.gated[first]).await;
            let after = requests[second].send(&self.servers.gated[second]).await;
            return if run == 0 { vec![ahead, after] } else { vec![after, ahead] };
        }
        if !self.servers.is_postgres() {
            let delays = [random.next() % 8000, random.next() % 8000];
            let delays = delays.map(Duration::from_micros);
            let asked = self.servers.gated.iter().zip(&requests).zip(delays).map(
                async |((server, request), delay): ((&Cloud, &Request), Duration)| {
                    tokio::time::sleep(delay).await;
                    request.send(server).await
                },
            );
            return join_all(asked).await;
        }
        let schedule = Schedule::new(&self.turns, random);
        let asked = self.servers.gated.iter().zip(requests).zip(&self.turns).map(
            async |((server, request), turns): ((&Cloud, Request), &Arc<Turns>)| {
                let answer = request.send(server).await;
                turns.finish();
                answer
            },
        );
        let (answers, ()) = tokio::join!(join_all(asked), schedule.run());
        answers
    }
}

async fn nothing_is_left_over(backend: Backend, count: usize) {
    let matrix = Matrix::start(backend).await;
    let only: Option<String> = setting("PAIR");
    let count = setting("INTERLEAVINGS").unwrap_or(count);
    let start = Instant::now();
    let mut wrong = Vec::new();
    for (number, pair) in PAIRS.iter().enumerate() {
        if only.as_ref().is_some_and(|only| !pair.name.contains(only.as_str())) {
            continue;
        }
        let begun = Instant::now();
        let outcomes = matrix.pair(number, pair, count).await;
        println!("{} ({:?}): {outcomes:?}", pair.name, rounded(begun));
        let done =
            |side: usize| outcomes.keys().any(|told| told.split(" / ").nth(side) == Some("done"));
        // Otherwise the pair is not what its name says.
        assert!(done(0) && (done(1) || pair.makes_alone), "{}: {outcomes:?}", pair.name);
        let found = audit::violations(&matrix.servers).await;
        let new = found.iter().filter(|violation| !wrong.contains(*violation)).cloned();
        let new: Vec<String> = new.collect();
        for violation in &new {
            println!("  VIOLATION: {violation}");
        }
        wrong.extend(new);
    }
    println!("{count} interleavings of each pair in {:?}", rounded(start));
    assert!(wrong.is_empty(), "{} violations:\n{}", wrong.len(), wrong.join("\n"));
}

fn rounded(since: Instant) -> Duration {
    Duration::from_millis(since.elapsed().as_millis() as u64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_over_on_postgres() {
    nothing_is_left_over(Backend::Postgres, INTERLEAVINGS).await;
}

/// There the two transactions are one after the other, in either order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_over_on_sqlite() {
    nothing_is_left_over(Backend::Sqlite, 4).await;
}
