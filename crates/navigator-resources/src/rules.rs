//! A resource's decisions. Each answers with the object as it will be and the writes that make it
//! so, from facts alone.

use crate::{
    context::{Context, Settings},
    facts::{Facts, Stop},
    refusal::Refusal,
    resource::Resource,
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

/// A momentary truth in terms of what is stored: it holds where `column` is `at_least` or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cutoff {
    pub column: &'static str,
    pub at_least: String,
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

    /// Attributes that depend on the moment they are looked at (`now` as in [`Context`]), which
    /// nothing stores.
    fn momentary(&self, _now: &str, _settings: &Settings) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// How lists are filtered by a momentary attribute; `None` if they are not.
    fn momentary_filter(_name: &str, _now: &str, _settings: &Settings) -> Option<Cutoff> {
        None
    }

    /// What is decided after one was changed or deleted, in this order. The change stands whatever
    /// becomes of these.
    fn consequences() -> &'static [Consequence] {
        &[]
    }

    fn actions() -> &'static [MemberAction<Self>] {
        &[]
    }
}
