//! The schema fits the declarations, and any number of servers may bring it up to date.

use futures::future::join_all;
use navigator_resources::{
    Declaration, Rules, SqlType,
    quota::counted,
    registry::{Visitor, visit_all},
};
use navigator_store::Listing;
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use crate::database::Database;

on_both! {
    migrating_twice_changes_nothing,
    servers_that_start_at_once_all_find_the_schema,
    every_stored_attribute_has_a_column_of_its_kind,
    every_resource_can_be_listed,
    counting_what_a_project_has_is_indexed,
    a_newer_schema_is_refused,
    a_schema_tells_what_it_has_and_what_it_lacks,
}

fn declarations() -> Vec<&'static Declaration> {
    struct Collect(Vec<&'static Declaration>);
    impl Visitor for Collect {
        fn visit<R: Rules>(&mut self) {
            self.0.push(R::declaration());
        }
    }
    let mut collect = Collect(Vec::new());
    visit_all(&mut collect);
    collect.0
}

async fn migrating_twice_changes_nothing(database: &Database) {
    let store = database.migrated().await;
    store.migrate().await.unwrap();
    let again = database.connect().await;
    again.migrate().await.unwrap();
}

async fn servers_that_start_at_once_all_find_the_schema(database: &Database) {
    let servers = (0..6).map(|_| async {
        let store = database.connect().await;
        store.migrate().await.unwrap();
        store.list(declarations()[0], &Listing::default()).await.unwrap();
    });
    join_all(servers).await;
}

async fn every_resource_can_be_listed(database: &Database) {
    let store = database.migrated().await;
    for declaration in declarations() {
        let listed = store.list(declaration, &Listing::default()).await;
        // Templates of security group rules come with the schema.
        let given = declaration.table == "default_security_group_rules";
        assert_eq!(listed.unwrap().is_empty(), !given, "{}", declaration.table);
    }
}

async fn every_stored_attribute_has_a_column_of_its_kind(database: &Database) {
    database.migrated().await;
    for declaration in declarations() {
        let table = declaration.table;
        let columns = columns(database, table).await;
        for attribute in declaration.all().filter(|attribute| attribute.expression.is_none()) {
            let kind = match attribute.sql {
                SqlType::Bool => "boolean",
                SqlType::Int => "bigint",
                SqlType::Text => "text",
            };
            let is_it = |(name, _, _): &&(String, String, bool)| name == attribute.column;
            let Some((name, found, never_null)) = columns.iter().find(is_it) else {
                panic!("{table} lacks {}: {columns:?}", attribute.column)
            };
            assert_eq!(found, kind, "{table}.{name}");
            // Lists are sorted as if there were none. No database knows that of a view's columns.
            assert!(attribute.nullable || *never_null || declaration.view, "{table}.{name}");
        }
    }
}

async fn counting_what_a_project_has_is_indexed(database: &Database) {
    database.migrated().await;
    for table in counted().iter().map(|declaration| declaration.table) {
        let indexes = indexes(database, table).await;
        let counts =
            |index: &String| index.contains("(project_id)") || index.contains("(project_id,");
        assert!(indexes.iter().any(counts), "{table} has no index on project_id: {indexes:?}");
    }
}

/// The statements that would make a table's indexes.
async fn indexes(database: &Database, table: &str) -> Vec<String> {
    if database.is_postgres() {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        let text = "SELECT indexdef FROM pg_indexes WHERE tablename = $1";
        let rows = sqlx::query(text).bind(table).fetch_all(&mut connection).await.unwrap();
        return rows.iter().map(|row| row.get(0)).collect();
    }
    let mut connection = SqliteConnection::connect(&database.url()).await.unwrap();
    let text = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql <> ''";
    let rows = sqlx::query(text).bind(table).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Names and types of a table's columns, in lower case, and whether they are never NULL.
async fn columns(database: &Database, table: &str) -> Vec<(String, String, bool)> {
    if database.is_postgres() {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        let text = "SELECT column_name::text, data_type::text, is_nullable = 'NO' FROM information_schema.columns \
            WHERE table_name = $1";
        let rows = sqlx::query(text).bind(table).fetch_all(&mut connection).await.unwrap();
        return rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    }
    let mut connection = SqliteConnection::connect(&database.url()).await.unwrap();
    let text = "SELECT name, lower(type), \"notnull\" OR pk FROM pragma_table_info($1)";
    let rows = sqlx::query(text).bind(table).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn a_newer_schema_is_refused(database: &Database) {
    let store = database.migrated().await;
    let text = "INSERT INTO schema_versions (version, name) VALUES (999999, 'the future')";
    database.execute(text).await;
    let refused = store.migrate().await.unwrap_err();
    assert!(refused.to_string().contains("the future"), "{refused}");
}

async fn a_schema_tells_what_it_has_and_what_it_lacks(database: &Database) {
    let store = database.connect().await;
    let empty = store.schema().await.unwrap();
    assert!(empty.applied.is_empty() && !empty.is_current());
    assert_eq!(empty.missing[0], "0001_engine");
    store.migrate().await.unwrap();
    let whole = store.schema().await.unwrap();
    assert!(whole.is_current());
    assert_eq!(whole.applied, empty.missing);
    assert_eq!(whole.unknown, Vec::<String>::new());
}
