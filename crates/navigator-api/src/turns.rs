//! Projects take turns: however many requests one of them has under way, only a few are worked on
//! at the same time, so that another project's request waits for a few and not for thousands.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::Method;
use navigator_model::ProjectId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::fault::Fault;

/// Requests of one project at the same time, for each processor; and in all. More of them would not end
/// earlier: they share the processors in the kernel's order, and some wait many times as long as others.
const FOR_EACH_PROCESSOR: usize = 2;
const FEWEST: usize = 4;
/// As many as PostgreSQL has connections.
const MOST: usize = 16;
/// What they take, in parts of a place. A read takes two places: it waits for no lock and hardly for
/// anything else, so that one for each processor keeps all of them at work. Reads of single objects share
/// statements, the better the more of them come together.
const OF_WRITE: u32 = 2;
const OF_READ: u32 = 2 * OF_WRITE;
const OF_ONE: u32 = 1;
/// A body above this takes so many places that no other such body is at work: what it becomes when it
/// is understood can be many times as large, and takes its time.
const LARGE: u64 = 64 << 10;
/// More of one project do not wait.
const MOST_WAITING: usize = 1024;
/// How long they wait: for their own project only, so rather long than in vain.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Objects that one request works on without letting others go on: some tenths of a millisecond.
const SLICE: usize = 64;

/// Whether a body of this length takes its time.
pub(crate) fn is_large(body: u64) -> bool {
    body > LARGE
}

/// After each of many objects: so many are done.
pub(crate) async fn others_go_on(done: usize) {
    if done.is_multiple_of(SLICE) {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone)]
pub(crate) struct Turns {
    at_once: u32,
    projects: Arc<Mutex<Projects>>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Write,
    Read,
    ReadOne,
}

impl Kind {
    /// By its route, whose last part stands for the object that it is about, if it is about one.
    pub(crate) fn of(method: &Method, route: &str) -> Self {
        match method.is_safe() {
            false => Self::Write,
            true if route.ends_with("/{id}") => Self::ReadOne,
            true => Self::Read,
        }
    }
}

type Projects = HashMap<ProjectId, Project>;

struct Project {
    places: Arc<Semaphore>,
    /// Requests that wait or are at work.
    here: usize,
}

/// A request among those of its project.
struct Here {
    turns: Turns,
    project: ProjectId,
}

impl Turns {
    pub(crate) fn on(processors: usize) -> Self {
        let at_once = (processors * FOR_EACH_PROCESSOR).clamp(FEWEST, MOST);
        Self { at_once: at_once as u32, projects: Arc::default() }
    }

    /// A request with a body of this length at least waits for its project's turn.
    pub(crate) async fn taken(
        &self,
        project: &ProjectId,
        kind: Kind,
        body: u64,
    ) -> Result<Turn, Fault> {
        let parts = match kind {
            _ if is_large(body) => (self.at_once / 2 + 1) * OF_WRITE,
            Kind::Write => OF_WRITE,
            Kind::Read => OF_READ,
            Kind::ReadOne => OF_ONE,
        };
        self.turn(project, parts).await.map(Turn)
    }

    fn projects(&self) -> MutexGuard<'_, Projects> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, project: &ProjectId) -> Option<(Here, Arc<Semaphore>)> {
        let mut projects = self.projects();
        let parts = (self.at_once * OF_WRITE) as usize;
        let new = || Project { places: Arc::new(Semaphore::new(parts)), here: 0 };
        let all = projects.entry(project.clone()).or_insert_with(new);
        if all.here >= MOST_WAITING {
            return None;
        }
        all.here += 1;
        let here = Here { turns: self.clone(), project: project.clone() };
        Some((here, Arc::clone(&all.places)))
    }

    async fn turn(
        &self,
        project: &ProjectId,
        count: u32,
    ) -> Result<(OwnedSemaphorePermit, Here), Fault> {
        let (here, places) = self.enter(project).ok_or(Fault::Busy)?;
        let permit = timeout(LONGEST_WAIT, places.acquire_many_owned(count)).await;
        Ok((permit.map_err(|_| Fault::Busy)?.map_err(|_| Fault::Busy)?, here))
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let mut projects = self.turns.projects();
        let Some(all) = projects.get_mut(&self.project) else { return };
        all.here -= 1;
        // Projects that ask nothing leave nothing behind.
        if all.here == 0 {
            projects.remove(&self.project);
        }
    }
}

