//! A database that is killed, fails and stalls under load: what was acknowledged is there, nothing
//! is half there, and clients are told to come back, never 500. NAVIGATOR_OUTAGE_OPERATIONS: how many
//! networks are made at least.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use navigator_testkit::Postgres;
use serde_json::json;

use crate::cloud::{Cloud, text};

/// What clients saw.
#[derive(Default)]
struct Ledger {
    acknowledged: Vec<String>,
    /// Answers 503, and what else was answered than expected.
    unavailable: usize,
    wrong: Vec<String>,
    slowest: Duration,
}

struct Load {
    cloud: Arc<Cloud>,
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
}

const CLIENTS: usize = 8;

impl Load {
    async fn new(postgres: &Postgres, database: &str) -> Self {
        // A commit is in the kernel's hands before it is acknowledged: what a killed process loses
        // otherwise is PostgreSQL's choice, not ours.
        let name = database.split('?').next().unwrap().rsplit('/').next().unwrap();
        let durable = format!("ALTER DATABASE {name} SET synchronous_commit = on");
        postgres.sql("postgres", &durable);
        let cloud = Arc::new(Cloud::at(database).await);
        Self { cloud, ledger: Arc::default(), stop: Arc::default() }
    }

    /// Whether as much was asked as somebody wants to see.
    fn has_done_enough(&self) -> bool {
        let wanted = std::env::var("NAVIGATOR_OUTAGE_OPERATIONS");
        let wanted = wanted.map_or(0, |text| text.parse().expect("a number"));
        self.ledger.lock().unwrap().acknowledged.len() >= wanted
    }

    /// Clients that make, list and delete networks until they are told to stop.
    async fn run(&self, during: impl Future<Output = ()>) {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (cloud, ledger) = (Arc::clone(&self.cloud), Arc::clone(&self.ledger));
                let stop = Arc::clone(&self.stop);
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        if !one(&cloud, &ledger).await {
                            // As clients do that are told to come back.
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                })
            })
            .collect();
        during.await;
        self.stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
    }
}

/// Whether one could be made.
async fn one(cloud: &Cloud, ledger: &Mutex<Ledger>) -> bool {
    let start = Instant::now();
    let made = cloud.post("alice", "/v2.0/networks", &json!({"network": {}})).await;
    let listed = cloud.get("alice", "/v2.0/networks?limit=1").await;
    let elapsed = start.elapsed();
    let mut ledger = ledger.lock().unwrap();
    ledger.slowest = ledger.slowest.max(elapsed);
    for answer in [&made, &listed] {
        match answer.status {
            200 | 201 => {}
            503 if answer.headers.contains_key("retry-after")
                && answer.error_type() == "ServiceUnavailable" =>
            {
                ledger.unavailable += 1;
            }
            status => ledger.wrong.push(format!("{status}: {}", answer.body)),
        }
    }
    if made.status == 201 {
        ledger.acknowledged.push(text(&made.body["network"]["id"]).to_owned());
    }
    made.status == 201
}

/// Every acknowledged network is there, and each network with all that belongs to it.
async fn audit(load: &Load, postgres: &Postgres, database: &str) {
    let listed = load.cloud.get("alice", "/v2.0/networks?fields=id").await.expect(200);
    let present: BTreeSet<&str> =
        listed["networks"].as_array().unwrap().iter().map(|it| text(&it["id"])).collect();
    let ledger = load.ledger.lock().unwrap();
    let lost = ledger.acknowledged.iter().filter(|id| !present.contains(id.as_str())).count();
    println!(
        "{} acknowledged, {lost} lost, {} answers 503, slowest pair {:?}",
        ledger.acknowledged.len(),
        ledger.unavailable,
        ledger.slowest
    );
    assert_eq!(lost, 0);
    assert_eq!(ledger.wrong, Vec::<String>::new());
    let name = database.split('?').next().unwrap().rsplit('/').next().unwrap();
    for half in [
        "SELECT count(*) FROM networks WHERE id NOT IN (SELECT network_id FROM segment_allocations)",
        "SELECT count(*) FROM segment_allocations WHERE network_id NOT IN (SELECT id FROM networks)",
    ] {
        assert_eq!(postgres.sql(name, half), "0", "{half}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_database_loses_nothing_that_was_acknowledged() {
    let postgres = Postgres::start();
    let database = postgres.database();
    let load = Load::new(&postgres, &database).await;
    load.run(async {
        let mut rounds = 0;
        // Only who is in the middle of a decision is told to come back; the others wait.
        let told = || load.ledger.lock().unwrap().unavailable > 0;
        while rounds < 3 || !told() || !load.has_done_enough() {
            rounds += 1;
            assert!(rounds < 30 || told(), "no kill met anybody in the middle");
            tokio::time::sleep(Duration::from_secs(1)).await;
            tokio::task::block_in_place(|| postgres.kill9());
            tokio::time::sleep(Duration::from_millis(500)).await;
            tokio::task::block_in_place(|| postgres.restart());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    })
    .await;
    audit(&load, &postgres, &database).await;
    assert!(load.ledger.lock().unwrap().acknowledged.len() > 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlocks_stalls_and_a_full_disk_are_never_a_500() {
    let postgres = Postgres::start();
    let database = postgres.database();
    let load = Load::new(&postgres, &database).await;
    let name = database.split('?').next().unwrap().rsplit('/').next().unwrap();
    // One in 50 a deadlock, one in 50 a serialization failure at the commit, one in 200 a stall of a
    // second, one in 200 a full disk.
    postgres.sql(
        name,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF random() < 0.02 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40P01'; END IF;
           IF random() < 0.005 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '53100'; END IF;
           IF random() < 0.005 THEN PERFORM pg_sleep(1); END IF;
           RETURN NEW; END $$;
         CREATE FUNCTION fail_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF random() < 0.02 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40001'; END IF;
           RETURN NEW; END $$;
         CREATE TRIGGER fail BEFORE INSERT ON networks FOR EACH ROW EXECUTE FUNCTION fail();
         CREATE CONSTRAINT TRIGGER fail_late AFTER INSERT ON segment_allocations
           DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_late();",
    );
    let repeated = || load.cloud.store.figures().retries > 0;
    let acknowledged = || load.ledger.lock().unwrap().acknowledged.len();
    load.run(async {
        let start = Instant::now();
        // A slow machine may not have met any of it by then.
        let goes_on = || start.elapsed() < Duration::from_secs(60);
        tokio::time::sleep(Duration::from_secs(6)).await;
        while !load.has_done_enough() || (goes_on() && (acknowledged() <= 30 || !repeated())) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    audit(&load, &postgres, &database).await;
    let ledger = load.ledger.lock().unwrap();
    assert!(ledger.acknowledged.len() > 30);
    // Only the full disk is told to clients; the rest is repeated.
    assert!(ledger.unavailable * 20 < ledger.acknowledged.len() + 60, "{}", ledger.unavailable);
    assert!(repeated());
}
