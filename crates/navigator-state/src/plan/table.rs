//! The nftables table of each namespace: rules when their text differs, then elements, all in one
//! transaction. Sets keep their elements while rules change, so nothing that stays is interrupted.

use crate::{desired::Namespace, nft, step::Action};

use super::{draft::Draft, element, flow};

impl Draft<'_> {
    pub(super) fn adjust_tables(&mut self) {
        let (desired, actual) = (self.desired, self.actual);
        for (namespace, wanted) in &desired.namespaces {
            let found = actual.namespaces.get(namespace).and_then(|found| found.nft.as_ref());
            let found = found.filter(|found| !found.skeleton.is_empty());
            match (&wanted.nft, found) {
                (Some(wanted), found) => self.adjust_table(namespace, wanted, found),
                (None, Some(found)) => self.delete_table(namespace, found),
                (None, None) => {}
            }
        }
    }

    fn delete_table(&mut self, namespace: &Namespace, found: &nft::Actual) {
        self.push(None, Action::DeleteTable { namespace: namespace.clone() });
        self.note_flows(namespace, &element::changes(&Default::default(), &found.sets));
    }

    fn adjust_table(
        &mut self,
        namespace: &Namespace,
        wanted: &nft::Desired,
        found: Option<&nft::Actual>,
    ) {
        let absent = nft::Actual::default();
        let found = found.unwrap_or(&absent);
        let changes = element::changes(&wanted.sets, &found.sets);
        if !keeps_sets(&found.skeleton, &wanted.skeleton) {
            self.recreate_table(namespace, wanted);
        } else {
            if found.skeleton != wanted.skeleton {
                self.replace_skeleton(namespace, wanted);
            }
            if !changes.is_empty() {
                let (namespace, changes) = (namespace.clone(), changes.clone());
                self.push(None, Action::ChangeElements { namespace, changes });
            }
        }
        self.note_flows(namespace, &changes);
    }

    fn replace_skeleton(&mut self, namespace: &Namespace, wanted: &nft::Desired) {
        let (namespace, text) = (namespace.clone(), wanted.skeleton.clone());
        let elements = Vec::new();
        self.push(None, Action::ReplaceSkeleton { namespace, text, recreate: false, elements });
    }

    /// A set's declaration cannot be changed while it stands: everything in one transaction.
    fn recreate_table(&mut self, namespace: &Namespace, wanted: &nft::Desired) {
        let elements = element::changes(&wanted.sets, &Default::default());
        let (namespace, text) = (namespace.clone(), wanted.skeleton.clone());
        self.push(None, Action::ReplaceSkeleton { namespace, text, recreate: true, elements });
    }

    fn note_flows(&mut self, namespace: &Namespace, changes: &[nft::ElementChange]) {
        let flows = flow::of_changes(changes);
        if !flows.is_empty() {
            self.flows.entry(namespace.clone()).or_default().extend(flows);
        }
    }
}

/// Whether the sets that are there are the first of those wanted, declared alike: only then can
/// rules be replaced around them.
pub(crate) fn keeps_sets(found: &str, wanted: &str) -> bool {
    let mut wanted = set_declarations(wanted);
    set_declarations(found).all(|declaration| wanted.next() == Some(declaration))
}

pub(crate) fn set_declarations(skeleton: &str) -> impl Iterator<Item = &str> {
    let objects = skeleton.split_inclusive("\n\t}\n");
    objects
        .map(|object| object.trim_start_matches(|c| c != '\t').trim())
        .filter(|object| object.starts_with("set ") || object.starts_with("map "))
}
