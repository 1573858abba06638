//! A router's rendering kept between changes, so that a change of one forward among 50,000 costs
//! one forward. Holds nothing that rendering anew would not give: a test says so.

use std::collections::{BTreeMap, BTreeSet};

use navigator_model::{Object, ObjectKey, Scope, Snapshot, snapshot::Router};
use navigator_state::{
    Action, Problem, Step,
    nft::{self, DesiredElements, ElementChange},
    plan,
};

use super::{element, namespace_of};

/// What was rendered last.
pub struct RouterRendering {
    scope: Scope,
    router: Router,
    elements: element::Elements,
    problems: BTreeMap<ObjectKey, Problem>,
}

/// What one change of a snapshot means, given that the kernel has what was rendered before.
#[derive(Clone, Debug, PartialEq)]
pub struct Increment {
    pub scope: Scope,
    /// Elements in one transaction, then the connections of exactly what changed.
    pub steps: Vec<Step>,
    /// Of all forwards, not only those that changed.
    pub problems: Vec<Problem>,
}

impl RouterRendering {
    /// `None` for a router that is down, or not there: there is nothing to keep.
    pub fn new(snapshot: &Snapshot) -> Option<Self> {
        let router = snapshot.router().filter(|router| router.admin_state_up)?;
        let mut rendering = Self {
            scope: snapshot.scope.clone(),
            router: router.clone(),
            elements: element::Elements::default(),
            problems: BTreeMap::new(),
        };
        for (key, object) in &snapshot.objects {
            rendering.put(*key, object);
        }
        Some(rendering)
    }

    /// All elements, as `render` gives them but without empty sets.
    pub fn sets(&self) -> &BTreeMap<String, DesiredElements> {
        self.elements.sets()
    }

    /// Follows the snapshot. `None` when more than forwards changed: then render everything, and
    /// make a new rendering.
    pub fn change(&mut self, snapshot: &Snapshot, changed: &[ObjectKey]) -> Option<Increment> {
        let forwards = changed.iter().all(|key| {
            matches!(key, ObjectKey::PortForwarding(_) | ObjectKey::GatewayPortForwarding(_))
        });
        if !forwards {
            return None;
        }
        self.elements.start_journal();
        for key in changed {
            self.elements.take(*key);
            self.problems.remove(key);
        }
        // A key may be named twice; the snapshot has it once.
        for key in changed.iter().collect::<BTreeSet<_>>() {
            if let Some(object) = snapshot.objects.get(key) {
                self.put(*key, object);
            }
        }
        let changes = self.journalled_changes();
        Some(self.increment(changes))
    }

    /// What the touched slots were, against what they are now.
    fn journalled_changes(&mut self) -> Vec<ElementChange> {
        let mut wanted: BTreeMap<String, DesiredElements> = BTreeMap::new();
        let mut found: BTreeMap<String, nft::Elements> = BTreeMap::new();
        for ((set, key), before) in self.elements.end_journal() {
            if let Some(after) = self.elements.at((set, key)) {
                wanted.entry(set.to_owned()).or_default().insert(key, after);
            }
            if let Some((element, _)) = before {
                found.entry(set.to_owned()).or_default().insert(key, element);
            }
        }
        plan::element_changes(&wanted, &found)
    }

    fn increment(&self, changes: Vec<ElementChange>) -> Increment {
        let namespace = namespace_of(&self.router);
        let flows = plan::flows_of_changes(&changes);
        let mut actions = Vec::new();
        if !changes.is_empty() {
            actions.push(Action::ChangeElements { namespace: namespace.clone(), changes });
        }
        if !flows.is_empty() {
            actions.push(Action::FlushFlows { namespace, flows });
        }
        let steps = actions.into_iter().map(|action| Step { object: None, action }).collect();
        let mut problems: Vec<_> = self.problems.values().cloned().collect();
        problems.extend(self.elements.conflicts());
        Increment { scope: self.scope.clone(), steps, problems }
    }

    fn put(&mut self, key: ObjectKey, object: &Object) {
        let problem = self.elements.put(key, object, element::Place::of(&self.router));
        self.problems.extend(problem.map(|problem| (key, problem)));
    }
}
