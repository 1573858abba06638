//! Single objects that several ask for at the same time.

use futures::future::join_all;
use navigator_model::ProjectId;
use navigator_resources::{Network, Resource as _, Row};
use navigator_store::{Columns, Listing, Store, StoreError};
use tokio::task::JoinHandle;

use crate::{
    database::Database,
    world::{commit, id, insertion},
};

on_both! {
    everybody_is_told_of_the_object_that_they_asked_for,
    who_goes_away_is_in_nobodys_way,
}

const NETWORKS: u32 = 40;

async fn networks(store: &Store) {
    for number in 0..NETWORKS {
        let project = if number % 2 == 0 { "even" } else { "odd" };
        let values = [("id", id(number).into()), ("project_id", project.into())];
        commit(store, vec![insertion::<Network>(&values)]).await;
    }
}

fn sought(key: &str, visible_to: Option<&str>, columns: Columns) -> Listing {
    Listing {
        conditions: vec![("id", key.into())],
        visible_to: visible_to.map(ProjectId::from),
        columns,
        ..Listing::default()
    }
}

type Found = JoinHandle<Result<Option<Row>, StoreError>>;

fn find(store: &Store, listing: Listing) -> Found {
    let store = store.clone();
    tokio::spawn(async move { store.find(Network::declaration(), listing).await })
}

async fn everybody_is_told_of_the_object_that_they_asked_for(database: &Database) {
    let store = database.migrated().await;
    networks(&store).await;
    // Twice each, some that nobody has, and some that a project does not see.
    let keys: Vec<String> = (0..2 * NETWORKS).map(|number| id(number % (NETWORKS + 10))).collect();
    for project in [None, Some("even")] {
        for columns in [Columns::Shown, Columns::Facts] {
            let found = keys.iter().map(|key| find(&store, sought(key, project, columns)));
            for (key, row) in keys.iter().zip(join_all(found).await) {
                let number = (0..NETWORKS).find(|number| id(*number) == *key);
                let expected = number.filter(|number| project.is_none() || number % 2 == 0);
                let row = row.unwrap().unwrap();
                assert_eq!(row.is_some(), expected.is_some(), "{key} for {project:?}");
                assert!(row.is_none_or(|row| row.text("id") == *key));
            }
        }
    }
    let odd = ["", "'", "a\0b", "é"].map(|key| find(&store, sought(key, None, Columns::Shown)));
    assert!(join_all(odd).await.into_iter().all(|found| matches!(found, Ok(Ok(None)))));
}

async fn who_goes_away_is_in_nobodys_way(database: &Database) {
    let store = database.migrated().await;
    networks(&store).await;
    for round in 0..20 {
        let asked: Vec<_> = (0..NETWORKS)
            .map(|number| find(&store, sought(&id(number), None, Columns::Shown)))
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let (gone, others): (Vec<_>, Vec<_>) =
            asked.into_iter().enumerate().partition(|(index, _)| index % 3 != round % 3);
        gone.iter().for_each(|(_, asked)| asked.abort());
        for (index, other) in others {
            let row = other.await.unwrap().unwrap().unwrap();
            assert_eq!(row.text("id"), id(index as u32));
        }
    }
    assert!(find(&store, sought(&id(1), None, Columns::Shown)).await.unwrap().unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_are_few_questions_to_the_database() {
    let database = Database::postgres();
    let store = database.migrated().await;
    networks(&store).await;
    database.execute("ALTER TABLE networks RENAME TO stored_networks").await;
    database
        .execute(
            "CREATE VIEW networks AS SELECT stored_networks.* FROM stored_networks, pg_sleep(0.2)",
        )
        .await;
    let found =
        join_all((0..32).map(|number| find(&store, sought(&id(number), None, Columns::Shown))));
    for (number, row) in (0..).zip(found.await) {
        assert_eq!(row.unwrap().unwrap().unwrap().text("id"), id(number));
    }
    let figures = store.figures();
    assert!(figures.connections <= 2, "{figures:?}");
}
