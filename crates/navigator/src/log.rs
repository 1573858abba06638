//! Where log lines go and what they look like: text for people, JSON for whoever collects them.
//! Always standard error; nothing here knows of files.

mod json;

use anyhow::Context as _;
use serde::Deserialize;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Text,
    /// One object per line.
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogConfig {
    pub(crate) format: Format,
    /// Levels by target, as `info,sqlx=warn`; the environment's `RUST_LOG` wins.
    filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: Format::Text, filter: "info".to_owned() }
    }
}

impl LogConfig {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        EnvFilter::try_new(&self.filter).map(drop).context("log.filter")
    }

    /// Once per process.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        self.check()?;
        let configured = || EnvFilter::new(&self.filter);
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| configured());
        let registry = tracing_subscriber::registry().with(filter);
        match self.format {
            Format::Text => registry
                .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
                .try_init(),
            Format::Json => registry.with(json::Lines::new(std::io::stderr)).try_init(),
        }
        .context("cannot start the log")
    }
}
