//! Statements that PostgreSQL is sent together: they mean what they meant one by one.

use std::time::Duration;

use navigator_model::{ObjectKey, Scope};
use navigator_resources::{
    Facts, Network, Query, Resource as _, Select, Settings, Stop, Write, Writes,
};
use navigator_store::{Listing, Store};
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    database::Database,
    world::{NOW, caller, commit, id, insertion, touch, try_commit, update},
};

on_both! {
    facts_are_found_by_whatever_value_they_are_asked_for,
    what_is_asked_for_along_with_a_lock_is_what_its_last_holder_left,
    a_statement_that_is_refused_along_with_others_leaves_nothing,
    what_was_seen_before_is_a_guess_and_no_fact,
}

fn network(number: u32, name: &str) -> Write {
    insertion::<Network>(&[("id", id(number).into()), ("name", name.into())])
}

fn by_id(number: u32) -> Select {
    Select::eq("id", id(number))
}

fn by_name(name: &str) -> Query {
    Query::rows::<Network>(Select::eq("name", name))
}

async fn facts_are_found_by_whatever_value_they_are_asked_for(database: &Database) {
    let store = database.migrated().await;
    let names = ["plain", "it's", "x'); DROP TABLE networks; --", "\\", "é", "$1", ""];
    for (number, name) in (1..).zip(names) {
        commit(&store, vec![network(number, name)]).await;
    }
    for _ in 0..2 {
        for name in names {
            let found = |facts: &Facts| -> Result<(String, usize), Stop> {
                let locked = Select::eq("name", name).locked();
                facts.ask([Query::rows::<Network>(locked.clone()), by_name("plain")])?;
                let plain = facts.rows::<Network>(Select::eq("name", "plain"))?.len();
                let found = facts.rows::<Network>(locked)?;
                assert_eq!(found.len(), 1, "{name}");
                Ok((found[0].text("name").to_owned(), plain))
            };
            let (caller, settings) = (caller(), Settings::default());
            let decided = store
                .decide(&caller, &settings, NOW, |facts, _| Ok((found(facts)?, Writes::new())));
            assert_eq!(decided.await.unwrap().0, (name.to_owned(), 1));
        }
    }
}

/// Holds the first network's lock for a while, then renames the second and commits.
async fn rename_under_a_lock(store: Store, granted: oneshot::Sender<()>) {
    let mut granted = Some(granted);
    let (caller, settings) = (caller(), Settings::default());
    let decided = store.decide(&caller, &settings, NOW, |facts, _| {
        facts.rows::<Network>(by_id(1).locked())?;
        if let Some(granted) = granted.take() {
            granted.send(()).unwrap();
            tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(300)));
        }
        let renamed = [("id", id(2).into()), ("name", "new".into())];
        Ok(((), Writes(vec![update::<Network>(&[renamed[0].clone(), renamed[1].clone()])])))
    });
    decided.await.unwrap();
}

async fn what_is_asked_for_along_with_a_lock_is_what_its_last_holder_left(database: &Database) {
    let store = database.migrated().await;
    commit(&store, vec![network(1, "lock"), network(2, "old")]).await;
    let (granted, is_granted) = oneshot::channel();
    let holder = tokio::spawn(rename_under_a_lock(store.clone(), granted));
    is_granted.await.unwrap();
    let (caller, settings) = (caller(), Settings::default());
    let decided = store.decide(&caller, &settings, NOW, |facts, _| {
        // Known before the lock is granted, and asked for again with it.
        facts.rows::<Network>(by_id(2))?;
        let locked = Query::rows::<Network>(by_id(1).locked());
        facts.ask([locked, Query::rows::<Network>(by_id(2))])?;
        Ok((facts.rows::<Network>(by_id(2))?[0].text("name").to_owned(), Writes::new()))
    });
    assert_eq!(decided.await.unwrap().0, "new");
    holder.await.unwrap();
}

async fn a_statement_that_is_refused_along_with_others_leaves_nothing(database: &Database) {
    let store = database.migrated().await;
    let network_id = id(1).parse().unwrap();
    let touched = || touch(Scope::Network(network_id), ObjectKey::Network(network_id));
    commit(&store, vec![network(1, "one"), touched()]).await;
    // The same id again: the transaction ends before its scope is moved on.
    assert!(try_commit(&store, vec![network(1, "two"), touched()]).await.is_err());
    let moved = commit(&store, vec![network(2, "two"), touched()]).await;
    assert_eq!(moved.first().map(|(_, revision)| revision.0), Some(2), "{moved:?}");
    let names = store.list(Network::declaration(), &Listing::default()).await;
    let names: Vec<_> = names.unwrap().iter().map(|row| row.text("name").to_owned()).collect();
    assert_eq!(names, ["one", "two"]);
}

/// What a decision knew each time it got as far as the locked row: its name, and whether what depends on it
/// was there already.
async fn known_with_the_lock(store: &Store) -> Vec<(String, bool)> {
    let mut known = Vec::new();
    let (caller, settings) = (caller(), Settings::default());
    let decided = store.decide(&caller, &settings, NOW, |facts, _| {
        let name = facts.rows::<Network>(by_id(1).locked())?[0].text("name").to_owned();
        known.push((name.clone(), facts.knows(&by_name(&name))));
        let found = facts.rows::<Network>(Select::eq("name", name.as_str()))?;
        assert!(found.iter().all(|row| row.text("name") == name));
        Ok((found.len(), Writes::new()))
    });
    assert_eq!(decided.await.unwrap().0, 2);
    known
}

async fn what_was_seen_before_is_a_guess_and_no_fact(database: &Database) {
    let store = database.migrated().await;
    commit(&store, vec![network(1, "old"), network(2, "old"), network(3, "new")]).await;
    let known = |name: &str, all| (name.to_owned(), all);
    let asked_after_the_lock = |name| vec![known(name, false), known(name, true)];
    assert_eq!(known_with_the_lock(&store).await, asked_after_the_lock("old"));
    // The first time is the guess.
    assert_eq!(known_with_the_lock(&store).await, asked_after_the_lock("old"));
    let rename = [("id", id(1).into()), ("name", "new".into())];
    let another_server = database.connect().await;
    commit(&another_server, vec![update::<Network>(&rename)]).await;
    let mut expected = asked_after_the_lock("new");
    if database.is_postgres() {
        expected.insert(0, known("old", false));
    }
    assert_eq!(known_with_the_lock(&store).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_changed_since_it_was_seen_is_seen_again_before_it_is_written() {
    let database = Database::postgres();
    let store = database.migrated().await;
    commit(&store, vec![network(1, "old")]).await;
    let rename = update::<Network>(&[("id", id(1).into()), ("name", "new".into())]);
    let (caller, settings) = (caller(), Settings::default());
    let mut seen = Vec::new();
    let decided = store.decide(&caller, &settings, NOW, |facts, _| {
        // Without its lock.
        let mut row = facts.rows::<Network>(by_id(1))?[0].clone();
        seen.push(row.text("name").to_owned());
        if seen.len() == 1 {
            let renamed = commit(&store, vec![rename.clone()]);
            tokio::task::block_in_place(|| Handle::current().block_on(renamed));
        }
        row.set("description", "seen".into());
        let declaration = Network::declaration();
        Ok(((), Writes(vec![Write::Update { declaration, id: id(1), row }])))
    });
    decided.await.unwrap();
    assert_eq!(seen, ["old", "new"]);
    let rows = store.list(Network::declaration(), &Listing::default()).await.unwrap();
    assert_eq!((rows[0].text("name"), rows[0].text("description")), ("new", "seen"));
}
