//! Databases that go away, and callers that do.

use std::time::Duration;

use futures::future::join_all;
use navigator_model::{ObjectKey, Scope};
use navigator_resources::{Network, Resource, Settings, Write, Writes};
use navigator_store::{DecideError, Listing, Store, StoreError};

use crate::{
    database::Database,
    world::{NOW, caller, commit, id, insertion, touch, try_commit},
};

on_both! {
    an_abandoned_decision_leaves_all_or_nothing,
}

fn touch_network() -> Write {
    let network = id(1).parse().unwrap();
    touch(Scope::Network(network), ObjectKey::Network(network))
}

async fn an_abandoned_decision_leaves_all_or_nothing(database: &Database) {
    let store = database.migrated().await;
    let tasks: Vec<_> = (0..150)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let decide = |_: &_, context: &navigator_resources::Context<'_>| {
                    let id = context.uuid("network").to_string();
                    let insert = insertion::<Network>(&[("id", id.into())]);
                    Ok(((), Writes(vec![insert, touch_network()])))
                };
                store.decide(&caller(), &Settings::default(), NOW, decide).await.unwrap();
            })
        })
        .collect();
    for (index, task) in tasks.iter().enumerate() {
        if index % 2 == 0 {
            tokio::time::sleep(Duration::from_micros(700)).await;
            task.abort();
        }
    }
    join_all(tasks).await;
    let rows = store.list(Network::declaration(), &Listing::default()).await.unwrap();
    assert!(rows.len() >= 75, "{}", rows.len());
    let reached = commit(&store, vec![touch_network()]).await;
    assert_eq!(reached[0].1.0, rows.len() as u64 + 1);
}

#[tokio::test]
async fn an_in_memory_database_belongs_to_its_store() {
    let store = Store::connect("sqlite::memory:").await.unwrap();
    let other = Store::connect("sqlite::memory:").await.unwrap();
    for store in [&store, &other] {
        store.migrate().await.unwrap();
    }
    commit(&store, vec![insertion::<Network>(&[("id", id(1).into())])]).await;
    let count = async |store: &Store| {
        store.list(Network::declaration(), &Listing::default()).await.unwrap().len()
    };
    assert_eq!((count(&store.clone()).await, count(&other).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_is_unavailable_and_then_used_again() {
    let mut database = Database::postgres();
    let store = database.migrated().await;
    let insert = |n| vec![insertion::<Network>(&[("id", id(n).into())])];
    commit(&store, insert(1)).await;
    database.stop();
    let listed = store.list(Network::declaration(), &Listing::default()).await;
    assert!(matches!(listed, Err(StoreError::Unavailable(_))), "{listed:?}");
    let decided = try_commit(&store, insert(2)).await;
    let unavailable = matches!(decided, Err(DecideError::Store(StoreError::Unavailable(_))));
    assert!(unavailable, "{decided:?}");
    database.start();
    commit(&store, insert(3)).await;
    let rows = store.list(Network::declaration(), &Listing::default()).await.unwrap();
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn a_url_of_another_database_is_refused() {
    for url in ["mysql://localhost/navigator", "", "postgres//"] {
        assert!(matches!(Store::connect(url).await, Err(StoreError::Setup(_))), "{url}");
    }
}
