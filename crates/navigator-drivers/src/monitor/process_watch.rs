//! Tells when a child that survives its parents ends: the kernel reports it on the file descriptor
//! that holds the process.

use std::{
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    MonitorError,
    watcher::{self, Registration, Source},
};
use crate::{pidfd::PidFd, process};

/// Watches one process until dropped.
#[must_use]
pub struct ProcessWatch {
    ended: Arc<AtomicBool>,
    _registration: Registration,
}

impl ProcessWatch {
    /// The process of this pid file; `None` when it does not run. `notify` is called once.
    pub fn watch(
        pid_file: &Path,
        notify: impl Fn() + Send + 'static,
    ) -> Result<Option<Self>, MonitorError> {
        let Some(held) = process::hold(pid_file) else { return Ok(None) };
        let ended = Arc::new(AtomicBool::new(false));
        let life = Life { held: Some(held), ended: ended.clone(), notify: Box::new(notify) };
        Ok(Some(Self { ended, _registration: watcher::register(Box::new(life))? }))
    }

    /// Whether the end has been told.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }
}

struct Life {
    held: Option<PidFd>,
    ended: Arc<AtomicBool>,
    notify: Box<dyn Fn() + Send>,
}

impl Source for Life {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.held.iter().map(AsFd::as_fd).collect()
    }

    fn read(&mut self) {
        // It stays readable for ever: closing it takes it out of the set.
        if self.held.take().is_some() {
            self.ended.store(true, Relaxed);
            (self.notify)();
        }
    }
}
