//! Who may do what, in the language of oslo.policy: `rule:admin_only or role:member and
//! project_id:%(project_id)s`.
//!
//! In: the default rules ([`Rules::neutron`], Neutron's names and defaults), an operator's
//! `policy.yaml` ([`document`]), and for each question the caller ([`Credentials`]) and what it is
//! about ([`Target`]). Out: an [`Outcome`], or an [`Explanation`] of it. What is not known yet of the
//! target makes the outcome depend on it, so that a question that does not depend on the target is
//! answered once and not for every object.
//!
//! Pure: no I/O, no clock. A reference to a rule that does not exist denies.

pub mod check;
pub mod defaults;
pub mod document;
mod evaluate;
mod explain;
mod parse;
mod question;
mod rules;

pub use check::{Check, Field, Pattern, Template};
pub use evaluate::Outcome;
pub use explain::Explanation;
pub use parse::ParseError;
pub use question::{Credentials, Target, Unseen, Value};
pub use rules::{LoadError, Origin, Rule, Rules};
