//! Decisions are transactions, and the change log is part of them.

use std::collections::BTreeSet;

use futures::future::join_all;
use navigator_model::{Fetched, NetworkId, ObjectKey, Revision, Scope};
use navigator_resources::{
    Agent, Context, Facts, Network, Resource, Select, Settings, SqlValue, Stop, Write, Writes,
};
use navigator_store::{DecideError, Listing};

use crate::{
    database::Database,
    world::{NOW, caller, commit, id, insertion, refusal, row, touch, try_commit, update},
};

on_both! {
    a_refused_transaction_leaves_nothing,
    revisions_of_a_scope_are_dense_however_many_race,
    updates_under_a_lock_are_never_lost,
    updates_of_rows_that_nobody_locked_are_not_lost_either,
    bulk_decisions_see_each_other_and_stand_or_fall_together,
    a_conflict_is_answered_with_its_refusal,
    an_update_counts_the_row_s_revision,
    every_host_hears_of_changed_duties,
    a_scope_is_forgotten_a_while_after_its_network_went,
    more_values_than_a_statement_takes_are_no_problem,
}

/// A network as far as these tests read it.
#[derive(Clone, Resource)]
#[resource(name = "network", collection = "networks", class = "Network", extension = "network")]
struct Plain {
    #[field(id)]
    id: NetworkId,
    #[field()]
    mtu: u32,
}

fn network(n: u32) -> NetworkId {
    id(n).parse().unwrap()
}

fn touch_network(n: u32) -> Write {
    touch(Scope::Network(network(n)), ObjectKey::Network(network(n)))
}

async fn a_refused_transaction_leaves_nothing(database: &Database) {
    let store = database.migrated().await;
    let write = vec![insertion::<Network>(&[("id", id(1).into())]), touch_network(1)];
    let decided = store
        .decide_all(&caller(), &Settings::default(), NOW, 2, |index, _, _| {
            if index == 1 {
                return Err::<((), _), _>(Stop::Refuse(refusal()));
            }
            Ok(((), Writes(write.clone())))
        })
        .await;
    assert!(matches!(decided, Err(DecideError::Refused(refused)) if refused == refusal()));
    let rows = store.list(Network::declaration(), &Listing::default()).await.unwrap();
    assert!(rows.is_empty());
    let reached = commit(&store, write).await;
    assert_eq!(reached, [(Scope::Network(network(1)), Revision(1))]);
}

async fn revisions_of_a_scope_are_dense_however_many_race(database: &Database) {
    let store = database.migrated().await;
    let other = database.connect().await;
    let tasks = (0..60).map(|n| {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        tokio::spawn(async move {
            // Two scopes, touched in either order.
            let mut writes = vec![touch_network(1), touch_network(2)];
            if n % 3 == 0 {
                writes.reverse();
            }
            commit(&store, writes).await
        })
    });
    let mut reached: Vec<(Scope, Revision)> = Vec::new();
    for task in join_all(tasks).await {
        reached.extend(task.unwrap());
    }
    for scope in [Scope::Network(network(1)), Scope::Network(network(2))] {
        let of_scope = reached.iter().filter(|(name, _)| *name == scope);
        let revisions: BTreeSet<u64> = of_scope.map(|(_, revision)| revision.0).collect();
        assert_eq!(revisions, (1..=60).collect());
    }
}

