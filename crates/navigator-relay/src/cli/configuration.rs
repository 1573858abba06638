//! The file of a relay that runs alone: its forwards, and `[relay]` about itself.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use toml::Table;

use super::metrics::Place;
use crate::{ForwardSet, Options};

pub(super) struct Configuration {
    pub(super) set: ForwardSet,
    pub(super) options: Options,
    pub(super) metrics: Option<Place>,
    /// How long connections may go on after the relay was asked to end.
    pub(super) drain: Duration,
    /// Where a successor asks for the listening sockets.
    pub(super) handover: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RelayText {
    workers: Option<usize>,
    metrics: Option<String>,
    drain_s: Option<u32>,
    handover: Option<PathBuf>,
}

impl Configuration {
    pub(super) fn of(set: ForwardSet) -> Self {
        Self {
            set,
            options: Options::default(),
            metrics: None,
            drain: Duration::ZERO,
            handover: None,
        }
    }

    /// The file, or a line for each thing that is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<String>> {
        let text = fs::read_to_string(path)
            .map_err(|error| vec![format!("{}: {error}", path.display())])?;
        let set = ForwardSet::from_toml(&text, &["relay"]).map_err(|invalid| invalid.lines)?;
        let mut configuration = Self::of(set);
        configuration.about_itself(&text).map_err(|line| vec![format!("relay: {line}")])?;
        Ok(configuration)
    }

    fn about_itself(&mut self, text: &str) -> Result<(), String> {
        let message = |error: toml::de::Error| error.message().replace('\n', ", ");
        let mut table: Table = toml::from_str(text).map_err(message)?;
        let relay: RelayText = match table.remove("relay") {
            Some(value) => value.try_into().map_err(message)?,
            None => RelayText::default(),
        };
        match relay.workers {
            Some(0) => return Err("workers: at least 1".to_owned()),
            Some(workers) => self.options.workers = workers,
            None => {}
        }
        self.metrics = relay.metrics.map(|text| text.parse()).transpose()?;
        self.handover = relay.handover;
        self.drain = Duration::from_secs(relay.drain_s.unwrap_or(10).into());
        Ok(())
    }
}
