//! `navigator server`: the API on a database.

use std::sync::Arc;

use anyhow::Context as _;
use navigator_api::{ApiState, Patient, PolicyInForce};
use navigator_bus::Hub;
use tokio::{net::TcpListener, sync::watch};

use crate::{config::Config, database, shutdown};

pub(crate) async fn state(config: &Config, patient: Patient) -> anyhow::Result<ApiState> {
    Ok(ApiState {
        store: database::upgraded(config).await?,
        hub: Hub::default(),
        settings: Arc::new(config.settings()),
        identity: Arc::new(config.identity.identity()?),
        policy: Arc::new(PolicyInForce::new(config.policy.policy()?)),
        agent_secret: config.agent_secret(),
        metrics: Arc::default(),
        patient,
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
    for what in navigator_resources::recorded_only() {
        tracing::warn!("recorded and shown, but not enforced: {what}");
    }
    let (store, settings) = (state.store.clone(), Arc::clone(&state.settings));
    let heard = navigator_api::tell_servers(store.clone(), state.hub.clone());
    let told = config.nova.tell(store.clone())?;
    let released = navigator_api::release_waiting_ports(store.clone(), settings);
    let watched = config.policy.watch(Arc::clone(&state.policy))?;
    let (router, limits) = (navigator_api::router(state)?, config.server.limits()?);
    tokio::select! {
        served = navigator_api::serve(listener, router, shutdown, limits) => served?,
        () = navigator_api::keep_house(store) => {}
        () = heard => {}
        () = told => {}
        () = watched => {}
        () = released => {}
    }
    Ok(())
}

pub(crate) async fn run(config: Config, patient: Patient) -> anyhow::Result<()> {
    let state = state(&config, patient).await?;
    serve(&config, state, shutdown::requested()?).await
}
