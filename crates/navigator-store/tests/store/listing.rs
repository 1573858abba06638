//! Filters, visibility, sorting and paging.

use std::collections::BTreeSet;

use navigator_model::ProjectId;
use navigator_resources::{Attribute, Network, RbacPolicy, Resource, Row, SqlValue};
use navigator_store::{Columns, Direction, Listing, Paging, Store, StoreError};

use crate::{
    database::Database,
    world::{commit, id, insertion},
};

on_both! {
    rows_come_back_as_they_were_written,
    filters_are_alternatives_within_and_conditions_between_attributes,
    a_project_sees_its_own_and_what_is_shared,
    pages_meet_without_gaps_in_both_directions,
    a_marker_that_the_caller_may_not_see_is_unknown,
    text_that_no_database_holds_equals_nothing,
}

fn attribute(column: &str) -> &'static Attribute {
    Network::declaration().all().find(|attribute| attribute.column == column).unwrap()
}

fn text(text: &str) -> Option<SqlValue> {
    Some(SqlValue::from(text))
}

/// Five MTUs, and no, an empty or one of two physical networks.
async fn networks(store: &Store, count: u32) {
    let writes = (0..count).map(|n| {
        let physical_network = match n % 4 {
            0 => SqlValue::Null,
            1 => "".into(),
            2 => "a".into(),
            _ => "b".into(),
        };
        // Ids in another order than anything else.
        insertion::<Network>(&[
            ("id", id(n * 37 % 101).into()),
            ("name", format!("net{n}").into()),
            ("project_id", if n % 2 == 0 { "p1" } else { "p2" }.into()),
            ("external", false.into()),
            ("mtu", i64::from(1400 + n % 5).into()),
            ("physical_network", physical_network),
        ])
    });
    let shared = (0..count).filter(|n| n % 5 == 0).map(|n| {
        insertion::<RbacPolicy>(&[
            ("id", id(1000 + n).into()),
            ("object_type", "network".into()),
            ("object_id", id(n * 37 % 101).into()),
            ("action", "access_as_shared".into()),
            ("target_project", if n == 0 { "*" } else { "p2" }.into()),
        ])
    });
    commit(store, writes.chain(shared).collect()).await;
}

async fn list(store: &Store, listing: &Listing) -> Vec<Row> {
    store.list(Network::declaration(), listing).await.unwrap()
}

