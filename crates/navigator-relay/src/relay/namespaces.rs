//! The namespaces that forwards name, opened once each.

use std::{collections::HashMap, io, path::PathBuf, sync::Arc};

use crate::{Forward, namespace::Namespace};

/// Names, and what they stood for.
pub(super) type Moved = HashMap<String, Arc<Namespace>>;

pub(super) struct Namespaces {
    directory: PathBuf,
    home: Arc<Namespace>,
    open: HashMap<String, Arc<Namespace>>,
}

impl Namespaces {
    pub(super) fn new(directory: PathBuf, home: Arc<Namespace>) -> Self {
        Self { directory, home, open: HashMap::new() }
    }

    /// What the name stands for, or a sentence that says why it stands for nothing.
    pub(super) fn get(&mut self, name: Option<&str>) -> Result<Arc<Namespace>, String> {
        let Some(name) = name else {
            return Ok(Arc::clone(&self.home));
        };
        if let Some(namespace) = self.open.get(name) {
            return Ok(Arc::clone(namespace));
        }
        let opened =
            Namespace::named(&self.directory, name).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => format!("there is no namespace '{name}'"),
                _ => format!("namespace '{name}': {error}"),
            })?;
        let opened = Arc::new(opened);
        self.open.insert(name.to_owned(), Arc::clone(&opened));
        Ok(opened)
    }

    /// Forgets those of the names that stand for another namespace by now, or for none; gives what
    /// they stood for.
    pub(super) fn look_again<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Moved {
        let mut moved = Moved::new();
        for name in names {
            let Some(known) = self.open.get(name) else { continue };
            // As long as it is open, its number is nobody else's.
            let same = |found: Namespace| found.inode() == known.inode();
            if !Namespace::named(&self.directory, name).is_ok_and(same) {
                moved.extend(self.open.remove_entry(name));
            }
        }
        moved
    }

    pub(super) fn look_at_all_again(&mut self) -> Moved {
        let names: Vec<String> = self.open.keys().cloned().collect();
        self.look_again(names.iter().map(String::as_str))
    }

    /// The names stand for what they did, since the forwards are still there.
    pub(super) fn put_back(&mut self, moved: Moved) {
        self.open.extend(moved);
    }

    /// Closes those that no forward and no connection needs any more.
    pub(super) fn forget_unused(&mut self) {
        self.open.retain(|_, namespace| Arc::strong_count(namespace) > 1);
    }
}

/// The names that a forward has for where it listens and connects.
pub(super) fn names(forward: &Forward) -> impl Iterator<Item = &str> {
    [forward.listen.netns.as_deref(), forward.connect.netns.as_deref()].into_iter().flatten()
}
