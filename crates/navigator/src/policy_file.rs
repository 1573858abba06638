//! The operator's `policy.yaml`, read again when it changes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use navigator_api::{Policy, PolicyInForce};
use tokio::{signal::unix::Signal, time::MissedTickBehavior};

/// How often the file is looked at. SIGHUP has it read at once.
const PERIOD: Duration = Duration::from_secs(5);

pub(crate) struct PolicyFile {
    path: PathBuf,
    /// What it said when it was last read, or why it could not be.
    said: Result<String, String>,
}

/// What a look at the file led to.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Same,
    Replaced,
    /// Not readable as a whole: the rules before it stay in force.
    Refused,
}

fn said(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

impl PolicyFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), said: said(path) }
    }

    /// The default rules, with the file's in their place.
    pub(crate) fn policy(&self) -> anyhow::Result<Policy> {
        let what = || format!("policy {}", self.path.display());
        let text = self.said.as_ref().map_err(|reason| anyhow!("{reason}")).with_context(what)?;
        Policy::new(Some(text)).with_context(what)
    }

    /// Its text is compared, not its time: times are coarse, and may be set back.
    fn look(&mut self, policy: &PolicyInForce) -> Look {
        let said = said(&self.path);
        if self.said == said { Look::Same } else { self.read(said, policy) }
    }

    fn read(&mut self, said: Result<String, String>, policy: &PolicyInForce) -> Look {
        self.said = said;
        match self.policy() {
            Ok(new) => {
                policy.replace(new);
                tracing::info!(file = %self.path.display(), "new policy rules are in force");
                Look::Replaced
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "policy rules not read: those before stay in force");
                Look::Refused
            }
        }
    }

    /// Never ends.
    pub(crate) async fn keep(mut self, policy: Arc<PolicyInForce>, mut hangup: Signal) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.look(&policy),
                _ = hangup.recv() => self.read(said(&self.path), &policy),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const OPEN: &str = "\"create_network:shared\": \"@\"\n";

    fn is_open(policy: &PolicyInForce) -> bool {
        policy.now().rules().get("create_network:shared").unwrap().check.to_string() == "@"
    }

    #[test]
    fn a_changed_file_counts_and_a_bad_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.yaml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("");
        let mut file = PolicyFile::new(&path);
        let policy = PolicyInForce::new(file.policy().unwrap());
        assert_eq!(file.look(&policy), Look::Same);
        assert!(!is_open(&policy));
        write(OPEN);
        assert_eq!(file.look(&policy), Look::Replaced);
        assert!(is_open(&policy));
        for bad in
            ["\"create_network:shared\": \"role:\"", "a: [1]", "a: rule:a", "\"x\": \"http:y\""]
        {
            write(bad);
            assert_eq!(file.look(&policy), Look::Refused, "{bad}");
            assert_eq!(file.look(&policy), Look::Same, "{bad}");
            assert!(is_open(&policy), "{bad}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.look(&policy), Look::Refused);
        assert!(is_open(&policy));
        write("");
        assert_eq!(file.look(&policy), Look::Replaced);
        assert!(!is_open(&policy));
    }
}
