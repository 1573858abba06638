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
}

/// A request body's attributes as typed values.
pub trait Input: Clone + Send + Sync + Sized + 'static {
    /// `attributes` has been checked: only known names, required ones present, each value valid.
    /// Still answers with the attribute's name and the reason when a value is not.
    fn from_json(attributes: &Map<String, Value>) -> Result<Self, (&'static str, String)>;
}
