//! Whose statement is next. One statement runs at a time; the seed chooses among those that wait.
//! A statement without an answer for a while waits for a lock: then the others go on.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    relay::{Gate, Verdict},
    seed::Random,
};

/// A statement that takes longer is taken for one that waits for a lock.
const PATIENCE: Duration = Duration::from_millis(4);

enum Event {
    Asks(usize, oneshot::Sender<()>),
    Answered(usize),
    Finished(usize),
}

/// One server's side: lets everything pass while there is no schedule.
#[derive(Default)]
pub(super) struct Turns {
    schedule: Mutex<Option<(usize, mpsc::UnboundedSender<Event>)>>,
}

impl Turns {
    fn tell(&self, event: impl FnOnce(usize) -> Event) {
        if let Some((actor, events)) = &*self.schedule.lock().unwrap() {
            let _ = events.send(event(*actor));
        }
    }

    pub(super) fn finish(&self) {
        self.tell(Event::Finished);
    }
}

impl Gate for Turns {
    fn ask(&self, _executes: bool) -> BoxFuture<'_, Verdict> {
        let (go, turn) = oneshot::channel();
        self.tell(|actor| Event::Asks(actor, go));
        Box::pin(async {
            // Nobody to say so: the schedule is over.
            let _ = turn.await;
            Verdict::Pass
        })
    }

    fn answered(&self) {
        self.tell(Event::Answered);
    }
}

pub(super) struct Schedule<'a> {
    turns: &'a [Arc<Turns>],
    events: mpsc::UnboundedReceiver<Event>,
    random: Random,
    /// How often each is preferred: a request with few statements would else nearly always be first.
    weights: Vec<usize>,
    waiting: Vec<(usize, oneshot::Sender<()>)>,
    /// Not at the gate: in the database, or between two statements.
    busy: BTreeSet<usize>,
    left: usize,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(turns: &'a [Arc<Turns>], mut random: Random) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        for (actor, turns) in turns.iter().enumerate() {
            *turns.schedule.lock().unwrap() = Some((actor, sender.clone()));
        }
        let busy = (0..turns.len()).collect();
        let weights = turns.iter().map(|_| 1 << (2 * random.below(4))).collect();
        Self { turns, events, random, weights, waiting: Vec::new(), busy, left: turns.len() }
    }

    /// Until every actor has finished.
    pub(super) async fn run(mut self) {
        while self.left > 0 {
            while !self.busy.is_empty() && self.left > 0 {
                match timeout(PATIENCE, self.events.recv()).await {
                    Ok(event) => self.note(event),
                    Err(_) => self.busy.clear(),
                }
            }
            if self.waiting.is_empty() {
                if self.left > 0 {
                    let event = self.events.recv().await;
                    self.note(event);
                }
                continue;
            }
            let chosen = self.choose();
            let (actor, go) = self.waiting.swap_remove(chosen);
            self.busy.insert(actor);
            let _ = go.send(());
        }
        for turns in self.turns {
            *turns.schedule.lock().unwrap() = None;
        }
    }

    fn choose(&mut self) -> usize {
        let weights = self.waiting.iter().map(|(actor, _)| self.weights[*actor]);
        let mut place = self.random.below(weights.clone().sum());
        for (index, weight) in weights.enumerate() {
            if place < weight {
                return index;
            }
            place -= weight;
        }
        0
    }

    fn note(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Asks(actor, go)) => {
                self.busy.remove(&actor);
                self.waiting.push((actor, go));
                self.waiting.sort_by_key(|(actor, _)| *actor);
            }
            // The next statement is on its way.
            Some(Event::Answered(actor)) => {
                self.busy.insert(actor);
            }
            Some(Event::Finished(actor)) => {
                self.busy.remove(&actor);
                self.left -= 1;
            }
            None => self.left = 0,
        }
    }
}
