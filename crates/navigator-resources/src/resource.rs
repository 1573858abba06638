//! The two traits that the derive implements.

use serde_json::{Map, Value};

use crate::{
    declaration::Declaration,
    row::{DecodeError, Row},
};

/// A declared resource: its struct is one row.
pub trait Resource: Clone + Send + Sync + Sized + 'static {
    /// What a POST may say, parsed and with defaults.
    type Create: Input;
    /// What a PUT may say: every attribute optional.
    type Update: Input;

    fn declaration() -> &'static Declaration;

    fn id(&self) -> String;

    fn from_row(row: &Row) -> Result<Self, DecodeError>;

    /// Stored columns only, no computed ones.
    fn to_row(&self) -> Row;

    /// Every visible attribute, in the order of declaration.
    fn to_json(&self) -> Map<String, Value>;

    /// What its answers show otherwise than attribute by attribute.
    fn reshape() -> Option<Reshape>;
}

/// What answers show otherwise than attribute by attribute.
#[derive(Clone, Copy)]
pub struct Reshape {
    /// Names that it adds to those of the attributes.
    pub adds: &'static [&'static str],
    pub changes: fn(&Row) -> Result<Changes, DecodeError>,
}

/// By name, what is shown instead; `None` where nothing is.
pub type Changes = Vec<(&'static str, Option<Value>)>;

/// An object as attributes say it, with these changes.
pub fn reshape(map: &mut Map<String, Value>, changes: Changes) {
    for (name, value) in changes {
        match value {
            Some(value) => drop(map.insert(name.to_owned(), value)),
            None => drop(map.remove(name)),
        }
    }
}

/// A request body's attributes as typed values.
pub trait Input: Clone + Send + Sync + Sized + 'static {
    /// `attributes` has been checked: only known names, required ones present, each value valid.
    /// Still answers with the attribute's name and the reason when a value is not.
    fn from_json(attributes: &Map<String, Value>) -> Result<Self, (&'static str, String)>;
}
