//! `navigator agent`: this host's kernel, as a server in another process says.

use std::sync::Arc;

use anyhow::Context as _;
use navigator_agent::{Agent, AgentConfig, KernelHost};
use navigator_bus::{ControlPlane, HttpControlPlane};
use navigator_model::Scope;
use navigator_tls::TlsOptions;
use tokio::sync::watch;

use crate::{config::Config, shutdown};

/// An agent on the real kernel.
pub(crate) fn on_this_host(
    config: &AgentConfig,
    server: Arc<dyn ControlPlane>,
) -> anyhow::Result<Agent> {
    std::fs::create_dir_all(&config.state_dir)
        .with_context(|| format!("cannot make {}", config.state_dir.display()))?;
    let host = KernelHost::new(config)
        .context("the kernel refused: an agent needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN)")?;
    Ok(Agent::new(config.clone(), server, Arc::new(host))?)
}

fn remote(config: &Config) -> anyhow::Result<Agent> {
    let agent = &config.agent;
    let tls = TlsOptions {
        cafile: agent.cafile.clone(),
        certfile: agent.certfile.clone(),
        keyfile: agent.keyfile.clone(),
        insecure: agent.insecure,
    };
    let server = HttpControlPlane::new(
        &config.server.url,
        config.agent_secret().as_deref().map(str::to_owned),
        &tls,
    )?;
    on_this_host(&config.agent, Arc::new(server))
}

pub(crate) async fn converge(
    agent: Agent,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let stop = async move {
        let _ = shutdown.wait_for(|stop| *stop).await;
    };
    Ok(agent.run(stop).await?)
}

pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    converge(remote(&config)?, shutdown::requested()?).await
}

/// Prints what would be done, does nothing.
pub(crate) async fn plan(config: Config, scope: Scope) -> anyhow::Result<()> {
    println!("{}", remote(&config)?.plan_scope(&scope).await?);
    Ok(())
}
