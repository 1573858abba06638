//! Finds forwards that want the same port of the same address.

use std::collections::HashMap;

use super::{Forward, ForwardSet, InvalidForward, Transport};

/// What can only collide with its like: forwards are compared within one port of one namespace.
type Place<'a> = (Transport, Option<&'a str>, u16);

/// One finding for each forward that collides with an earlier one.
pub(super) fn find(set: &ForwardSet) -> Vec<InvalidForward> {
    let mut places: HashMap<Place<'_>, Vec<(&str, &Forward)>> = HashMap::new();
    let mut found = Vec::new();
    for (name, forward) in set.iter() {
        let mut collides = None;
        for port in forward.listen.ports.ports() {
            let place = (forward.transport, forward.listen.netns.as_deref(), port);
            let others = places.entry(place).or_default();
            let other = others.iter().find(|(_, other)| collide(forward, other));
            collides = collides.or(other.map(|(name, other)| (port, *name, &other.listen)));
            others.push((name, forward));
        }
        if let Some((port, other, listen)) = collides {
            let reason = format!(
                "listen: port {port} of {} is forward.{other}'s already ({listen})",
                forward.listen
            );
            found.push(InvalidForward { name: name.to_owned(), reason });
        }
    }
    found
}

fn collide(forward: &Forward, other: &Forward) -> bool {
    forward.listen.overlaps(&other.listen)
}