async fn names(store: &Store, listing: Listing) -> BTreeSet<String> {
    list(store, &listing).await.iter().map(|row| row.text("name").to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn rows_come_back_as_they_were_written(database: &Database) {
    let store = database.migrated().await;
    networks(&store, 4).await;
    let rows = list(&store, &Listing::default()).await;
    assert_eq!(rows.len(), 4);
    let first = &rows[0];
    assert_eq!(first.text("id"), id(0));
    assert_eq!(*first.get("shared"), SqlValue::Bool(true));
    assert_eq!(*first.get("mtu"), SqlValue::Int(1400));
    assert_eq!(*first.get("physical_network"), SqlValue::Null);
    assert_eq!(*first.get("revision_number"), SqlValue::Int(1));
    let listing = Listing { columns: Columns::Facts, ..Listing::default() };
    let row = list(&store, &listing).await.remove(0);
    let columns = Network::declaration().fact_columns().map(|attribute| attribute.column);
    assert_eq!(
        row.iter().map(|(column, _)| column).collect::<Vec<_>>(),
        columns.collect::<Vec<_>>()
    );
    assert!(first.iter().count() > row.iter().count());
}

async fn filters_are_alternatives_within_and_conditions_between_attributes(database: &Database) {
    let store = database.migrated().await;
    networks(&store, 8).await;
    let filtered = |filters| Listing { filters, ..Listing::default() };
    let (name, mtu) = (attribute("name"), attribute("mtu"));
    let physical_network = attribute("physical_network");
    let by_name = vec![(name, vec![text("net1"), text("net2"), text("net7")])];
    assert_eq!(names(&store, filtered(by_name.clone())).await, set(&["net1", "net2", "net7"]));
    let mut both = by_name;
    both.push((mtu, vec![Some(SqlValue::Int(1401)), None]));
    assert_eq!(names(&store, filtered(both)).await, set(&["net1"]));
    assert_eq!(names(&store, filtered(vec![(mtu, vec![None])])).await, set(&[]));
    let empty = vec![(physical_network, vec![Some(SqlValue::Null)])];
    assert_eq!(names(&store, filtered(empty)).await, set(&["net0", "net1", "net4", "net5"]));
    let conditions = vec![("name", SqlValue::from("net3"))];
    let listing = Listing { conditions, ..Listing::default() };
    assert_eq!(names(&store, listing).await, set(&["net3"]));
}

async fn a_project_sees_its_own_and_what_is_shared(database: &Database) {
    let store = database.migrated().await;
    networks(&store, 11).await;
    let visible_to = Some(ProjectId::from("p2"));
    let listing = Listing { visible_to, ..Listing::default() };
    assert_eq!(
        names(&store, listing).await,
        set(&["net0", "net1", "net3", "net5", "net7", "net9", "net10"])
    );
    let stranger = Listing { visible_to: Some(ProjectId::from("p3")), ..Listing::default() };
    assert_eq!(names(&store, stranger).await, set(&["net0"]));
    // What is shown as shared depends on who looks.
    let shared = |viewer: &str| Listing {
        viewer: ProjectId::from(viewer),
        filters: vec![(attribute("shared"), vec![Some(true.into())])],
        ..Listing::default()
    };
    assert_eq!(names(&store, shared("p2")).await, set(&["net0", "net5", "net10"]));
    for viewer in ["p3", "", "p\0"] {
        assert_eq!(names(&store, shared(viewer)).await, set(&["net0"]));
    }
}

async fn pages_meet_without_gaps_in_both_directions(database: &Database) {
    let store = database.migrated().await;
    networks(&store, 23).await;
    let (mtu, physical) = (attribute("mtu"), attribute("physical_network"));
    let (up, down) = (Direction::Ascending, Direction::Descending);
    let sorts = [
        vec![],
        vec![(mtu, down)],
        vec![(physical, up), (mtu, down)],
        vec![(physical, down), (mtu, up)],
        vec![(attribute("id"), down)],
        vec![(attribute("shared"), down), (physical, up)],
    ];
    for sort in sorts {
        let listing = Listing { sort, ..Listing::default() };
        let all = list(&store, &listing).await;
        assert_eq!(all.len(), 23);
        for paging in [Paging::After, Paging::Before] {
            assert_eq!(walk(&store, &listing, paging).await, all);
        }
    }
}

/// All rows, page by page.
async fn walk(store: &Store, listing: &Listing, paging: Paging) -> Vec<Row> {
    let mut all: Vec<Row> = Vec::new();
    let mut page = Listing { limit: Some(4), paging, ..listing.clone() };
    loop {
        let rows = list(store, &page).await;
        let next = if paging == Paging::After { rows.last() } else { rows.first() };
        let Some(next) = next else { return all };
        page.marker = Some(next.text("id").to_owned());
        match paging {
            Paging::After => all.extend(rows),
            Paging::Before => all.splice(0..0, rows).for_each(drop),
        }
    }
}

async fn a_marker_that_the_caller_may_not_see_is_unknown(database: &Database) {
    let store = database.migrated().await;
    networks(&store, 4).await;
    // The third network is of the other project and not shared.
    for marker in [id(99), id(3 * 37 % 101), "no\0id".to_owned()] {
        let visible_to = Some(ProjectId::from("p1"));
        let listing = Listing { visible_to, marker: Some(marker), ..Listing::default() };
        let answer = store.list(Network::declaration(), &listing).await;
        assert!(matches!(answer, Err(StoreError::UnknownMarker(_))), "{answer:?}");
    }
}

async fn text_that_no_database_holds_equals_nothing(database: &Database) {
    let store = database.migrated().await;
    networks(&store, 4).await;
    let filters = vec![(attribute("name"), vec![text("net\0")])];
    assert_eq!(names(&store, Listing { filters, ..Listing::default() }).await, set(&[]));
    let conditions = vec![("id", SqlValue::from("\0"))];
    assert_eq!(names(&store, Listing { conditions, ..Listing::default() }).await, set(&[]));
}
