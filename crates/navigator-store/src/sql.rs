//! A statement under construction: text with `$1`, `$2` … and its values. User input is only ever
//! a value; the text comes from declarations and from this crate.

use std::borrow::Cow;

use navigator_resources::{Attribute, SqlType, SqlValue};

use crate::table::quoted;

/// What follows a SELECT's columns mostly fits in, in bytes.
const ROOM: usize = 512;

/// A value with its SQL type, which PostgreSQL wants to know for NULL too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Param {
    Null(SqlType),
    Bool(bool),
    Int(i64),
    Text(String),
}

impl Param {
    /// A value for a column of that type; `None` when no stored value of the type can equal it.
    pub(crate) fn typed(value: &SqlValue, sql: SqlType) -> Option<Self> {
        Some(match (value, sql) {
            (SqlValue::Null, sql) => Self::Null(sql),
            (SqlValue::Bool(truth), SqlType::Bool) => Self::Bool(*truth),
            (SqlValue::Int(number), SqlType::Bool) => Self::Bool(*number != 0),
            (SqlValue::Bool(truth), SqlType::Int) => Self::Int(i64::from(*truth)),
            (SqlValue::Int(number), SqlType::Int) => Self::Int(*number),
            (SqlValue::Int(number), SqlType::Text) => Self::Text(number.to_string()),
            // PostgreSQL cannot hold a NUL in text, so nothing equals it.
            (SqlValue::Text(text), SqlType::Text) if !text.contains('\0') => {
                Self::Text(text.clone())
            }
            _ => return None,
        })
    }
}

impl From<i64> for Param {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) params: Vec<Param>,
    /// PostgreSQL makes a plan for each execution: what is best depends on the values.
    pub(crate) plan_for_values: bool,
    /// Of a SELECT of many rows, whose columns have the names that they are asked for by: whether each
    /// may be NULL. See `backend/sqlite.rs`.
    pub(crate) nullable: Vec<bool>,
    /// Who looks: what `$project` stands for in expressions.
    viewer: String,
    /// Where the viewer's project is bound.
    viewer_placeholder: Option<String>,
}

impl Sql {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// A whole statement with its values.
    pub(crate) fn with<const N: usize>(text: &str, params: [Param; N]) -> Self {
        Self { text: text.to_owned(), params: params.into(), ..Self::default() }
    }

    /// An empty statement whose expressions mean this project by `$project`. One that the database
    /// cannot hold is nobody's.
    pub(crate) fn seen_by(project: &str) -> Self {
        let viewer = if project.contains('\0') { String::new() } else { project.to_owned() };
        Self { viewer, ..Self::default() }
    }

    /// The same, still without a WHERE, as another project sees it.
    pub(crate) fn seen_by_another(&self, project: &str) -> Self {
        let mut text = String::with_capacity(self.text.len() + ROOM);
        text.push_str(&self.text);
        let mut sql = Self { text, ..Self::seen_by(project) };
        sql.viewer_placeholder.clone_from(&self.viewer_placeholder);
        // Nothing else is bound before a WHERE.
        sql.params.extend(self.params.iter().map(|_| Param::Text(sql.viewer.clone())));
        sql
    }

    /// An expression of a declaration as it stands in this statement.
    pub(crate) fn expression<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        if !text.contains("$project") {
            return Cow::Borrowed(text);
        }
        let params = &mut self.params;
        let placeholder = self.viewer_placeholder.get_or_insert_with(|| {
            params.push(Param::Text(self.viewer.clone()));
            format!("${}", params.len())
        });
        Cow::Owned(text.replace("$project", placeholder))
    }

    /// What the attribute is in a WHERE or ORDER BY.
    pub(crate) fn operand(&mut self, attribute: &Attribute) -> String {
        match attribute.expression {
            Some(text) => self.expression(text).into_owned(),
            None => quoted(attribute),
        }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// The statement between two texts.
    pub(crate) fn within(mut self, before: &str, after: &str) -> Self {
        self.text.insert_str(0, before);
        self.text.push_str(after);
        self
    }

    /// Appends the value's placeholder.
    pub(crate) fn bind(&mut self, param: impl Into<Param>) -> &mut Self {
        self.params.push(param.into());
        let placeholder = format!("${}", self.params.len());
        self.push(&placeholder)
    }

    /// Appends `(value, value, …)`.
    pub(crate) fn bind_list(&mut self, params: impl IntoIterator<Item = Param>) -> &mut Self {
        self.push("(");
        for (index, param) in params.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.bind(param);
        }
        self.push(")")
    }

    /// Appends `column IN (…)`. The list is filled up to a power of two with its last value, so
    /// that few different statements are prepared.
    pub(crate) fn bind_in(&mut self, column: &str, mut params: Vec<Param>) -> &mut Self {
        let Some(last) = params.last().cloned() else { return self.push("FALSE") };
        if params.len() == 1 {
            return self.push(column).push(" = ").bind(last);
        }
        params.resize(params.len().next_power_of_two(), last);
        self.push(column).push(" IN ").bind_list(params)
    }
}
