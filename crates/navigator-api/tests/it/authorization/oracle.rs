//! Whether how much is done for an answer tells what the answer does not: for an object of somebody
//! else the database is asked exactly as often as for an id of nothing.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use navigator_api::GuardedRoute;
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

use super::{
    matrix::{Ids, Matrix, body_of},
    place::{self, Place},
    world::{FOREIGN, NOBODYS_ID},
};

/// Counts the statements of this thread.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicUsize>);

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// Of another project, and of nothing.
struct Pair {
    kind: usize,
    route: GuardedRoute,
    foreign: String,
    random: String,
    body: serde_json::Value,
}

impl Matrix {
    fn pairs(&self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for route in navigator_api::guarded_routes() {
            let (kind, alias) = match place::of(&route, &self.world) {
                Some(Place::Member(kind)) => (kind, false),
                Some(Place::Alias(kind)) => (kind, true),
                _ => continue,
            };
            let (parent, id) = (self.parent_key(FOREIGN, kind), self.key(FOREIGN, kind));
            let theirs = Ids { parent, id };
            let nobodys = match parent {
                "" => Ids { parent, id: NOBODYS_ID },
                _ if alias => Ids { parent, id: NOBODYS_ID },
                _ => Ids { parent: NOBODYS_ID, id },
            };
            let (foreign, random) = (theirs.in_path(&route.path), nobodys.in_path(&route.path));
            let body = body_of(&self.world.kinds[kind], &route);
            pairs.push(Pair { kind, route, foreign, random, body });
        }
        pairs
    }

    /// Whoever asks: what they do not see is asked for as often as what there is not.
    pub(super) async fn run_oracle(self) {
        let statements = Statements::default();
        let _counted = tracing::subscriber::set_default(statements.clone());
        let (mut compared, mut all, mut wrong) = (0, 0, Vec::new());
        for pair in self.pairs() {
            for who in 0..self.world.people.all.len() {
                let kind = &self.world.kinds[pair.kind];
                let hidden = match kind.parent() {
                    Some(_) => !self.sees_parent(who, kind, FOREIGN),
                    None => !self.sees(who, pair.kind, FOREIGN),
                };
                if !hidden || self.person(who).project.is_none() {
                    continue;
                }
                let mut counts = BTreeMap::new();
                for path in [&pair.foreign, &pair.random] {
                    // Once before, so that the token is known.
                    self.ask(who, pair.route.method, path, &pair.body).await.expect(404);
                    let before = statements.0.load(Ordering::Relaxed);
                    self.ask(who, pair.route.method, path, &pair.body).await;
                    counts.insert(path, statements.0.load(Ordering::Relaxed) - before);
                }
                compared += 1;
                all += counts[&pair.foreign];
                if counts[&pair.foreign] != counts[&pair.random] {
                    let (name, method) = (self.person(who).name, pair.route.method);
                    wrong.push(format!("{name} {method}: {counts:?}"));
                }
            }
        }
        println!("T26: statements of {compared} pairs, {all} in all, {} differ", wrong.len());
        assert!(compared > 500 && all >= compared, "{compared} pairs, {all} statements");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        self.time().await;
    }

    /// A figure and no verdict: what a loaded machine does to it is more than what is looked for.
    async fn time(&self) {
        let who = self.world.people.all.iter().position(|who| who.name == "other member").unwrap();
        let mut differences = Vec::new();
        let pairs = self.pairs();
        for pair in pairs.iter().filter(|pair| pair.route.method == "GET") {
            let mut taken: [Vec<Duration>; 2] = Default::default();
            for _ in 0..25 {
                for (path, taken) in [&pair.foreign, &pair.random].into_iter().zip(&mut taken) {
                    let start = Instant::now();
                    self.ask(who, "GET", path, &pair.body).await;
                    taken.push(start.elapsed());
                }
            }
            let [foreign, random] = taken.map(|mut taken| {
                taken.sort();
                taken[taken.len() / 2].as_secs_f64()
            });
            differences.push((foreign - random) / random * 100.0);
        }
        differences.sort_by(f64::total_cmp);
        println!(
            "T26: median of the time for a foreign id over that for a random one, of {} routes: \
             {:+.1} %, from {:+.1} % to {:+.1} %",
            differences.len(),
            differences[differences.len() / 2],
            differences[0],
            differences[differences.len() - 1]
        );
    }
}