async fn updates_under_a_lock_are_never_lost(database: &Database) {
    let store = database.migrated().await;
    let other = database.connect().await;
    commit(&store, vec![insertion::<Network>(&[("id", id(1).into())])]).await;
    let tasks = (0..40).map(|n| {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        tokio::spawn(async move {
            let decide = |facts: &Facts, _: &Context<'_>| {
                // What was read before the lock is read again after it.
                let seen: Vec<Plain> = facts.list(Select::all())?;
                facts.lock::<Plain>(id(1))?;
                let mtu = i64::from(seen[0].mtu) + 1;
                let write = update::<Network>(&[("id", id(1).into()), ("mtu", mtu.into())]);
                Ok(((), Writes(vec![write])))
            };
            store.decide(&caller(), &Settings::default(), NOW, decide).await.unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let rows = store.list(Network::declaration(), &Listing::default()).await.unwrap();
    assert_eq!(*rows[0].get("mtu"), SqlValue::Int(40));
    assert_eq!(*rows[0].get("revision_number"), SqlValue::Int(41));
}

async fn updates_of_rows_that_nobody_locked_are_not_lost_either(database: &Database) {
    let store = database.migrated().await;
    let other = database.connect().await;
    commit(&store, vec![insertion::<Network>(&[("id", id(1).into())])]).await;
    let tasks = (0..6).map(|n| {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        tokio::spawn(async move {
            let decide = |facts: &Facts, _: &Context<'_>| {
                let mut row = facts.rows::<Network>(Select::eq("id", id(1)))?[0].clone();
                let SqlValue::Int(mtu) = *row.get("mtu") else { panic!() };
                row.set("mtu", SqlValue::Int(mtu + 1));
                let declaration = Network::declaration();
                let first = Write::Update { declaration, id: id(1), row: row.clone() };
                // What the decision itself has written does not stand in its way.
                Ok(((), Writes(vec![first, Write::Update { declaration, id: id(1), row }])))
            };
            store.decide(&caller(), &Settings::default(), NOW, decide).await.unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let rows = store.list(Network::declaration(), &Listing::default()).await.unwrap();
    assert_eq!(*rows[0].get("mtu"), SqlValue::Int(6));
}

async fn bulk_decisions_see_each_other_and_stand_or_fall_together(database: &Database) {
    let store = database.migrated().await;
    let (seen, _) = store
        .decide_all(&caller(), &Settings::default(), NOW, 5, |index, facts, context| {
            let rows: Vec<Plain> = facts.list(Select::all())?;
            let id = context.uuid("network").to_string();
            let writes = vec![insertion::<Network>(&[("id", id.into())])];
            assert_eq!(rows.len(), index);
            Ok((rows.len(), Writes(writes)))
        })
        .await
        .unwrap();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

async fn a_conflict_is_answered_with_its_refusal(database: &Database) {
    let store = database.migrated().await;
    let row = row(Network::declaration(), &[("id", id(1).into())]);
    let write = |conflict| Write::Insert {
        declaration: Network::declaration(),
        row: row.clone(),
        conflict,
    };
    commit(&store, vec![write(None)]).await;
    let answer = try_commit(&store, vec![write(Some(refusal()))]).await;
    assert!(matches!(answer, Err(DecideError::Refused(refused)) if refused == refusal()));
    let answer = try_commit(&store, vec![write(None)]).await;
    assert!(matches!(answer, Err(DecideError::Store(_))), "{answer:?}");
}

async fn an_update_counts_the_row_s_revision(database: &Database) {
    let store = database.migrated().await;
    let values = [("id", id(1).into()), ("name", "old".into())];
    commit(&store, vec![insertion::<Network>(&values)]).await;
    let declaration = Network::declaration();
    let values = [("id", id(1).into()), ("name", "new".into())];
    let update = Write::Update { declaration, id: id(1), row: row(declaration, &values) };
    commit(&store, vec![update, Write::Bump { declaration, id: id(1) }]).await;
    let rows = store.list(declaration, &Listing::default()).await.unwrap();
    assert_eq!(rows[0].text("name"), "new");
    assert_eq!(rows[0].text("updated_at"), NOW);
    assert_eq!(*rows[0].get("revision_number"), SqlValue::Int(3));
    commit(&store, vec![Write::Delete { declaration, id: id(1) }]).await;
    assert!(store.list(declaration, &Listing::default()).await.unwrap().is_empty());
}

async fn every_host_hears_of_changed_duties(database: &Database) {
    let store = database.migrated().await;
    let agent = |n: u32, host: &str, kind: &str| {
        insertion::<Agent>(&[
            ("id", id(n).into()),
            ("host", host.into()),
            ("agent_type", kind.into()),
        ])
    };
    commit(&store, vec![agent(1, "b", "x"), agent(2, "a", "x"), agent(3, "a", "y")]).await;
    let host = |name: &str| Scope::Host(name.into());
    for n in 1..=2 {
        let reached = commit(&store, vec![touch_network(1), Write::TouchHosts]).await;
        let of_hosts = [(host("a"), Revision(n)), (host("b"), Revision(n))];
        assert_eq!(reached[..2], of_hosts);
        assert_eq!(reached[2], (Scope::Network(network(1)), Revision(n)));
    }
}

async fn a_scope_is_forgotten_a_while_after_its_network_went(database: &Database) {
    let store = database.migrated().await;
    let delete = |n| Write::Delete { declaration: Network::declaration(), id: id(n) };
    for n in [1, 2] {
        let insertion = insertion::<Network>(&[("id", id(n).into())]);
        commit(&store, vec![insertion, touch_network(n), Write::TouchHosts]).await;
    }
    let known = database.count("scopes").await;
    assert_eq!(store.prune("2026-01-02T03:00:00Z", "2026-01-01T03:00:00Z").await.unwrap(), 0);
    commit(&store, vec![delete(1), touch_network(1)]).await;
    // Found gone, kept for now: an agent that asks is told at which revision.
    assert_eq!(store.prune("2026-01-02T04:00:00Z", "2026-01-01T04:00:00Z").await.unwrap(), 0);
    let scope = Scope::Network(network(1));
    let gone = Fetched::Gone { scope: scope.clone(), revision: Revision(2) };
    assert_eq!(store.fetch(&"h1".into(), &scope, None).await.unwrap(), gone);
    assert_eq!(store.prune("2026-01-03T03:59:59Z", "2026-01-02T03:59:59Z").await.unwrap(), 0);
    assert_eq!(store.prune("2026-01-03T04:00:00Z", "2026-01-02T04:00:00Z").await.unwrap(), 1);
    assert_eq!(database.count("scopes").await, known - 1);
    assert_eq!(database.count("changes").await, 1);
    let gone = Fetched::Gone { scope: scope.clone(), revision: Revision(0) };
    assert_eq!(store.fetch(&"h1".into(), &scope, None).await.unwrap(), gone);
}

async fn more_values_than_a_statement_takes_are_no_problem(database: &Database) {
    let store = database.migrated().await;
    let insert = |n| insertion::<Network>(&[("id", id(n).into())]);
    commit(&store, vec![insert(1), insert(39_999), insert(7_000)]).await;
    let (found, _) = store
        .decide(&caller(), &Settings::default(), NOW, |facts, _| {
            let ids = (0..40_000).rev().map(|n| SqlValue::from(id(n)));
            let plain: Vec<Plain> = facts.list(Select::any("id", ids).locked())?;
            Ok((plain, Writes::new()))
        })
        .await
        .unwrap();
    assert_eq!(Vec::from_iter(found.iter().map(|plain| plain.id)), [1, 7_000, 39_999].map(network));
}
