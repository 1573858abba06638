//! The difference between the elements that are wanted and those that are there.

use std::collections::{BTreeMap, BTreeSet};

use crate::nft::{DesiredElements, Element, ElementChange, Elements, Tuple};

/// What to change in all sets of a table, in an order in which no two intervals ever overlap:
/// removals, replacements, additions. An interval is not replaced in place, for the same reason.
pub fn changes(
    wanted: &BTreeMap<String, DesiredElements>,
    found: &BTreeMap<String, Elements>,
) -> Vec<ElementChange> {
    let (none_wanted, none_found) = (DesiredElements::new(), Elements::new());
    let mut changes = Changes::default();
    for set in wanted.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let wanted = wanted.get(set).unwrap_or(&none_wanted);
        changes.compare(set, wanted, found.get(set).unwrap_or(&none_found));
    }
    changes.into_ordered()
}

#[derive(Default)]
struct Changes {
    removals: Vec<ElementChange>,
    replacements: Vec<ElementChange>,
    additions: Vec<ElementChange>,
}

impl Changes {
    fn compare(&mut self, set: &str, wanted: &DesiredElements, found: &Elements) {
        for (key, element) in found {
            if !wanted.contains_key(key) {
                self.removals.push(change(set, *key, Some(*element), None));
            }
        }
        for (key, (element, object)) in wanted {
            let old = found.get(key).copied();
            if old == Some(*element) {
                continue;
            }
            let mut new = change(set, *key, old, Some(*element));
            new.object = Some(*object);
            self.sort_in(new);
        }
    }

    fn sort_in(&mut self, mut new: ElementChange) {
        let interval = |element: Option<Element>| element.is_some_and(|e| e.key_end.is_some());
        if new.remove.is_none() {
            self.additions.push(new);
        } else if interval(new.remove) || interval(new.add) {
            self.removals.push(ElementChange { add: None, ..new.clone() });
            new.remove = None;
            self.additions.push(new);
        } else {
            self.replacements.push(new);
        }
    }

    fn into_ordered(self) -> Vec<ElementChange> {
        let mut ordered = self.removals;
        ordered.extend(self.replacements);
        ordered.extend(self.additions);
        ordered
    }
}

fn change(set: &str, key: Tuple, remove: Option<Element>, add: Option<Element>) -> ElementChange {
    ElementChange { set: set.to_owned(), key, remove, add, object: None }
}
