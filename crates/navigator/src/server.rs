//! `navigator server`: the API on a database.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use navigator_api::ApiState;
use navigator_bus::Hub;
use navigator_store::Store;
use tokio::{net::TcpListener, sync::watch};

use crate::{config::Config, shutdown};

/// Opens the database, making its directory and bringing its schema up to date.
async fn store(config: &Config) -> anyhow::Result<Store> {
    let url = &config.server.database;
    if let Some(file) = url.strip_prefix("sqlite:")
        && let Some(directory) = Path::new(file).parent()
    {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let store = Store::connect(url).await.with_context(|| format!("database {}", redacted(url)))?;
    store.migrate().await.context("cannot bring the database's schema up to date")?;
    Ok(store)
}

/// Without the password.
fn redacted(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

pub(crate) async fn upgrade(config: Config) -> anyhow::Result<()> {
    store(&config).await.map(drop)
}

pub(crate) async fn state(config: &Config) -> anyhow::Result<ApiState> {
    Ok(ApiState {
        store: store(config).await?,
        hub: Hub::default(),
        settings: Arc::new(config.settings()),
        identity: Arc::new(config.identity.identity()?),
        agent_secret: config.agent_secret(),
        metrics: Arc::default(),
    })
}

pub(crate) async fn serve(
    config: &Config,
    state: ApiState,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let address = config.server.listen;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(%address, "serving the API");
    let (store, settings) = (state.store.clone(), Arc::clone(&state.settings));
    let told = config.nova.tell(store.clone());
    let released = navigator_api::release_waiting_ports(store.clone(), settings);
    let (router, grace) = (navigator_api::router(state), config.server.shutdown_grace());
    tokio::select! {
        served = navigator_api::serve(listener, router, shutdown, grace) => served?,
        () = navigator_api::keep_house(store) => {}
        () = told => {}
        () = released => {}
    }
    Ok(())
}

pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let state = state(&config).await?;
    serve(&config, state, shutdown::requested()?).await
}
