//! Which statements meet a fault.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;

use crate::{
    relay::{Gate, Verdict},
    seed::Random,
};

const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK: &str = "40P01";
const STALL: Duration = Duration::from_millis(30);

pub(super) struct Faults {
    random: Mutex<Random>,
    on: AtomicBool,
    injected: AtomicUsize,
}

impl Faults {
    pub(super) fn new(seed: u64, server: u64) -> Self {
        let random = Mutex::new(Random::lane(seed, server));
        Self { random, on: AtomicBool::new(false), injected: AtomicUsize::new(0) }
    }

    pub(super) fn turn(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    pub(super) fn injected(&self) -> usize {
        self.injected.load(Ordering::Relaxed)
    }
}

impl Gate for Faults {
    fn ask(&self, executes: bool) -> BoxFuture<'_, Verdict> {
        if !self.on.load(Ordering::Relaxed) {
            return Box::pin(async { Verdict::Pass });
        }
        let roll = self.random.lock().unwrap().below(1000);
        let verdict = match roll {
            0..2 => Verdict::CutBefore,
            2..4 => Verdict::CutAfter,
            4..12 if executes => Verdict::Fail(SERIALIZATION_FAILURE),
            12..20 if executes => Verdict::Fail(DEADLOCK),
            _ => Verdict::Pass,
        };
        let stalls = (20..24).contains(&roll);
        if verdict != Verdict::Pass || stalls {
            self.injected.fetch_add(1, Ordering::Relaxed);
        }
        Box::pin(async move {
            if stalls {
                tokio::time::sleep(STALL).await;
            }
            verdict
        })
    }

    fn answered(&self) {}
}
