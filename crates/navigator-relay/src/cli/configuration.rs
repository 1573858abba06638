//! The file of a relay that runs alone: its forwards, and `[relay]` about itself.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use toml::Value;

use super::metrics::Place;
use crate::{ForwardSet, Options, forward_set::parse};

pub(super) struct Configuration {
    pub(super) set: ForwardSet,
    pub(super) settings: Settings,
}

/// What a relay is told about itself.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) options: Options,
    pub(super) metrics: Option<Place>,
    /// How long connections may go on after the relay was asked to end.
    pub(super) drain: Duration,
    /// Where a successor asks for the listening sockets.
    pub(super) handover: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct SettingsText {
    workers: Option<usize>,
    metrics: Option<String>,
    drain_s: Option<u32>,
    handover: Option<PathBuf>,
}

impl Configuration {
    /// The file, or a line for each thing that is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<String>> {
        let text = fs::read_to_string(path)
            .map_err(|error| vec![format!("{}: {error}", path.display())])?;
        let mut table = parse(&text).map_err(|invalid| invalid.lines)?;
        let relay = table.remove("relay");
        let set = ForwardSet::from_table(table).map_err(|invalid| invalid.lines)?;
        let settings = Settings::read(relay).map_err(|line| vec![format!("relay: {line}")])?;
        Ok(Self { set, settings })
    }
}

impl Settings {
    fn read(table: Option<Value>) -> Result<Self, String> {
        let message = |error: toml::de::Error| error.message().replace('\n', ", ");
        let text: SettingsText =
            table.map(Value::try_into).transpose().map_err(message)?.unwrap_or_default();
        let mut options = Options::default();
        match text.workers {
            Some(0) => return Err("workers: at least 1".to_owned()),
            Some(workers) => options.workers = workers,
            None => {}
        }
        Ok(Self {
            options,
            metrics: text.metrics.map(|text| text.parse()).transpose()?,
            drain: Duration::from_secs(text.drain_s.unwrap_or(10).into()),
            handover: text.handover,
        })
    }
}