/// A request whose turn it is, until it is answered.
pub(crate) struct Turn(#[expect(dead_code, reason = "held")] (OwnedSemaphorePermit, Here));

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    use Kind::{Read, ReadOne, Write};

    #[tokio::test(start_paused = true)]
    async fn a_project_has_half_as_many_reads_at_work() {
        for (processors, reads) in [(1, 2), (2, 2), (6, 6), (64, 8)] {
            let turns = Turns::on(processors);
            let (many, few) = (ProjectId("many".to_owned()), ProjectId("few".to_owned()));
            let mut at_work = Vec::new();
            for _ in 0..reads {
                at_work.push(turns.taken(&many, Read, 0).await.unwrap());
            }
            assert!(matches!(turns.taken(&many, Write, 0).await, Err(Fault::Busy)));
            assert!(turns.taken(&few, Read, 0).await.is_ok());
            at_work.pop();
            let of_one = [ReadOne; 4].map(|kind| turns.taken(&many, kind, 0));
            let of_one = join_all(of_one).await;
            assert!(of_one.iter().all(Result::is_ok));
            assert!(matches!(turns.taken(&many, ReadOne, 0).await, Err(Fault::Busy)));
            drop(of_one);
            let writes = [turns.taken(&many, Write, 0).await, turns.taken(&many, Write, 0).await];
            assert!(writes.iter().all(Result::is_ok));
            assert!(matches!(turns.taken(&many, Read, 0).await, Err(Fault::Busy)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_project_with_many_requests_holds_up_no_other() {
        for processors in [1, 2, 6, 64] {
            let turns = Turns::on(processors);
            let (many, few) = (ProjectId("many".to_owned()), ProjectId("few".to_owned()));
            let mut at_work = Vec::new();
            for _ in 0..turns.at_once {
                at_work.push(turns.taken(&many, Write, LARGE).await.unwrap());
            }
            assert!(matches!(turns.taken(&many, Write, 0).await, Err(Fault::Busy)));
            assert!(turns.turn(&few, turns.at_once * OF_WRITE).await.is_ok());
            at_work.pop();
            assert!(turns.taken(&many, Write, 0).await.is_ok());
            assert!(matches!(turns.taken(&many, Write, LARGE + 1).await, Err(Fault::Busy)));
            drop(at_work);
            let large = turns.taken(&many, Write, LARGE + 1).await.unwrap();
            let small = turns.taken(&many, Write, LARGE).await.unwrap();
            assert!(matches!(turns.taken(&many, Write, LARGE + 1).await, Err(Fault::Busy)));
            drop((large, small));
            assert!(turns.projects().is_empty());
        }
    }

    #[test]
    fn what_a_request_does_is_known_by_its_route() {
        for (method, route, kind) in [
            (Method::GET, "/v2.0/ports/{id}", ReadOne),
            (Method::GET, "/v2.0/floatingips/{parent}/port_forwardings/{id}", ReadOne),
            (Method::GET, "/v2.0/ports", Read),
            (Method::GET, "/v2.0/ports/{id}/bindings", Read),
            (Method::PUT, "/v2.0/ports/{id}", Write),
            (Method::POST, "/v2.0/ports", Write),
        ] {
            assert_eq!(Kind::of(&method, route), kind, "{method} {route}");
        }
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let turns = Turns::on(1);
        let project = ProjectId("many".to_owned());
        let mut here: Vec<_> = (0..MOST_WAITING).map(|_| turns.enter(&project).unwrap()).collect();
        assert!(turns.enter(&project).is_none());
        here.pop();
        assert!(turns.enter(&project).is_some());
    }
}
