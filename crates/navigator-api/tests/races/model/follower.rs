//! An agent as far as the server is concerned: it asks which scopes it serves and how far they are,
//! and pulls what changed since.

use std::collections::BTreeMap;

use navigator_model::{Fetched, HostName, Scope, Snapshot};
use navigator_store::{Store, StoreError};

pub(super) struct Follower {
    host: HostName,
    replicas: BTreeMap<Scope, Snapshot>,
    /// How many answers said only what changed.
    increments: usize,
}

impl Follower {
    pub(super) fn new(host: HostName) -> Self {
        Self { host, replicas: BTreeMap::new(), increments: 0 }
    }

    /// One round.
    pub(super) async fn follow(&mut self, store: &Store) -> Result<(), StoreError> {
        let revisions = store.revisions(&self.host).await?;
        self.replicas.retain(|known, _| revisions.iter().any(|(scope, _)| scope == known));
        for (scope, revision) in revisions {
            let known = self.replicas.get(&scope).map(|replica| replica.revision);
            if known != Some(revision) {
                let fetched = store.fetch(&self.host, &scope, known).await?;
                self.apply(scope, fetched);
            }
        }
        Ok(())
    }

    fn apply(&mut self, scope: Scope, fetched: Fetched) {
        match fetched {
            Fetched::Complete(snapshot) => drop(self.replicas.insert(scope, snapshot)),
            Fetched::Gone { .. } => drop(self.replicas.remove(&scope)),
            Fetched::Changes { revision, objects, .. } => {
                self.increments += 1;
                let Some(replica) = self.replicas.get_mut(&scope) else { return };
                replica.revision = revision;
                for (key, object) in objects {
                    match object {
                        Some(object) => drop(replica.objects.insert(key, object)),
                        None => drop(replica.objects.remove(&key)),
                    }
                }
            }
        }
    }

    /// What it has followed to differs from what it would get now, anew.
    pub(super) async fn compare(mut self, store: &Store) -> Vec<String> {
        self.follow(store).await.unwrap();
        println!("the agent has {} scopes, {} increments", self.replicas.len(), self.increments);
        let mut wrong = Vec::new();
        for (scope, replica) in &self.replicas {
            let Fetched::Complete(fresh) = store.fetch(&self.host, scope, None).await.unwrap()
            else {
                wrong.push(format!("{scope} is gone, the agent has it"));
                continue;
            };
            if fresh.revision != replica.revision || fresh.duties != replica.duties {
                wrong.push(format!("{scope}: {:?} {:?}", fresh.revision, replica.revision));
            }
            for (key, object) in &fresh.objects {
                if replica.objects.get(key) != Some(object) {
                    wrong.push(format!(
                        "{scope}: the agent has {:?}, there is {object:?}",
                        replica.objects.get(key)
                    ));
                }
            }
            for key in replica.objects.keys().filter(|key| !fresh.objects.contains_key(*key)) {
                wrong.push(format!("{scope}: the agent still has {key}"));
            }
        }
        wrong
    }
}
