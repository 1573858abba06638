//! For tests: a world and the one who asks, who may change.

use std::ops::{Deref, DerefMut};

use serde_json::Value;

use super::{World, admin, member};
use crate::{Caller, Context, Facts, Refusal, Resource, Rules, Select, Stop, Writes};

pub(crate) struct Session {
    world: World,
    caller: Caller,
}

impl Deref for Session {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Session {
    /// An empty world; the administrator asks.
    pub(crate) fn new() -> Self {
        Self { world: World::default(), caller: admin() }
    }

    /// From now on an ordinary member of this project asks.
    pub(crate) fn as_project(&mut self, project: &str) -> &mut Self {
        self.caller = member(project);
        self
    }

    pub(crate) fn as_admin(&mut self) -> &mut Self {
        self.caller = admin();
        self
    }

    /// Stores the object as if it had always been there.
    pub(crate) fn put<R: Resource>(&mut self, object: &R) {
        self.world.put(R::declaration().table, &object.id(), object.to_row());
    }

    pub(crate) fn list<R: Resource>(&self) -> Vec<R> {
        self.world.all(Select::all())
    }

    pub(crate) fn get<R: Resource>(&self, id: impl ToString) -> Option<R> {
        self.world.all(Select::eq("id", id.to_string())).pop()
    }

    pub(crate) fn decide<T>(
        &mut self,
        decide: impl FnMut(&Facts, &Context<'_>) -> Result<(T, Writes), Stop>,
    ) -> Result<T, Refusal> {
        self.world.decide(&self.caller, decide)
    }

    pub(crate) fn create<R: Rules>(&mut self, body: Value) -> Result<R, Refusal> {
        self.world.create(&self.caller, None, body)
    }

    pub(crate) fn create_child<R: Rules>(
        &mut self,
        parent: impl ToString,
        body: Value,
    ) -> Result<R, Refusal> {
        self.world.create(&self.caller, Some(parent.to_string()), body)
    }

    pub(crate) fn update<R: Rules>(
        &mut self,
        id: impl ToString,
        body: Value,
    ) -> Result<R, Refusal> {
        self.world.update(&self.caller, id, body)
    }

    pub(crate) fn delete<R: Rules>(&mut self, id: impl ToString) -> Result<(), Refusal> {
        self.world.delete::<R>(&self.caller, id)
    }

    pub(crate) fn action<R: Rules>(
        &mut self,
        id: impl ToString,
        name: &str,
        body: Value,
    ) -> Result<Value, Refusal> {
        self.world.action::<R>(&self.caller, id, name, body)
    }
}
