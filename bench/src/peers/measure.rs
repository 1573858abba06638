//! Rounds of one request at one peer, what they cost, and what one peer's are beside the other's.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::bail;

use super::{CPU_GOAL, P99_GOAL, Peer, case::Case};
use crate::{
    figures::{milliseconds, percentile, verdict},
    processes::Part,
};

const ROUND: Duration = Duration::from_millis(2_500);

/// All rounds of one request at one peer.
#[derive(Default)]
pub(super) struct Measured {
    times: Vec<f64>,
    seconds: f64,
    own_cpu_ms: f64,
    other_cpu_ms: f64,
    /// Answers that say something else, by status.
    refused: BTreeMap<u16, usize>,
}

/// Asks from `clients` connections at once and adds to what was measured before.
pub(super) fn round(
    peer: &Peer<'_>,
    case: Case,
    clients: usize,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let (own, others) = (cpu_ms(&peer.own)?, cpu_ms(&peer.others)?);
    let start = Instant::now();
    let answers = std::thread::scope(|scope| -> anyhow::Result<Vec<(u16, f64)>> {
        let running: Vec<_> =
            (0..clients).map(|_| scope.spawn(|| ask(peer, case, start))).collect();
        let mut answers = Vec::new();
        for client in running {
            let Ok(ended) = client.join() else { bail!("a client's thread ended early") };
            answers.append(&mut ended?);
        }
        Ok(answers)
    })?;
    measured.seconds += start.elapsed().as_secs_f64();
    measured.own_cpu_ms += cpu_ms(&peer.own)? - own;
    measured.other_cpu_ms += cpu_ms(&peer.others)? - others;
    for (status, time) in answers {
        match status {
            0 => measured.times.push(time),
            other => *measured.refused.entry(other).or_default() += 1,
        }
    }
    Ok(())
}

/// One client until the round is over: the status where it is not the expected one, and the time.
fn ask(peer: &Peer<'_>, case: Case, start: Instant) -> anyhow::Result<Vec<(u16, f64)>> {
    let mut api = peer.api();
    let mut answers = Vec::new();
    while start.elapsed() < ROUND {
        let asked = case.asked(&peer.scene);
        let before = Instant::now();
        let answer = api.request(asked.method, &asked.path, asked.body.as_deref())?;
        let status = if answer.status == asked.expected { 0 } else { answer.status };
        answers.push((status, milliseconds(before.elapsed())));
    }
    Ok(answers)
}

fn cpu_ms(parts: &[Part]) -> anyhow::Result<f64> {
    let used: anyhow::Result<Vec<f64>> = parts.iter().map(Part::cpu_ms).collect();
    Ok(used?.iter().sum())
}

impl Measured {
    fn each(&self, total: f64) -> f64 {
        total / self.times.len().max(1) as f64
    }

    fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    fn at(&self, share: f64) -> f64 {
        percentile(&mut self.times.clone(), share)
    }

    pub(super) fn shown(&self) -> String {
        let refused = match self.refused.is_empty() {
            true => String::new(),
            false => format!("  refused {:?}", self.refused),
        };
        format!(
            "{:>8.1} {:>9.2} {:>9.2} {:>7} {:>10.3} {:>10.3}{refused}",
            self.per_second(),
            self.at(0.5),
            self.at(0.99),
            self.times.len(),
            self.each(self.own_cpu_ms),
            self.each(self.other_cpu_ms),
        )
    }

    /// How many times less than the other: of CPU per request and of the time that 99 % stay below.
    pub(super) fn beside(&self, stock: &Self) -> String {
        let own = stock.each(stock.own_cpu_ms) / self.each(self.own_cpu_ms);
        let all = stock.each(stock.own_cpu_ms + stock.other_cpu_ms)
            / self.each(self.own_cpu_ms + self.other_cpu_ms);
        let p99 = stock.at(0.99) / self.at(0.99);
        format!(
            "requests per CPU second x {own:.0} {}, with the databases' x {all:.0}; p99 1/{p99:.0} {}; \
             requests/s x {:.0}",
            verdict((own >= CPU_GOAL).into(), "100"),
            verdict((p99 >= P99_GOAL).into(), "1/50"),
            self.per_second() / stock.per_second(),
        )
    }
}
