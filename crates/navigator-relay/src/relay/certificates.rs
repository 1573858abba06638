//! What forwards' certificate files say: read once for all forwards that name the same ones, and again
//! when the set is applied again and they have changed.

use std::{collections::HashMap, sync::Arc};

use crate::{
    Forward, Originate, Terminate,
    tls::{Accepting, Originating, Trusted, fingerprint},
};

/// What was read from files that have changed since.
#[derive(Default)]
pub(super) struct Renewed {
    accepting: Known<Terminate, Accepting>,
    originating: Known<Originate, Originating>,
}

#[derive(Default)]
pub(super) struct Certificates {
    accepting: Known<Terminate, Accepting>,
    originating: Known<Originate, Originating>,
    trusted: Trusted,
}

/// By what names the files.
type Known<K, V> = HashMap<Arc<K>, Read<V>>;

struct Read<V> {
    fingerprint: u64,
    value: Arc<V>,
}

impl Certificates {
    /// What the forward's sessions are made with, if it has any.
    ///
    /// # Errors
    /// A sentence that names the field and the file.
    pub(super) fn accepting(
        &mut self,
        forward: &Forward,
    ) -> Result<Option<Arc<Accepting>>, String> {
        let Some(wanted) = &forward.tls else { return Ok(None) };
        if let Some(read) = self.accepting.get(wanted) {
            return Ok(Some(Arc::clone(&read.value)));
        }
        // Before the files are read: a change in between is found the next time.
        let fingerprint = fingerprint(wanted.files());
        let value = Arc::new(Accepting::read(wanted)?);
        let read = Read { fingerprint, value: Arc::clone(&value) };
        self.accepting.insert(Arc::clone(wanted), read);
        Ok(Some(value))
    }

    /// # Errors
    /// As [`Self::accepting`].
    pub(super) fn originating(
        &mut self,
        forward: &Forward,
    ) -> Result<Option<Arc<Originating>>, String> {
        let Some(wanted) = &forward.connect_tls else { return Ok(None) };
        if let Some(read) = self.originating.get(wanted) {
            return Ok(Some(Arc::clone(&read.value)));
        }
        let fingerprint = fingerprint(wanted.files());
        let value = Arc::new(Originating::read(wanted, &mut self.trusted)?);
        let read = Read { fingerprint, value: Arc::clone(&value) };
        self.originating.insert(Arc::clone(wanted), read);
        Ok(Some(value))
    }

    /// Forgets what was read from files of these forwards that have changed, and gives it.
    pub(super) fn look_again<'a>(
        &mut self,
        forwards: impl Iterator<Item = &'a Forward>,
    ) -> Renewed {
        let mut renewed = Renewed::default();
        for forward in forwards {
            if let Some(wanted) = &forward.tls {
                look(
                    &mut self.accepting,
                    wanted,
                    || fingerprint(wanted.files()),
                    &mut renewed.accepting,
                );
            }
            if let Some(wanted) = &forward.connect_tls {
                let now = || fingerprint(wanted.files());
                look(&mut self.originating, wanted, now, &mut renewed.originating);
            }
        }
        renewed
    }

    pub(super) fn look_at_all_again(&mut self) -> Renewed {
        let mut renewed = Renewed::default();
        for wanted in self.accepting.keys().cloned().collect::<Vec<_>>() {
            let now = || fingerprint(wanted.files());
            look(&mut self.accepting, &wanted, now, &mut renewed.accepting);
        }
        for wanted in self.originating.keys().cloned().collect::<Vec<_>>() {
            let now = || fingerprint(wanted.files());
            look(&mut self.originating, &wanted, now, &mut renewed.originating);
        }
        renewed
    }

    /// What was read before is good still, since the forwards stay as they are.
    pub(super) fn put_back(&mut self, renewed: Renewed) {
        self.accepting.extend(renewed.accepting);
        self.originating.extend(renewed.originating);
    }

    /// Forgets what no forward needs any more.
    pub(super) fn forget_unused(&mut self) {
        self.accepting.retain(|_, read| Arc::strong_count(&read.value) > 1);
        self.originating.retain(|_, read| Arc::strong_count(&read.value) > 1);
    }
}

impl Renewed {
    pub(super) fn is_empty(&self) -> bool {
        self.accepting.is_empty() && self.originating.is_empty()
    }

    pub(super) fn concerns(&self, forward: &Forward) -> bool {
        let accepting = forward.tls.as_ref().is_some_and(|it| self.accepting.contains_key(it));
        let originating =
            forward.connect_tls.as_ref().is_some_and(|it| self.originating.contains_key(it));
        accepting || originating
    }
}

fn look<K: std::hash::Hash + Eq, V>(
    known: &mut Known<K, V>,
    wanted: &Arc<K>,
    now: impl FnOnce() -> u64,
    changed: &mut Known<K, V>,
) {
    if known.get(wanted).is_some_and(|read| read.fingerprint != now()) {
        changed.extend(known.remove_entry(wanted));
    }
}
