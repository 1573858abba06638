//! Counters and histograms with labels, and their text in Prometheus' exposition format (0.0.4).
//! Whoever counts sees to it that a label has few values: nothing here forgets a series.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The values of the labels, in the order of their names.
type Labels<const N: usize> = [String; N];

/// Seconds. From a cached answer to what a client no longer waits for.
const BUCKETS_S: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

#[derive(Debug)]
pub(super) struct Counter<const N: usize> {
    names: [&'static str; N],
    series: Mutex<BTreeMap<Labels<N>, u64>>,
}

/// How often, how long in all, and how many no longer than each of the buckets.
#[derive(Clone, Debug, Default)]
struct Durations {
    count: u64,
    sum_s: f64,
    buckets: [u64; BUCKETS_S.len()],
}

#[derive(Debug)]
pub(super) struct Histogram<const N: usize> {
    names: [&'static str; N],
    series: Mutex<BTreeMap<Labels<N>, Durations>>,
}

fn lock<T>(series: &Mutex<T>) -> MutexGuard<'_, T> {
    series.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<const N: usize> Counter<N> {
    pub(super) fn new(names: [&'static str; N]) -> Self {
        Self { names, series: Mutex::default() }
    }

    pub(super) fn increment(&self, labels: Labels<N>) {
        *lock(&self.series).entry(labels).or_default() += 1;
    }

    pub(super) fn write(&self, text: &mut String, name: &str, help: &str) {
        header(text, name, help, "counter");
        for (values, count) in &*lock(&self.series) {
            let _ = writeln!(text, "{name}{} {count}", labels(&self.names, values, None));
        }
    }
}

impl<const N: usize> Histogram<N> {
    pub(super) fn new(names: [&'static str; N]) -> Self {
        Self { names, series: Mutex::default() }
    }

    pub(super) fn observe(&self, labels: Labels<N>, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let mut series = lock(&self.series);
        let durations = series.entry(labels).or_default();
        durations.count += 1;
        durations.sum_s += seconds;
        for (bucket, limit) in durations.buckets.iter_mut().zip(BUCKETS_S) {
            *bucket += u64::from(seconds <= limit);
        }
    }

    pub(super) fn write(&self, text: &mut String, name: &str, help: &str) {
        header(text, name, help, "histogram");
        for (values, durations) in &*lock(&self.series) {
            let mut bucket = |limit: &str, count: u64| {
                let labels = labels(&self.names, values, Some(limit));
                let _ = writeln!(text, "{name}_bucket{labels} {count}");
            };
            for (limit, count) in BUCKETS_S.iter().zip(durations.buckets) {
                bucket(&limit.to_string(), count);
            }
            bucket("+Inf", durations.count);
            let labels = labels(&self.names, values, None);
            let _ = writeln!(text, "{name}_sum{labels} {}", durations.sum_s);
            let _ = writeln!(text, "{name}_count{labels} {}", durations.count);
        }
    }
}

/// A value without labels that somebody else keeps.
pub(super) fn single(text: &mut String, kind: &str, name: &str, help: &str, value: u64) {
    header(text, name, help, kind);
    let _ = writeln!(text, "{name} {value}");
}

fn header(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn labels(names: &[&str], values: &[String], limit: Option<&str>) -> String {
    let mut pairs: Vec<String> = names
        .iter()
        .zip(values)
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    pairs.extend(limit.map(|limit| format!("le=\"{limit}\"")));
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_written_with_its_labels_in_order() {
        let counter = Counter::new(["method", "path"]);
        counter.increment(["GET".to_owned(), "a\"b\\c\nd".to_owned()]);
        counter.increment(["GET".to_owned(), "a\"b\\c\nd".to_owned()]);
        let mut text = String::new();
        counter.write(&mut text, "n_total", "How many.");
        let expected = "# HELP n_total How many.\n# TYPE n_total counter\n\
                        n_total{method=\"GET\",path=\"a\\\"b\\\\c\\nd\"} 2\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn buckets_are_cumulative_and_end_with_all() {
        let histogram = Histogram::new([]);
        for ms in [1, 3, 700, 60_000] {
            histogram.observe([], Duration::from_millis(ms));
        }
        let mut text = String::new();
        histogram.write(&mut text, "d_seconds", "How long.");
        for line in [
            "d_seconds_bucket{le=\"0.001\"} 1",
            "d_seconds_bucket{le=\"0.005\"} 2",
            "d_seconds_bucket{le=\"1\"} 3",
            "d_seconds_bucket{le=\"30\"} 3",
            "d_seconds_bucket{le=\"+Inf\"} 4",
            "d_seconds_count 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
