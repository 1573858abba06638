//! The nftables table of the kernel in memory.

use std::collections::BTreeMap;

use crate::{
    nft::{self, Element, ElementChange, Elements, Tuple},
    plan::table::{keeps_sets, set_declarations},
    step::Action,
};

use super::{ModelKernel, Refusal, require};

impl ModelKernel {
    pub(super) fn act_on_table(&mut self, action: &Action) -> Result<(), Refusal> {
        match action {
            Action::ReplaceSkeleton { namespace, text, recreate, elements } => {
                let found = &mut self.namespace(namespace)?.nft;
                let old = found.take().unwrap_or_default();
                let mut new = if *recreate {
                    nft::Actual { generation: old.generation, ..nft::Actual::default() }
                } else if keeps_sets(&old.skeleton, text) {
                    old
                } else {
                    *found = Some(old);
                    return Err("a set's declaration cannot change".into());
                };
                new.skeleton.clone_from(text);
                for name in set_names(text) {
                    new.sets.entry(name.to_owned()).or_default();
                }
                change(&mut new.sets, elements)?;
                new.generation += 1;
                *found = Some(new);
                Ok(())
            }
            Action::DeleteTable { namespace } => {
                let table = self.namespace(namespace)?.nft.take();
                table.map(|_| ()).ok_or_else(|| "no table".to_owned())
            }
            Action::ChangeElements { namespace, changes } => {
                let table = self.namespace(namespace)?.nft.as_mut().ok_or("no table")?;
                change(&mut table.sets, changes)?;
                table.generation += 1;
                Ok(())
            }
            Action::FlushFlows { namespace, flows } => {
                self.namespace(namespace)?;
                let flows = flows.iter().map(|flow| (namespace.clone(), flow.clone()));
                self.flushed.extend(flows);
                Ok(())
            }
            other => Err(format!("not about a table: {other:?}")),
        }
    }
}

fn set_names(skeleton: &str) -> impl Iterator<Item = &str> {
    set_declarations(skeleton).filter_map(|declaration| declaration.split_whitespace().nth(1))
}

/// All or nothing, as a transaction is.
fn change(sets: &mut BTreeMap<String, Elements>, changes: &[ElementChange]) -> Result<(), Refusal> {
    let mut undo = Vec::new();
    for change in changes {
        let set = sets.get_mut(&change.set).ok_or("no such set");
        let done = set.map_err(Into::into).and_then(|set| {
            undo.push((change.set.clone(), change.key, set.get(&change.key).copied()));
            change_one(set, change)
        });
        if let Err(refusal) = done {
            for (set, key, element) in undo.into_iter().rev() {
                restore(sets.entry(set).or_default(), key, element);
            }
            return Err(refusal);
        }
    }
    Ok(())
}

fn restore(set: &mut Elements, key: Tuple, element: Option<Element>) {
    match element {
        Some(element) => set.insert(key, element),
        None => set.remove(&key),
    };
}

fn change_one(set: &mut Elements, change: &ElementChange) -> Result<(), Refusal> {
    if change.remove.is_some() {
        set.remove(&change.key);
    }
    let Some(add) = change.add else { return Ok(()) };
    require(!set.contains_key(&change.key), "the element is there")?;
    if let Some(end) = add.key_end {
        let overlap = set.iter().any(|(start, other)| {
            other.key_end.is_some_and(|other_end| overlaps((change.key, end), (*start, other_end)))
        });
        require(!overlap, "the interval overlaps another")?;
    }
    set.insert(change.key, add);
    Ok(())
}

/// Boxes overlap when they do in every field.
fn overlaps(a: (Tuple, Tuple), b: (Tuple, Tuple)) -> bool {
    let fields = a.0.as_bytes().len() / 4;
    (0..fields).all(|n| a.0.word(n) <= b.1.word(n) && b.0.word(n) <= a.1.word(n))
}
