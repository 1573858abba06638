//! The store against real databases: every test body runs on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

/// Makes one test per database of each test body.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = crate::database::Database::sqlite();
                super::$name(&database).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = crate::database::Database::postgres();
                super::$name(&database).await;
            })*
        }
    };
}

#[path = "store/agents.rs"]
mod agents;
#[path = "store/allocation.rs"]
mod allocation;
#[path = "store/change_log.rs"]
mod change_log;
#[path = "store/connections.rs"]
mod connections;
#[path = "store/database.rs"]
mod database;
#[path = "store/fetch.rs"]
mod fetch;
#[path = "store/find.rs"]
mod find;
#[path = "store/listing.rs"]
mod listing;
#[path = "store/messages.rs"]
mod messages;
#[path = "store/migration.rs"]
mod migration;
#[path = "store/outage.rs"]
mod outage;
#[path = "store/rules.rs"]
mod rules;
#[path = "store/world.rs"]
mod world;
