//! The memory that bodies take until they have been answered: so much for each project, and so much
//! for all. Small bodies are free, so that who sends those never waits for who sends large ones.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use navigator_model::ProjectId;

/// Bytes of a body that are not counted.
const FREE: usize = 16 << 10;
const OF_PROJECT: usize = 8 << 20;
const OF_ALL: usize = 64 << 20;

#[derive(Clone, Default)]
pub(crate) struct Room(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_project: HashMap<ProjectId, usize>,
}

/// What one body has taken of it.
pub(super) struct Share {
    room: Room,
    project: ProjectId,
    taken: usize,
}

impl Room {
    pub(super) fn share(self, project: ProjectId) -> Share {
        Share { room: self, project, taken: 0 }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// The body is to be, or has become, as long as this; `false` if there is no room for it.
    pub(super) fn reaches(&mut self, length: usize) -> bool {
        let more = length.saturating_sub(FREE).saturating_sub(self.taken);
        if more == 0 {
            return true;
        }
        let mut taken = self.room.taken();
        let own = taken.by_project.get(&self.project).copied().unwrap_or_default();
        if taken.all + more > OF_ALL || own + more > OF_PROJECT {
            return false;
        }
        taken.all += more;
        taken.by_project.insert(self.project.clone(), own + more);
        self.taken += more;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.taken == 0 {
            return;
        }
        let mut taken = self.room.taken();
        taken.all -= self.taken;
        if let Some(own) = taken.by_project.get_mut(&self.project) {
            *own -= self.taken;
            if *own == 0 {
                taken.by_project.remove(&self.project);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 1 << 20;

    #[test]
    fn a_project_takes_its_own_room_only() {
        let room = Room::default();
        let share = |name: &str| room.clone().share(ProjectId(name.to_owned()));
        let mut many: Vec<_> = (0..20).map(|_| share("many")).collect();
        let fit = many.iter_mut().map(|share| share.reaches(LARGE)).filter(|fits| *fits).count();
        assert_eq!(fit, OF_PROJECT / (LARGE - FREE));
        assert!(share("many").reaches(FREE));
        assert!(share("few").reaches(LARGE));
        drop(many);
        assert!(room.taken().by_project.is_empty() && room.taken().all == 0);
    }

    #[test]
    fn all_together_take_no_more_than_there_is() {
        let room = Room::default();
        let mut shares: Vec<_> =
            (0..200).map(|n| room.clone().share(ProjectId(n.to_string()))).collect();
        let fit = shares.iter_mut().map(|share| share.reaches(LARGE)).filter(|fits| *fits).count();
        assert_eq!(fit, OF_ALL / (LARGE - FREE));
        assert!(shares.iter_mut().all(|share| share.reaches(FREE)));
    }

    #[test]
    fn growth_is_counted_once() {
        let room = Room::default();
        let mut share = room.clone().share(ProjectId("one".to_owned()));
        for length in (0..=LARGE).step_by(1000) {
            assert!(share.reaches(length));
        }
        assert!(share.reaches(LARGE));
        assert_eq!(room.taken().all, LARGE - FREE);
    }
}
