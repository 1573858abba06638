//! `make bench [PART=a]`: figures of Navigator beside its peers, taken side by side in one run, in
//! namespaces, through the real product. Prints a table per part, with each goal and whether it was
//! met; a missed goal is a line in the table, not a failure of the run.

mod agent;
mod api;
mod attacks;
mod cloud;
mod connections;
mod figures;
mod latency;
mod load;
mod oracle;
mod peers;
mod processes;
mod relay;
mod scale;
mod stock;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let part = std::env::args().nth(1).unwrap_or_default();
    if part == "relay-child" {
        return relay::child(&std::env::args().skip(2).collect::<Vec<_>>());
    }
    if part == attacks::CHILD {
        return attacks::child(&std::env::args().skip(2).collect::<Vec<_>>());
    }
    if !"abcdefghij".contains(&part) {
        bail!("parts are a, b, c (with d), e, f, g, h, i and j");
    }
    figures::machine();
    let wanted = |letter: &str| part.is_empty() || part == letter;
    if wanted("a") {
        connections::run()?;
    }
    if wanted("b") {
        latency::run()?;
    }
    if wanted("c") || wanted("d") {
        agent::run()?;
    }
    if wanted("e") {
        api::run()?;
    }
    if wanted("f") {
        scale::run()?;
    }
    if wanted("g") {
        relay::run()?;
    }
    if wanted("h") {
        peers::run()?;
    }
    if wanted("i") {
        attacks::run()?;
    }
    if wanted("j") {
        oracle::run()?;
    }
    Ok(())
}
