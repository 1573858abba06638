//! Projects take turns: however many requests one of them has under way, only a few are worked on
//! at the same time, so that another project's request waits for a few and not for thousands.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    body::HttpBody as _,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use navigator_model::ProjectId;
use navigator_resources::Caller;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::fault::Fault;

/// Requests of one project at the same time; as many as PostgreSQL has connections.
const AT_ONCE: u32 = 16;
/// A body above this takes so many places that no other such body is at work: what it becomes when it
/// is understood can be many times as large, and takes its time.
const LARGE: u64 = 64 << 10;
const PLACES_OF_LARGE: u32 = AT_ONCE / 2 + 1;
/// More of one project do not wait.
const MOST_WAITING: usize = 1024;
/// How long they wait: for their own project only, so rather long than in vain.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Projects>>);

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
    fn projects(&self) -> MutexGuard<'_, Projects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, project: &ProjectId) -> Option<(Here, Arc<Semaphore>)> {
        let mut projects = self.projects();
        let new = || Project { places: Arc::new(Semaphore::new(AT_ONCE as usize)), here: 0 };
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

/// The request waits for its project's turn.
pub(crate) async fn taken(
    State(turns): State<Turns>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let large = request.body().size_hint().lower() > LARGE;
    let places = if large { PLACES_OF_LARGE } else { 1 };
    match turns.turn(&caller.project_id, places).await {
        Ok(_turn) => next.run(request).await,
        Err(fault) => fault.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_project_with_many_requests_holds_up_no_other() {
        let turns = Turns::default();
        let (many, few) = (ProjectId("many".to_owned()), ProjectId("few".to_owned()));
        let mut at_work = Vec::new();
        for _ in 0..AT_ONCE {
            at_work.push(turns.turn(&many, 1).await.unwrap());
        }
        assert!(matches!(turns.turn(&many, 1).await, Err(Fault::Busy)));
        assert!(turns.turn(&few, AT_ONCE).await.is_ok());
        at_work.pop();
        assert!(turns.turn(&many, 1).await.is_ok());
        assert!(matches!(turns.turn(&many, 2).await, Err(Fault::Busy)));
        drop(at_work);
        assert!(turns.turn(&many, AT_ONCE).await.is_ok());
        assert!(turns.projects().is_empty());
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let turns = Turns::default();
        let project = ProjectId("many".to_owned());
        let mut here: Vec<_> = (0..MOST_WAITING).map(|_| turns.enter(&project).unwrap()).collect();
        assert!(turns.enter(&project).is_none());
        here.pop();
        assert!(turns.enter(&project).is_some());
    }
}
