//! A relay's counters in Prometheus' text format 0.0.4.

use std::fmt::Write as _;

use crate::{Counters, Histogram, Refusal, Relay};

/// Name, kind, help, and how to read it.
type Plain = (&'static str, &'static str, &'static str, fn(&Counters) -> u64);

const PLAIN: &[Plain] = &[
    ("connections_open", "gauge", "Connections and UDP sessions open now.", Counters::open),
    ("connections_total", "counter", "Connections and UDP sessions that came.", Counters::total),
    ("bytes_up_total", "counter", "Bytes from clients to targets.", |c| c.bytes().0),
    ("bytes_down_total", "counter", "Bytes from targets to clients.", |c| c.bytes().1),
];

/// All forwards of the set in force. A forward that never had a connection has no refusals and no
/// latencies to show, so fifty thousand idle ones stay readable.
pub fn text(relay: &Relay) -> String {
    let mut text = String::new();
    let forwards: Vec<(&str, &Counters)> =
        relay.set().iter().filter_map(|(name, _)| Some((name, relay.counters(name)?))).collect();
    for (name, kind, help, read) in PLAIN {
        head(&mut text, name, kind, help);
        for (forward, counters) in &forwards {
            let value = read(counters);
            let _ = writeln!(text, "navigator_relay_{name}{{forward=\"{forward}\"}} {value}");
        }
    }
    let used: Vec<_> = forwards.iter().filter(|(_, counters)| counters.total() > 0).collect();
    head(
        &mut text,
        "refused_total",
        "counter",
        "Connections, sessions or datagrams refused, by reason.",
    );
    for (forward, counters) in &used {
        for reason in Refusal::ALL {
            let (value, reason) = (counters.refused(reason), reason.name());
            let labels = format!("forward=\"{forward}\",reason=\"{reason}\"");
            let _ = writeln!(text, "navigator_relay_refused_total{{{labels}}} {value}");
        }
    }
    head(&mut text, "connect_seconds", "histogram", "Time to connect to the target.");
    for (forward, counters) in &used {
        histogram(&mut text, forward, counters.connect());
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP navigator_relay_{name} {help}");
    let _ = writeln!(text, "# TYPE navigator_relay_{name} {kind}");
}

fn histogram(text: &mut String, forward: &str, histogram: &Histogram) {
    let buckets = histogram.buckets();
    let mut below = 0;
    for (n, count) in buckets.iter().enumerate() {
        below += count;
        let bound = match Histogram::BOUNDS_US.get(n) {
            Some(us) => format!("{}", *us as f64 / 1e6),
            None => "+Inf".to_owned(),
        };
        let labels = format!("forward=\"{forward}\",le=\"{bound}\"");
        let _ = writeln!(text, "navigator_relay_connect_seconds_bucket{{{labels}}} {below}");
    }
    let sum = histogram.sum().as_secs_f64();
    let _ = writeln!(text, "navigator_relay_connect_seconds_sum{{forward=\"{forward}\"}} {sum}");
    let _ =
        writeln!(text, "navigator_relay_connect_seconds_count{{forward=\"{forward}\"}} {below}");
}
