//! The constant part of a router's NAT: a few rules around maps, so that a packet costs one lookup
//! however many forwards there are, and a change of forwards changes no rule.

use navigator_model::snapshot::Router;
use navigator_state::nft::{
    layout::{
        ALLOWED, FIXED_TO_FLOATING, FLOATING_TO_FIXED, FORWARDS, MASQUERADED, RESTRICTED, SETS,
    },
    rule::{Chain, ENDPOINT, ENDPOINT_AND_SOURCE, Field, Hook, Match, Rule, Statement, Table},
};

use super::device;

/// The bit of a flow's mark that says: give it our address as source. Set before the destination
/// changes, because a rule after that cannot look the original destination up in a set.
pub const MASQUERADE_MARK: u32 = 0x1;

/// The router's rules, without elements.
pub fn render(router: &Router) -> Table {
    Table {
        sets: &SETS,
        chains: vec![
            chain("filter", Hook::FilterPrerouting, vec![restrict(), mark()]),
            chain("output_filter", Hook::FilterOutput, vec![mark()]),
            chain("prerouting", Hook::NatPrerouting, destination_nat()),
            // An address of the router is its own too: its processes reach forwards and floating IPs.
            chain("output", Hook::NatOutput, destination_nat()),
            chain("postrouting", Hook::NatPostrouting, source_nat(router)),
        ],
    }
}

fn chain(name: &'static str, hook: Hook, rules: Vec<Rule>) -> Chain {
    Chain { name, hook, rules }
}

fn rule<const N: usize>(matches: [Match; N], statement: Statement) -> Rule {
    Rule { matches: matches.into(), statement }
}

/// Replies to connections of our own may come to a port that is also a restricted forward's: only
/// the original direction is looked at.
fn restrict() -> Rule {
    let matches = [
        Match::OriginalDirection,
        Match::In(ENDPOINT, RESTRICTED),
        Match::NotIn(ENDPOINT_AND_SOURCE, ALLOWED),
    ];
    rule(matches, Statement::Drop)
}

fn mark() -> Rule {
    let matches = [Match::NewFlow, Match::In(ENDPOINT, MASQUERADED)];
    rule(matches, Statement::Mark(MASQUERADE_MARK))
}

fn destination_nat() -> Vec<Rule> {
    vec![
        rule([], Statement::DestinationByMap(ENDPOINT, FORWARDS)),
        rule([], Statement::DestinationAddressByMap(Field::Destination, FLOATING_TO_FIXED)),
    ]
}

fn source_nat(router: &Router) -> Vec<Rule> {
    let mut rules = vec![rule([Match::Marked(MASQUERADE_MARK)], Statement::Masquerade)];
    let gateway = router.gateway.as_ref();
    let address = gateway.and_then(|gateway| gateway.primary_ipv4());
    let (Some(gateway), Some(address), Some(device)) =
        (gateway, address, device::gateway_device(router))
    else {
        return rules;
    };
    let floating = || Statement::SourceAddressByMap(Field::Source, FIXED_TO_FLOATING);
    let to_outside = || Match::ToDevice(device.clone());
    // From inside to one of our outer addresses and back inside: without a new source the instance
    // would answer its neighbour directly, past the translation.
    let hairpin = || [Match::DestinationRewritten, Match::NotFromDevice(device.clone())];
    rules.push(rule(hairpin(), floating()));
    rules.push(rule(hairpin(), Statement::Source(address)));
    rules.push(rule([to_outside()], floating()));
    if gateway.enable_snat {
        rules.push(rule([to_outside()], Statement::SourceFullyRandom(address)));
    }
    rules
}
