//! The objects that an object belongs to: `network:project_id` of a port is its network's owner,
//! `ext_parent:project_id` of a child its parent's. They are loaded when an outcome depends on them,
//! for all objects of a request together.

use std::{
    collections::{BTreeSet, HashMap},
    sync::OnceLock,
};

use navigator_policy::{Check, Rule, Value};
use navigator_resources::{Declaration, Row, Visitor, visit_all};

use super::about::{About, of_sql};

/// The name by which rules call the parent of a child resource.
const PARENT: &str = "ext_parent";

/// A way from one resource to another.
pub(super) struct Relation {
    /// As rules say it: `network`.
    pub(super) name: &'static str,
    /// The attribute that holds the other's id.
    attribute: &'static str,
    column: &'static str,
    pub(super) declaration: &'static Declaration,
    /// By id, those that were looked for; `None` if there is none.
    pub(super) rows: HashMap<String, Option<Row>>,
}

pub(super) struct Related(pub(super) Vec<Relation>);

impl Related {
    /// Nothing is loaded yet.
    pub(super) fn of(declaration: &'static Declaration) -> Self {
        let parent = declaration.parent.as_ref().map(|parent| Relation {
            name: PARENT,
            attribute: parent.column,
            column: parent.column,
            declaration: (parent.declaration)(),
            rows: HashMap::new(),
        });
        let others = declaration.all().filter(|attribute| !attribute.internal).filter_map(|a| {
            let name = a.name.strip_suffix("_id")?;
            let declaration = declared(name)?;
            Some(Relation {
                name,
                attribute: a.name,
                column: a.column,
                declaration,
                rows: HashMap::new(),
            })
        });
        Self(parent.into_iter().chain(others).collect())
    }

    /// The parent is known from the URL.
    pub(super) fn set_parent(&mut self, row: Row) {
        if let Some(parent) = self.0.iter_mut().find(|relation| relation.name == PARENT) {
            parent.rows.insert(row.text("id").to_owned(), Some(row));
        }
    }

    pub(super) fn value(&self, about: &About<'_>, relation: &str, attribute: &str) -> Value<'_> {
        match self.0.iter().find(|known| known.name == relation) {
            Some(relation) => relation.value(about, attribute),
            None => Value::Absent,
        }
    }

    /// `resource` is a collection's name in rules; where the object belongs to none of it, any
    /// object that it belongs to and that has the attribute is meant.
    pub(super) fn field(&self, about: &About<'_>, resource: &str, attribute: &str) -> Value<'_> {
        let has = |relation: &&Relation| relation.declaration.attribute(attribute).is_some();
        let named = |relation: &&Relation| relation.declaration.collection == resource;
        let found = self.0.iter().filter(has).find(named).or_else(|| self.0.iter().find(has));
        found.map_or(Value::Absent, |relation| relation.value(about, attribute))
    }

    /// Those that these rules ask for.
    pub(super) fn asked_by(&mut self, rules: &[&Rule]) -> impl Iterator<Item = &mut Relation> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut fields: BTreeSet<String> = BTreeSet::new();
        for rule in rules {
            rule.check.walk(&mut |check| {
                if let Check::Field(field) = check {
                    fields.insert(field.attribute.clone());
                }
                let prefixes = check.attributes().filter_map(|name| name.split_once(':'));
                names.extend(prefixes.map(|(prefix, _)| prefix.to_owned()));
            });
        }
        self.0.iter_mut().filter(move |relation| {
            let has = |name: &String| relation.declaration.attribute(name).is_some();
            names.contains(relation.name) || fields.iter().any(has)
        })
    }
}

impl Relation {
    /// The id of the related object.
    pub(super) fn id(&self, about: &About<'_>) -> Option<String> {
        let of_row =
            |row: &Row| Some(row.text(self.column)).filter(|id| !id.is_empty()).map(str::to_owned);
        match about {
            About::Object(row) | About::Changed(row, _) => of_row(row),
            About::New(said) => said.get(self.attribute)?.as_str().map(str::to_owned),
        }
    }

    fn value(&self, about: &About<'_>, attribute: &str) -> Value<'_> {
        let row = match self.id(about) {
            Some(id) => self.rows.get(&id),
            // A child that is to be made has its parent in the URL only.
            None if self.name == PARENT => self.rows.values().next(),
            None => return Value::Absent,
        };
        match (row, self.declaration.attribute(attribute)) {
            (None, _) => Value::Unknown,
            (Some(Some(row)), Some(attribute)) => of_sql(row.get(attribute.column)),
            (Some(_), _) => Value::Absent,
        }
    }
}

/// The resource that is called so.
fn declared(name: &str) -> Option<&'static Declaration> {
    struct Collect(HashMap<&'static str, &'static Declaration>);
    impl Visitor for Collect {
        fn visit<R: navigator_resources::Rules>(&mut self) {
            if R::declaration().parent.is_none() {
                self.0.insert(R::declaration().name, R::declaration());
            }
        }
    }
    static ALL: OnceLock<HashMap<&'static str, &'static Declaration>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut collect = Collect(HashMap::new());
        visit_all(&mut collect);
        collect.0
    });
    all.get(name).copied()
}
