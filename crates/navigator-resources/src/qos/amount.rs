//! The values that rules are made of: how much, in which direction, with which mark.

use serde_json::{Value, json};

use crate::{AttributeValue, SqlType, SqlValue};

/// A value of a rule. It tells clients what it may be, and the other rules what it means.
pub trait Parameter: AttributeValue {
    /// `parameter_type` and `parameter_values` as `/v2.0/qos/rule-types/{type}` shows them.
    fn described() -> (&'static str, Value);

    fn direction(&self) -> Option<&'static str> {
        None
    }

    fn amount(&self) -> Option<i64> {
        None
    }
}

/// A rate or a burst: from 0 to 2^31 - 1, in the unit that the attribute's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub i64);

impl Amount {
    const MOST: i64 = i32::MAX as i64;
}

impl AttributeValue for Amount {
    const SQL: SqlType = SqlType::Int;

    fn from_json(value: &Value) -> Result<Self, String> {
        match i64::from_json(value)? {
            number @ 0..=Self::MOST => Ok(Self(number)),
            number @ ..0 => Err(format!("'{number}' is too small - must be at least '0'")),
            number => {
                Err(format!("'{number}' is too large - must be no larger than '{}'", Self::MOST))
            }
        }
    }

    fn to_json(&self) -> Value {
        self.0.into()
    }

    fn to_sql(&self) -> SqlValue {
        self.0.into()
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        i64::from_sql(value).map(Self)
    }
}

impl Parameter for Amount {
    fn described() -> (&'static str, Value) {
        ("range", json!({"start": 0, "end": Self::MOST}))
    }

    fn amount(&self) -> Option<i64> {
        Some(self.0)
    }
}

/// A differentiated services code point that routers agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DscpMark(pub i64);

impl DscpMark {
    const ALL: [i64; 22] =
        [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56];
}

impl AttributeValue for DscpMark {
    const SQL: SqlType = SqlType::Int;

    fn from_json(value: &Value) -> Result<Self, String> {
        let number = i64::from_json(value)?;
        if Self::ALL.contains(&number) {
            return Ok(Self(number));
        }
        Err(format!("'{number}' is not in {:?}", Self::ALL))
    }

    fn to_json(&self) -> Value {
        self.0.into()
    }

    fn to_sql(&self) -> SqlValue {
        self.0.into()
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        i64::from_sql(value).map(Self)
    }
}

impl Parameter for DscpMark {
    fn described() -> (&'static str, Value) {
        ("choices", json!(Self::ALL))
    }
}

crate::word_attribute! {
    /// As the instance sees it: what it sends is egress.
    pub enum Direction {
        Egress => "egress",
        Ingress => "ingress",
    }
}

crate::word_attribute! {
    /// A guaranteed packet rate may also mean the sum of both directions.
    pub enum RateDirection {
        Any => "any",
        Egress => "egress",
        Ingress => "ingress",
    }
}

macro_rules! directions {
    ($($type:ty),*) => {$(
        impl Parameter for $type {
            fn described() -> (&'static str, Value) {
                let words: Vec<_> = Self::ALL.iter().map(|known| known.word()).collect();
                ("choices", json!(words))
            }

            fn direction(&self) -> Option<&'static str> {
                Some(self.word())
            }
        }
    )*};
}

directions!(Direction, RateDirection);
