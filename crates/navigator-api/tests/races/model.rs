//! A random history of the API, from several clients on several servers, while connections break,
//! transactions are refused and backends are ended. Whatever each was told must be what a single
//! server with one thread could have told them; the database is consistent at the end; and an agent
//! that follows the change log has then seen what is there.
//!
//! The seed decides what the clients want and which statements meet a fault. In which order the
//! database sees them is its own: a seed that fails may have to be run again.

mod client;
mod faults;
mod follower;
mod history;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;

use crate::{
    audit,
    cloud::{Backend, HOST},
    relay::Gate,
    seed::{Random, seed, setting},
    servers::Servers,
};
use client::{Client, Shared};
use faults::Faults;
use follower::Follower;

const SERVERS: usize = 3;
const CLIENTS: usize = 10;
/// Of the history that the test suite runs.
const OPERATIONS: usize = 2500;
const KILLED_EVERY: Duration = Duration::from_millis(400);

async fn random_history(backend: Backend, operations: usize, faulty: bool) {
    let seed = seed();
    let faults: Vec<Arc<Faults>> =
        (0..SERVERS as u64).map(|server| Arc::new(Faults::new(seed, server))).collect();
    let gates = faults.iter().map(|faults| faults.clone() as Arc<dyn Gate>).collect();
    let servers = Servers::start(backend, gates).await;
    servers.direct.agents_appear().await;
    let shared = Shared::start(&servers.direct).await;
    let start = Instant::now();

    let running = AtomicBool::new(true);
    faults.iter().for_each(|one| one.turn(faulty));
    let clients = async {
        let clients = (0..CLIENTS).map(|number| {
            let random = Random::lane(seed, 100 + number as u64);
            Client::new(&servers.gated[number % SERVERS], &shared, random).run(operations / CLIENTS)
        });
        join_all(clients).await;
        running.store(false, Ordering::Relaxed);
    };
    let mut follower = Follower::new(HOST.into());
    let following = async {
        while running.load(Ordering::Relaxed) {
            // What fails is done again, as an agent does it.
            let _ = follower.follow(&servers.gated[0].store).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let killing = async {
        while faulty && running.load(Ordering::Relaxed) {
            tokio::time::sleep(KILLED_EVERY).await;
            servers
                .database()
                .query(
                    "SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_stat_activity \
                     WHERE datname = current_database() AND pid <> pg_backend_pid() \
                     ORDER BY random() LIMIT 1",
                )
                .await;
        }
    };
    tokio::join!(clients, following, killing);
    faults.iter().for_each(|one| one.turn(false));
    let took = start.elapsed();
    // Statements whose client is gone may still be at work.
    tokio::time::sleep(Duration::from_millis(500)).await;

    let injected: usize = faults.iter().map(|one| one.injected()).sum();
    println!("{operations} operations in {took:?}, {injected} faults: {}", shared.summary());
    let mut wrong = shared.check(&servers.direct.store).await;
    wrong.extend(audit::violations(&servers).await);
    wrong.extend(follower.compare(&servers.direct.store).await);
    assert!(wrong.is_empty(), "{} violations:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_history_with_faults_on_postgres() {
    let operations = setting("OPERATIONS").unwrap_or(OPERATIONS);
    random_history(Backend::Postgres, operations, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_history_on_sqlite() {
    let operations = setting("OPERATIONS").unwrap_or(OPERATIONS / 2);
    random_history(Backend::Sqlite, operations, false).await;
}
