//! `navigator relay top`: the counters of a running relay as a table, busiest first.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    thread,
    time::Duration,
};

use clap::Args;

use super::metrics::Place;

#[derive(Args, Debug, Clone)]
pub(super) struct Top {
    /// Where the relay serves its counters.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9797")]
    metrics: Place,
    /// Print it once, with the rates of one interval, and end.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 1.0, value_parser = interval)]
    interval_s: f64,
}

fn interval(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=3600.0).contains(&value) { Ok(value) } else { Err("0.1 to 3600".to_owned()) }
}

/// One forward's figures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Figures {
    open: f64,
    total: f64,
    up: f64,
    down: f64,
    refused: f64,
    connects: f64,
    connect_s: f64,
}

type Table = BTreeMap<String, Figures>;

impl Top {
    pub(super) fn run(&self) -> io::Result<()> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.metrics));
        let mut before = parse(&self.metrics.fetch().map_err(named)?);
        loop {
            thread::sleep(Duration::from_secs_f64(self.interval_s));
            let now = parse(&self.metrics.fetch().map_err(named)?);
            let text = render(&before, &now, self.interval_s);
            let mut out = io::stdout();
            if !self.once && out.is_terminal() {
                // Home, and clear what is below.
                write!(out, "\x1b[H\x1b[J")?;
            }
            writeln!(out, "{text}")?;
            if self.once {
                return Ok(());
            }
            before = now;
        }
    }
}

fn parse(text: &str) -> Table {
    let mut table = Table::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("navigator_relay_")) {
        let Some((name, rest)) = line.split_once("{forward=\"") else {
            continue;
        };
        let (Some((forward, _)), Some((_, value))) = (rest.split_once('"'), rest.rsplit_once(' '))
        else {
            continue;
        };
        let value: f64 = value.parse().unwrap_or_default();
        let figures = table.entry(forward.to_owned()).or_default();
        match name {
            "connections_open" => figures.open = value,
            "connections_total" => figures.total = value,
            "bytes_up_total" => figures.up = value,
            "bytes_down_total" => figures.down = value,
            "refused_total" => figures.refused += value,
            "connect_seconds_count" => figures.connects = value,
            "connect_seconds_sum" => figures.connect_s = value,
            _ => {}
        }
    }
    table
}

fn render(before: &Table, now: &Table, interval_s: f64) -> String {
    let mut rows: Vec<_> = now
        .iter()
        .map(|(name, now)| {
            let old = before.get(name).copied().unwrap_or_default();
            let rate =
                |value: fn(&Figures) -> f64| (value(now) - value(&old)).max(0.0) / interval_s;
            let connects = now.connects - old.connects;
            let connect_ms =
                (connects > 0.0).then(|| (now.connect_s - old.connect_s) / connects * 1e3);
            (
                name,
                now,
                [rate(|f| f.total), rate(|f| f.up), rate(|f| f.down), rate(|f| f.refused)],
                connect_ms,
            )
        })
        .collect();
    rows.sort_by(|a, b| {
        (b.2[1] + b.2[2], b.1.open)
            .partial_cmp(&(a.2[1] + a.2[2], a.1.open))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut text = format!(
        "{:24} {:>8} {:>8} {:>10} {:>10} {:>10} {:>10}",
        "FORWARD", "OPEN", "NEW/s", "UP B/s", "DOWN B/s", "REFUSED/s", "CONNECT ms"
    );
    for (name, figures, [new, up, down, refused], connect_ms) in rows.iter().take(40) {
        let connect = connect_ms.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
        let _ = write!(
            text,
            "\n{name:24} {:>8} {new:>8.0} {:>10} {:>10} {refused:>10.0} {connect:>10}",
            figures.open,
            short(*up),
            short(*down)
        );
    }
    if rows.len() > 40 {
        let _ = write!(text, "\n… and {} more", rows.len() - 40);
    }
    text
}

/// `1.5M`: three digits are enough for a glance.
fn short(value: f64) -> String {
    const UNITS: [&str; 5] = ["", "k", "M", "G", "T"];
    let (mut value, mut unit) = (value, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 10.0);
    format!("{value:.digits$}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_what_came_between_two_looks() {
        let look = |total: u32, bytes: u32, sum: f64| {
            parse(&format!(
                "# HELP x\nnavigator_relay_connections_open{{forward=\"a\"}} 3\n\
                 navigator_relay_connections_total{{forward=\"a\"}} {total}\n\
                 navigator_relay_bytes_up_total{{forward=\"a\"}} {bytes}\n\
                 navigator_relay_refused_total{{forward=\"a\",reason=\"rate\"}} 1\n\
                 navigator_relay_refused_total{{forward=\"a\",reason=\"source\"}} 2\n\
                 navigator_relay_connect_seconds_count{{forward=\"a\"}} {total}\n\
                 navigator_relay_connect_seconds_sum{{forward=\"a\"}} {sum}\n\
                 nonsense\n"
            ))
        };
        let (before, now) = (look(10, 0, 0.1), look(30, 3_000_000, 0.3));
        assert_eq!(now["a"].refused, 3.0);
        let text = render(&before, &now, 2.0);
        let row: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["a", "3", "10", "1.5M", "0", "0", "10.00"]);
    }
}
