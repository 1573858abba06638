//! What a resource's derive writes down and everything generic reads: routes, body parsing,
//! filters, sorting, visibility, SQL, documents.

use serde_json::Value;

use crate::{row::SqlType, server_event::Notices};

/// One API resource.
pub struct Declaration {
    /// What one is, for the reference.
    pub docs: &'static str,
    /// Body key of one: `network`.
    pub name: &'static str,
    /// Body key of many: `networks`.
    pub collection: &'static str,
    /// First part of the URL: `v2.0`.
    pub root: &'static str,
    /// URL below the root, or below its parent's: `qos/policies`. Words are joined by `_` here;
    /// clients may say `-`.
    pub path: &'static str,
    /// Which changes there are; reading there always is.
    pub verbs: Verbs,
    /// Clients may put tags on one.
    pub tags: bool,
    /// The `object_type` of RBAC policies that share one with other projects.
    pub rbac: Option<&'static str>,
    /// What policy rules call it, if not by its name.
    pub policy: Option<&'static str>,
    /// As in Neutron's error types: `Network` of `NetworkNotFound`.
    pub class: &'static str,
    pub table: &'static str,
    /// The table is a view: its rows are not locked, and other resources write them.
    pub view: bool,
    /// The column that URLs name one by, unique among its siblings: `id` as a rule.
    pub key: &'static str,
    /// The resource under whose URL this one lives.
    pub parent: Option<Parent>,
    /// Alias of the extension that brings the resource.
    pub extension: &'static str,
    pub attributes: &'static [Attribute],
    /// Attributes of [`crate::Standard`] that the resource has.
    pub standard: &'static [Attribute],
    /// SQL condition that makes a row visible to every project, such as `shared`; empty if none.
    pub visible_to_all: &'static str,
    /// What makes a row visible besides `project_id = $project`.
    pub visible_through: Option<Through>,
    /// Nobody else may see or change one, and no project owns one.
    pub admin_only: bool,
    /// The name that limits on the number of these have, such as `port`; empty if there are none.
    pub quota: &'static str,
    /// What the compute service hears of a change.
    pub notices: Option<Notices>,
}

/// Rows whose column has one of some values: what a project sees, or a filter finds.
#[derive(Clone, Copy, Debug)]
pub struct Through {
    pub column: &'static str,
    /// A SELECT of the values; what a project sees, with `$project`.
    pub ids: &'static str,
}

/// The verbs of a resource that change something; others answer 405.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbs {
    pub create: bool,
    pub update: bool,
    pub delete: bool,
}

pub struct Parent {
    /// The child's column that holds the parent's id.
    pub column: &'static str,
    pub declaration: fn() -> &'static Declaration,
}

/// What happens when an attribute is not in a POST body.
#[derive(Clone, Copy)]
pub enum OnCreate {
    /// It may not be there.
    Refused,
    /// `Required attribute 'x' not specified`.
    Required,
    /// The default applies.
    Default(fn() -> Value),
    /// The rules see that it was absent.
    Unset,
}

pub struct Attribute {
    /// On the wire: `router:external`.
    pub name: &'static str,
    /// In the table; also for computed attributes, where it is the alias of `expression`.
    pub column: &'static str,
    pub sql: SqlType,
    /// It may have no value.
    pub nullable: bool,
    /// SQL that computes it at read time; such an attribute has no column.
    pub expression: Option<&'static str>,
    /// Rules see it. What only answers show is left out of facts: it can be long, or take long.
    pub fact: bool,
    /// Where the items of a list are kept if not in a column: written with the row, and what filters
    /// and conditions on it look into.
    pub link: Option<Link>,
    /// Where filters find the rows that have a value, if looking at the attribute of each takes too
    /// long: the rows whose column has one of these values. The SELECT ends with what is compared.
    pub found: Option<Through>,
    pub on_create: OnCreate,
    pub update: bool,
    /// Never returned if false.
    pub visible: bool,
    pub filter: bool,
    pub sort: bool,
    /// Only an administrator may name it in a POST, in a PUT, and see it.
    pub admin: Admin,
    /// Not part of the API at all: a column that rules use.
    pub internal: bool,
    /// Checks a value from a request and says what is wrong with it.
    pub check: fn(&Value) -> Result<(), String>,
    /// Turns a filter's text into the stored form; `None` if no stored value can equal it.
    pub filter_value: fn(&str) -> Option<crate::SqlValue>,
    /// Appends the JSON of a stored value, as answers show it. See [`crate::AttributeValue::show`].
    pub show: fn(&crate::SqlValue, &mut Vec<u8>) -> Result<(), String>,
    /// What it means, for the reference.
    pub docs: &'static str,
    /// JSON schema of what answers show, and of what requests say.
    pub schema: fn() -> Value,
    pub input_schema: fn() -> Value,
}

/// A table with a row per owner and item; the owner's rows go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub table: &'static str,
    /// Column of the owner's id.
    pub owner: &'static str,
    pub item: &'static str,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Admin {
    pub create: bool,
    pub update: bool,
    pub get: bool,
}

/// The tables of attributes are too long to print.
impl std::fmt::Debug for Declaration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Declaration({})", self.name)
    }
}

impl Declaration {
    /// Where the collection is mounted: `/v2.0/routers/{parent}/gateway_port_forwardings`. Put
    /// `parent` where a child has its parent's id.
    pub fn url(&self, parent: &str) -> String {
        match &self.parent {
            None => format!("/{}/{}", self.root, self.path),
            Some(of) => format!("{}/{parent}/{}", (of.declaration)().url(parent), self.path),
        }
    }

    /// What policy rules call it: `network`, a child `floatingip_port_forwarding`.
    pub fn policy_name(&self) -> String {
        match (self.policy, &self.parent) {
            (Some(name), _) => name.to_owned(),
            (None, Some(of)) => format!("{}_{}", (of.declaration)().policy_name(), self.name),
            (None, None) => self.name.to_owned(),
        }
    }

    /// Own attributes, then the standard ones.
    pub fn all(&self) -> impl Iterator<Item = &'static Attribute> {
        self.attributes.iter().chain(self.standard)
    }

    /// Attributes of the API, by wire name. `tenant_id` is `project_id`'s older name.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        let name = if name == "tenant_id" { "project_id" } else { name };
        self.all().find(|a| a.name == name && !a.internal)
    }

    /// Whether projects own these, so that their number is limited.
    pub fn is_counted(&self) -> bool {
        let owned = self.all().any(|a| a.column == "project_id" && a.expression.is_none());
        owned && !self.admin_only && !self.view && !self.quota.is_empty()
    }

    /// Whether a POST may name tags.
    pub fn tags_on_create(&self) -> bool {
        let tags = self.attributes.iter().find(|a| a.name == "tags");
        self.tags && tags.is_some_and(|tags| matches!(tags.on_create, OnCreate::Unset))
    }

    /// The columns that rules see.
    pub fn fact_columns(&self) -> impl Iterator<Item = &'static Attribute> {
        self.columns().filter(|attribute| attribute.fact)
    }

    /// Columns and computed columns, in order: what a SELECT lists and a row holds.
    pub fn columns(&self) -> impl Iterator<Item = &'static Attribute> {
        self.all()
    }
}
