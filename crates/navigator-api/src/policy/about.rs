//! What a question is about, as rules see it.

use std::borrow::Cow;

use navigator_policy::{Target, Value};
use navigator_resources::{Declaration, OnCreate, Row, SqlValue};
use serde_json::Value as Json;

use super::related::Related;
use crate::body::Attributes;

/// An object, as it is, as it would be, or as it is asked for.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    Object(&'a Row),
    Changed(&'a Row, &'a Attributes),
    New(&'a Attributes),
}

/// With what is known of the objects that it refers to.
pub(super) struct Seen<'a> {
    pub(super) about: About<'a>,
    pub(super) declaration: &'static Declaration,
    pub(super) related: &'a Related,
}

impl About<'_> {
    /// The attribute's value, if the resource has one of this name.
    pub(super) fn own(&self, declaration: &Declaration, name: &str) -> Option<Value<'_>> {
        let attribute = declaration.attribute(name)?;
        let said = match self {
            Self::Object(_) => None,
            Self::Changed(_, said) | Self::New(said) => said.get(attribute.name),
        };
        Some(match (said, self) {
            (Some(value), _) => of_json(value),
            (None, Self::Object(row) | Self::Changed(row, _)) => of_sql(row.get(attribute.column)),
            (None, Self::New(_)) => match attribute.on_create {
                OnCreate::Default(default) => owned(default()),
                _ => Value::Absent,
            },
        })
    }
}

impl Target for Seen<'_> {
    fn value(&self, name: &str) -> Value<'_> {
        if let Some(value) = self.about.own(self.declaration, name) {
            return value;
        }
        match name.split_once(':') {
            Some((relation, attribute)) => self.related.value(&self.about, relation, attribute),
            None => Value::Absent,
        }
    }

    /// Of the object itself, or else of the one that it belongs to: `networks:shared` of a port is
    /// its network's.
    fn field(&self, resource: &str, name: &str) -> Value<'_> {
        self.about
            .own(self.declaration, name)
            .unwrap_or_else(|| self.related.field(&self.about, resource, name))
    }
}

pub(super) fn of_sql(value: &SqlValue) -> Value<'_> {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Bool(truth) => Value::Bool(*truth),
        SqlValue::Int(number) => Value::Text(Cow::Owned(number.to_string())),
        SqlValue::Text(text) => Value::Text(Cow::Borrowed(text)),
    }
}

fn of_json(value: &Json) -> Value<'_> {
    match value {
        Json::String(text) => Value::Text(Cow::Borrowed(text)),
        other => owned(other.clone()),
    }
}

fn owned(value: Json) -> Value<'static> {
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::String(text) => Value::Text(Cow::Owned(text)),
        other => Value::Text(Cow::Owned(other.to_string())),
    }
}

/// Attributes that a handler knows without a declared resource.
#[derive(Default)]
pub(crate) struct Said(pub(crate) Vec<(&'static str, String)>);

impl Target for Said {
    fn value(&self, name: &str) -> Value<'_> {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Value::Text(Cow::Borrowed(text)),
            None => Value::Absent,
        }
    }
}
