//! Values by small numbers that are used again, each time under another generation: an event for what
//! is gone finds nothing, even if its place is taken.

use crate::token::{GENERATIONS, Key};

pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// The generation of places that are new.
    first: u32,
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), first: 0 }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return Key { index, generation: slot.generation };
        }
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: self.first, value: Some(value) });
        Key { index, generation: self.first }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        if slot.generation == key.generation { slot.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation == key.generation { slot.value.as_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = (slot.generation + 1) % GENERATIONS;
        self.free.push(key.index);
        if self.free.len() == self.slots.len() {
            self.shrink();
        }
        Some(value)
    }

    /// After a flood, all that it needed is given back. No place starts below a generation that was.
    fn shrink(&mut self) {
        const WORTH_IT: usize = 4096;
        if self.slots.len() > WORTH_IT {
            let generation = self.slots.iter().map(|slot| slot.generation).max().unwrap_or(0);
            self.first = generation;
            self.slots.truncate(WORTH_IT);
            self.slots.shrink_to_fit();
            for slot in &mut self.slots {
                slot.generation = generation;
            }
            self.free = (0..WORTH_IT as u32).rev().collect();
        }
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        let key = |(index, slot): (usize, &Slot<T>)| {
            let key = Key { index: index as u32, generation: slot.generation };
            slot.value.is_some().then_some(key)
        };
        self.slots.iter().enumerate().filter_map(key).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_used_again_is_another_key() {
        let mut slots = Slots::new();
        let first = slots.insert("a");
        assert_eq!(slots.remove(first), Some("a"));
        let second = slots.insert("b");
        assert_eq!(first.index, second.index);
        assert_ne!(first, second);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get_mut(second), Some(&mut "b"));
        assert!(!slots.is_empty());
    }

    #[test]
    fn after_a_flood_the_memory_is_given_back() {
        let mut slots = Slots::new();
        let keys: Vec<_> = (0..10_000).map(|n| slots.insert(n)).collect();
        for key in &keys {
            slots.remove(*key).unwrap();
        }
        assert!(slots.is_empty());
        assert!(slots.slots.len() <= 4096);
        let again: Vec<_> = (0..10_000).map(|n| slots.insert(n)).collect();
        for (old, new) in keys.iter().zip(again.iter().rev()) {
            assert!(slots.get_mut(*old).is_none(), "an old key must not find a new value");
            assert!(slots.get_mut(*new).is_some());
        }
    }
}
