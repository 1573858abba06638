//! Connections to PostgreSQL that are used again: when they may be, and what happens when they are broken.

use std::time::{Duration, Instant};

use futures::future::join_all;
use navigator_model::{ObjectKey, Scope};
use navigator_resources::{Network, Resource, Select, Settings, Write, Writes};
use navigator_store::{Listing, Store, StoreError};
use sqlx::{Connection as _, PgConnection};

use crate::{
    database::Database,
    world::{NOW, caller, commit, id, insertion, touch},
};

/// The server's processes of the store's connections.
const OPEN: &str = "SELECT pid FROM pg_stat_activity WHERE application_name = 'navigator'";
/// Ends them, and waits for each.
const END: &str = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity \
    WHERE application_name = 'navigator'";

async fn names(store: &Store) -> Result<usize, StoreError> {
    store.list(Network::declaration(), &Listing::default()).await.map(|rows| rows.len())
}

fn network(number: u32) -> Vec<Write> {
    vec![insertion::<Network>(&[("id", id(number).into())])]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarted_between_two_requests_is_noticed_by_nobody() {
    let mut database = Database::postgres();
    let store = database.migrated().await;
    // Several connections, all of which end.
    assert!(join_all((0..8).map(|_| names(&store))).await.iter().all(Result::is_ok));
    assert!(store.figures().connections > 1);
    database.stop();
    database.start();
    assert_eq!(names(&store).await.unwrap(), 0);
    database.stop();
    database.start();
    commit(&store, network(1)).await;
    assert_eq!(names(&store).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_its_stores_whoever_opened_it() {
    let database = Database::postgres();
    let store = database.migrated().await;
    database.execute(END).await;
    let another = store.clone();
    let opened_elsewhere = std::thread::spawn(move || {
        let elsewhere = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        elsewhere.block_on(names(&another)).unwrap()
    });
    assert_eq!(tokio::task::block_in_place(|| opened_elsewhere.join()).unwrap(), 0);
    let mut observer = PgConnection::connect(&database.url()).await.unwrap();
    let mut open =
        async || -> Vec<i32> { sqlx::query_scalar(OPEN).fetch_all(&mut observer).await.unwrap() };
    let before = open().await;
    assert_eq!(names(&store).await.unwrap(), 0);
    commit(&store, network(1)).await;
    assert_eq!(before.len(), 1);
    assert_eq!(open().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ended_are_replaced() {
    let database = Database::postgres();
    let store = database.migrated().await;
    for number in 1..4 {
        database.execute(END).await;
        commit(&store, network(number)).await;
        database.execute(END).await;
        assert_eq!(names(&store).await.unwrap(), number as usize);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_one_after_the_other_share_a_connection_and_many_open_no_more_than_allowed() {
    let database = Database::postgres();
    let store = database.migrated().await;
    for number in 1..20 {
        commit(&store, network(number)).await;
        names(&store).await.unwrap();
    }
    assert_eq!((store.figures().connections, store.figures().idle_connections), (1, 1));
    let many = (0..200).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { names(&store).await })
    });
    assert!(join_all(many).await.into_iter().all(|listed| listed.unwrap().unwrap() == 19));
    let figures = store.figures();
    assert!((2..=figures.most_connections).contains(&figures.connections), "{figures:?}");
    assert_eq!(figures.connections, figures.idle_connections);
    store.close().await;
    assert_eq!(store.figures().connections, 0);
    assert!(matches!(names(&store).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_is_given_up_leaves_no_transaction_to_the_next_one() {
    let database = Database::postgres();
    let store = database.migrated().await;
    // Not polled to its end: it waits while it writes. That is not its commit, since it moves two scopes.
    database
        .execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$",
        )
        .await;
    database
        .execute(
            "CREATE TRIGGER wait BEFORE INSERT ON networks FOR EACH ROW EXECUTE FUNCTION wait()",
        )
        .await;
    let (caller, settings) = (caller(), Settings::default());
    let writes = || {
        let ids = [1, 2].map(|number| id(number).parse().unwrap());
        let touched = ids.map(|id| touch(Scope::Network(id), ObjectKey::Network(id)));
        Writes(network(1).into_iter().chain(touched).collect())
    };
    let decision = store.decide(&caller, &settings, NOW, |_, _| Ok(((), writes())));
    let ended = tokio::time::timeout(Duration::from_millis(100), decision).await;
    assert!(ended.is_err());
    assert_eq!(store.figures().connections, 0);
    database.execute("DROP TRIGGER wait ON networks").await;
    assert_eq!(names(&store).await.unwrap(), 0);
    commit(&store, network(1)).await;
    assert_eq!(names(&store).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_want_one_row_two_are_in_the_database() {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    const WANTED: usize = 4;
    // Who would have the row, and who waits for it, if nobody else had it.
    const IN_THE_DATABASE: i64 = 2;
    let database = Database::postgres();
    let store = database.migrated().await;
    commit(&store, network(1)).await;
    let mut holder = PgConnection::connect(&database.url()).await.unwrap();
    let mut holds = holder.begin().await.unwrap();
    sqlx::query("SELECT id FROM networks FOR UPDATE").execute(&mut *holds).await.unwrap();
    let decisions = (0..WANTED).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let (caller, settings) = (caller(), Settings::default());
            let decided = store.decide(&caller, &settings, NOW, |facts, _| {
                let locked = facts.rows::<Network>(Select::eq("id", id(1)).locked())?;
                Ok((locked.len() == 1, Writes::new()))
            });
            decided.await.unwrap().0
        })
    });
    let decisions: Vec<_> = decisions.collect();
    let mut observer = PgConnection::connect(&database.url()).await.unwrap();
    let (mut seen, start) = (0, Instant::now());
    while seen < 20 {
        assert!(start.elapsed() < Duration::from_secs(60), "nobody waits");
        let waiting: i64 = sqlx::query_scalar(WAITING).fetch_one(&mut observer).await.unwrap();
        assert!(waiting <= IN_THE_DATABASE, "{waiting}");
        let all_are_there = store.figures().connections as usize == WANTED;
        seen += usize::from(waiting == IN_THE_DATABASE && all_are_there);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    holds.rollback().await.unwrap();
    assert!(join_all(decisions).await.into_iter().all(|found| found.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_a_stopped_server_does_not_answer_is_given_up() {
    const PATIENCE: Duration = Duration::from_millis(500);
    let database = Database::postgres();
    let store = Store::connect_with_patience(&database.url(), PATIENCE).await.unwrap();
    store.migrate().await.unwrap();
    names(&store).await.unwrap();
    database.signal("STOP");
    let start = Instant::now();
    let listed = names(&store).await;
    let taken = start.elapsed();
    database.signal("CONT");
    assert!(matches!(listed, Err(StoreError::Unavailable(_))), "{listed:?}");
    assert!(taken < 10 * PATIENCE, "{taken:?}");
    // A busy machine may take longer than the patience for a new connection.
    let start = Instant::now();
    let mut listed = names(&store).await;
    while listed.is_err() && start.elapsed() < Duration::from_secs(30) {
        listed = names(&store).await;
    }
    assert_eq!(listed.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_takes_longer_than_the_patience_is_waited_for() {
    const PATIENCE: Duration = Duration::from_secs(1);
    let database = Database::postgres();
    let store = Store::connect_with_patience(&database.url(), PATIENCE).await.unwrap();
    store.migrate().await.unwrap();
    commit(&store, network(1)).await;
    database.execute("ALTER TABLE networks RENAME TO stored_networks").await;
    database
        .execute(
            "CREATE VIEW networks AS SELECT stored_networks.* FROM stored_networks, pg_sleep(3)",
        )
        .await;
    assert_eq!(names(&store).await.unwrap(), 1);
}
