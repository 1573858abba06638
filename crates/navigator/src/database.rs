//! `navigator db`: the schema from the outside, and the store as servers open it.

use std::path::Path;

use anyhow::{Context as _, bail};
use navigator_store::Store;

use crate::config::Config;

/// Without the password.
pub(crate) fn redacted(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

fn sqlite_file(url: &str) -> Option<&Path> {
    let file = url.strip_prefix("sqlite:")?;
    let file = file.split('?').next().unwrap_or(file);
    (file != ":memory:").then(|| Path::new(file))
}

async fn connect(config: &Config) -> anyhow::Result<Store> {
    let url = &config.server.database;
    let patience = config.server.database_wait();
    Store::connect_with_patience(url, patience)
        .await
        .with_context(|| format!("database {}", redacted(url)))
}

/// Opens the database, making its directory and bringing its schema up to date.
pub(crate) async fn upgraded(config: &Config) -> anyhow::Result<Store> {
    if let Some(directory) = sqlite_file(&config.server.database).and_then(Path::parent) {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let store = connect(config).await?;
    store.migrate().await.context("cannot bring the database's schema up to date")?;
    Ok(store)
}

/// Only opens what is there.
async fn existing(config: &Config) -> anyhow::Result<Store> {
    if let Some(file) = sqlite_file(&config.server.database)
        && !file.exists()
    {
        bail!("there is no {}: navigator db upgrade makes it", file.display());
    }
    connect(config).await
}

pub(crate) async fn upgrade(config: &Config) -> anyhow::Result<()> {
    upgraded(config).await.map(drop)
}

pub(crate) async fn current(config: &Config) -> anyhow::Result<()> {
    let schema = existing(config).await?.schema().await?;
    println!("{}", schema.applied.last().map_or("empty", String::as_str));
    Ok(())
}

pub(crate) async fn check(config: &Config) -> anyhow::Result<()> {
    let schema = existing(config).await?.schema().await?;
    for name in &schema.unknown {
        println!("newer than this version: {name}");
    }
    for name in &schema.missing {
        println!("missing: {name}");
    }
    if !schema.is_current() {
        bail!("the schema is behind: navigator db upgrade");
    }
    if !schema.unknown.is_empty() {
        bail!("the schema is newer than this version, whose servers do not start on it");
    }
    println!("The schema is current.");
    Ok(())
}
