//! Several servers of one database, and that database behind their back.

use std::{collections::BTreeMap, sync::Arc};

use navigator_resources::{Quotas, Settings};
use navigator_testkit::Postgres;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::{
    cloud::{Backend, Cloud},
    relay::{Gate, Relay},
};

/// Processes would share nothing but the database either: each has its connections, its wake-ups
/// and its caches for itself.
pub(crate) struct Servers {
    /// Nothing is between it and the database.
    pub(crate) direct: Cloud,
    /// One for each gate; on SQLite their statements cannot be told apart.
    pub(crate) gated: Vec<Cloud>,
    database: Database,
    _relays: Vec<Relay>,
}

pub(crate) struct Database {
    pub(crate) url: String,
    _directory: TempDir,
}

fn settings() -> Settings {
    let quotas = Quotas { limits: BTreeMap::new(), ..Quotas::default() };
    Settings { quotas, ..Settings::default() }
}

impl Servers {
    pub(crate) async fn start(backend: Backend, gates: Vec<Arc<dyn Gate>>) -> Self {
        let directory = TempDir::new().unwrap();
        let url = match backend {
            Backend::Sqlite => format!("sqlite:{}/navigator.sqlite", directory.path().display()),
            Backend::Postgres => Postgres::shared().database(),
        };
        let direct = Cloud::beside(&url, settings()).await;
        let (mut gated, mut relays) = (Vec::new(), Vec::new());
        for gate in gates {
            let url = match backend {
                Backend::Sqlite => url.clone(),
                Backend::Postgres => {
                    let relay = Relay::start(&url, gate);
                    let own = relay.url(&url);
                    relays.push(relay);
                    own
                }
            };
            gated.push(Cloud::beside(&url, settings()).await);
        }
        let database = Database { url, _directory: directory };
        Self { direct, gated, database, _relays: relays }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.database.url.starts_with("postgres")
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

impl Database {
    /// Rows of a statement whose columns are all text, joined by a space.
    pub(crate) async fn query(&self, text: &str) -> Vec<String> {
        // Made by the tests themselves.
        let text = sqlx::AssertSqlSafe(text);
        if self.url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            return sqlx::query_scalar(text).fetch_all(&mut connection).await.unwrap();
        }
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::query_scalar(text).fetch_all(&mut connection).await.unwrap()
    }
}
