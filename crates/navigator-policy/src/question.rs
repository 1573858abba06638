//! What a question is made of: who asks, and what about.

use std::borrow::Cow;

/// Who asks.
pub trait Credentials {
    /// In any case of letters.
    fn has_role(&self, role: &str) -> bool;

    /// Whether the credential of this name, or one of several, is this text. Never for one that the
    /// caller does not have.
    fn is(&self, name: &str, text: &str) -> bool;
}

/// What the question is about: an object, or one that is to be made.
pub trait Target {
    /// By its name on the wire, or `parent:attribute` for one of a related object.
    fn value(&self, name: &str) -> Value<'_>;

    /// The attribute that `field:<resource>:<name>=…` means.
    fn field(&self, _resource: &str, name: &str) -> Value<'_> {
        self.value(name)
    }
}

/// An attribute of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    /// There, and nothing. No credential equals it.
    Null,
    /// The target has no such attribute. Nothing equals it.
    Absent,
    /// Not looked at yet.
    Unknown,
}

impl<'a> Value<'a> {
    /// As Python writes it: rules compare with that.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(true) => Some("True".into()),
            Self::Bool(false) => Some("False".into()),
            Self::Null => Some("None".into()),
            Self::Absent | Self::Unknown => None,
        }
    }
}

/// A target of which nothing is known: an outcome that does not depend on the target is found with
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Unseen;

impl Target for Unseen {
    fn value(&self, _name: &str) -> Value<'_> {
        Value::Unknown
    }
}
