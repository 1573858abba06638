//! `navigator all-in-one`: server and agent in one process, wake-ups in process.

use std::sync::Arc;

use navigator_api::{LocalControlPlane, Patient};

use crate::{agent, config::Config, server, shutdown};

pub(crate) async fn run(config: Config, patient: Patient) -> anyhow::Result<()> {
    let shutdown = shutdown::requested()?;
    config.keep_agent_secret()?;
    let state = server::state(&config, patient).await?;
    let plane = LocalControlPlane::from(&state);
    let agent = agent::on_this_host(&config.agent, Arc::new(plane))?;
    tokio::try_join!(
        server::serve(&config, state, shutdown.clone()),
        agent::converge(agent, shutdown),
    )?;
    Ok(())
}
