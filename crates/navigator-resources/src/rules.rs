//! A resource's decisions. Each answers with the object as it will be and the writes that make it
//! so, from facts alone.

use navigator_model::ProjectId;

use crate::{
    context::{Caller, Context, Settings},
    declaration::Declaration,
    facts::{Facts, Stop},
    refusal::Refusal,
    registry::rbac_policy::Action,
    resource::{Reshape, Resource},
    row::{DecodeError, Row, SqlValue},
    writes::Writes,
};
use serde_json::{Map, Value};

/// `PUT /v2.0/<collection>/<id>/<name>`: answers 200 with a body of its own.
pub struct MemberAction<R> {
    pub name: &'static str,
    /// `current` is locked and the caller owns it; `body` is the whole JSON object.
    #[allow(clippy::type_complexity, reason = "the parameters' names say more than an alias")]
    pub run: fn(
        current: &R,
        body: &Map<String, Value>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Value, Writes), Stop>,
}

/// Decides what follows from a committed change, in a transaction of its own.
pub type Consequence = fn(facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop>;

/// When something is looked at (`now` as in [`Context`]), and under which settings.
pub struct Moment<'a> {
    pub now: String,
    pub settings: &'a Settings,
}

/// JSON schemas by name.
pub type Schemas = &'static [(&'static str, fn() -> Value)];

/// An attribute that depends on the moment it is looked at.
pub struct Momentary {
    pub name: &'static str,
    /// What it means, for the reference.
    pub docs: &'static str,
    /// JSON schema of what is shown.
    pub schema: fn() -> Value,
    /// Appends its JSON.
    pub show: fn(&Row, &Moment<'_>, &mut Vec<u8>) -> Result<(), DecodeError>,
    /// How lists are filtered by it; `None` if they are not.
    pub filter: Option<fn(&Moment<'_>) -> Cutoff>,
}

/// A momentary truth in terms of what is stored: it holds where `column` is `at_least` or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cutoff {
    pub column: &'static str,
    pub at_least: String,
}

/// Objects of another resource that are shown inside one: all those of a page are loaded together.
pub struct Embedded {
    /// The attribute that lists them.
    pub name: &'static str,
    pub declaration: fn() -> &'static Declaration,
    /// Their column that holds the id of the object around them.
    pub column: &'static str,
    pub reshape: fn() -> Option<Reshape>,
}

impl Embedded {
    pub const fn of<R: Resource>(name: &'static str, column: &'static str) -> Self {
        Self { name, declaration: R::declaration, column, reshape: R::reshape }
    }
}

/// Columns and the values that they have.
pub type Conditions = Vec<(&'static str, SqlValue)>;

/// An object that each project has, made when the project is first seen to have none.
pub struct Lazy {
    /// Conditions that only this project's object fulfils; `None` if this caller needs none.
    pub of: fn(&Caller) -> Option<Conditions>,
    /// Makes it for the caller's project unless it is there.
    pub make: Consequence,
}

/// What clients cannot do needs no rule: `#[resource(without(update))]` mounts no PUT, so that the
/// default, which refuses, is not reached.
pub trait Rules: Resource {
    /// `parent` is the id in the URL of a child resource; the parent's existence and visibility
    /// have been checked, nothing else of it.
    fn create(
        _input: &Self::Create,
        _parent: Option<&str>,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        Err(Refusal::HTTPNotFound {}.into())
    }

    /// What must hold of all objects of one POST together, before each is looked at.
    fn check_bulk(_inputs: &[Self::Create]) -> Result<(), Refusal> {
        Ok(())
    }

    /// `current` is locked. An update that changes nothing answers with no writes.
    fn update(
        _current: &Self,
        _update: &Self::Update,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        Err(Refusal::HTTPNotFound {}.into())
    }

    /// `current` is locked.
    fn delete(_current: &Self, _facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        Err(Refusal::HTTPNotFound {}.into())
    }

    /// Attributes that depend on the moment they are looked at, which nothing stores.
    fn momentary() -> &'static [Momentary] {
        &[]
    }

    /// What is decided after one was changed or deleted, in this order. The change stands whatever
    /// becomes of these.
    fn consequences() -> &'static [Consequence] {
        &[]
    }

    /// What its lists show of other resources.
    fn embedded() -> &'static [Embedded] {
        &[]
    }

    /// What a list of the own project's objects is never without.
    fn lazy() -> Option<Lazy> {
        None
    }

    /// Projects that do with it what RBAC policies of this action allow; the owner's may be among
    /// them. Policies that they need stay.
    fn used_by(&self, _action: Action, _facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
        Ok(Vec::new())
    }

    /// JSON schemas of what its answers show otherwise than attribute by attribute
    /// ([`Reshape`]), by name.
    fn reshaped() -> Schemas {
        &[]
    }

    fn actions() -> &'static [MemberAction<Self>] {
        &[]
    }
}
