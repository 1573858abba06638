//! The read path of the API: one resource's rows, filtered, sorted and paged by the database.
//!
//! Pages are found by the marker's sort key, not by counting rows, so that a page costs its own
//! length and objects that come or go meanwhile neither repeat nor hide others.

use std::collections::BTreeSet;

use navigator_model::ProjectId;
use navigator_resources::{Attribute, Declaration, Row, SqlType, SqlValue, Through};

use crate::{
    backend::Backend,
    error::StoreError,
    sql::{Param, Sql},
    table::{Head, column, columns, push_equals, resource, select_from},
};

mod fixed_ips;

pub use fixed_ips::FixedIpFilter;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    Ascending,
    Descending,
}

/// On which side of the marker the page lies. Either way its rows come in the order of `sort`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paging {
    #[default]
    After,
    Before,
}

/// Which columns rows have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Columns {
    /// All that answers show.
    #[default]
    Shown,
    /// Those that rules are about.
    Facts,
}

/// What is asked for. The default is every row, by id.
#[derive(Clone, Default)]
pub struct Listing {
    /// Alternatives for each attribute. `None` equals no stored value; `Null` also equals the
    /// empty text.
    pub filters: Vec<(&'static Attribute, Vec<Option<SqlValue>>)>,
    /// Equality on columns, such as the parent's id.
    pub conditions: Vec<(&'static str, SqlValue)>,
    /// Only what this project may see; `None` sees everything.
    pub visible_to: Option<ProjectId>,
    /// Who looks: what is shown as shared is shared with this project. Empty: with every project.
    pub viewer: ProjectId,
    /// The id is always the last key. NULL sorts before every value.
    pub sort: Vec<(&'static Attribute, Direction)>,
    pub limit: Option<u32>,
    /// Names the object next to the page, as URLs do.
    pub marker: Option<String>,
    pub paging: Paging,
    pub columns: Columns,
    /// Of ports only: those with an address for which all of this holds.
    pub fixed_ips: FixedIpFilter,
    /// Of resources that have tags only.
    pub tags: TagFilter,
    /// `updated_at` is this or later.
    pub changed_since: Option<String>,
    /// On columns of text.
    pub bounds: Vec<(&'static str, Bound)>,
}

/// One side of a column's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    AtLeast(String),
    Below(String),
}

/// Tags that objects have, or have not. An empty list says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    pub all: BTreeSet<String>,
    pub any: BTreeSet<String>,
    /// Objects that have all of them are left out.
    pub not_all: BTreeSet<String>,
    pub not_any: BTreeSet<String>,
}

type Key = (&'static Attribute, Direction);

/// More than these are left to the statement itself.
const MOST_FOUND: usize = 256;

/// A condition on a column that a filter by what other tables have amounts to.
type Found = Option<(&'static str, Vec<Param>)>;

pub(crate) async fn list(
    backend: &Backend,
    declaration: &'static Declaration,
    listing: &Listing,
) -> Result<Vec<Row>, StoreError> {
    let keys = keys(declaration, listing)?;
    let marker = match &listing.marker {
        Some(id) => Some(marker(backend, declaration, listing, &keys, id).await?),
        None => None,
    };
    let found = found(backend, listing).await?;
    let made;
    let head = match (listing.columns, resource(declaration)) {
        (Columns::Shown, Some(known)) => &known.shown,
        (Columns::Facts, Some(known)) => &known.facts,
        (columns, None) => {
            let wanted = |column: &&Attribute| columns == Columns::Shown || column.fact;
            made = Head::new(declaration, declaration.columns().filter(wanted));
            &made
        }
    };
    let mut sql = head.seen_by(&listing.viewer.0);
    sql.push(" WHERE ");
    // What has to be sorted is sorted by its keys alone, and of a view only they are computed; only
    // the page is read whole.
    let sorted = listing.limit.is_some() && (keys.len() > 1 || declaration.view);
    let (before, after) = backend.brackets_of_ids();
    if sorted {
        sql.push("id").push(before).push("SELECT id FROM ").push(declaration.table);
        sql.push(" WHERE ");
    }
    push_conditions(&mut sql, declaration, listing, found, &keys, backend)?;
    if let Some(marker) = &marker {
        push_beyond(&mut sql, &keys, marker, listing.paging);
    }
    push_order(&mut sql, &keys, listing.paging);
    if let Some(limit) = listing.limit {
        // Of a view, PostgreSQL has to know the page's length when it plans: taken for short, it would
        // be gathered by walking all rows in the page's order.
        match declaration.view {
            true => sql.push(&format!(" LIMIT {limit}")),
            false => sql.push(" LIMIT ").bind(i64::from(limit)),
        };
    }
    if sorted {
        sql.push(after);
        push_order(&mut sql, &keys, listing.paging);
    }
    sql.nullable.clone_from(&head.nullable);
    let mut rows = backend.fetch(sql, &head.columns).await?;
    if listing.paging == Paging::Before {
        rows.reverse();
    }
    Ok(rows)
}

/// For each filter what it finds in other tables, where that is little. PostgreSQL expects of each of them
/// as much as of any other: of an instance with a thousand forwards as few as of one with none. Told which
/// they are, it knows better.
async fn found(backend: &Backend, listing: &Listing) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::with_capacity(listing.filters.len());
    for (attribute, values) in &listing.filters {
        found.push(match attribute.found {
            Some(through) if backend.is_postgres() => {
                found_through(backend, through, attribute, values).await?
            }
            _ => None,
        });
    }
    Ok(found)
}

async fn found_through(
    backend: &Backend,
    through: Through,
    attribute: &Attribute,
    values: &[Option<SqlValue>],
) -> Result<Found, StoreError> {
    let typed = |value| Param::typed(value, attribute.sql);
    let wanted: Vec<Param> = values.iter().flatten().filter_map(typed).collect();
    if wanted.is_empty() || wanted.iter().any(|param| matches!(param, Param::Null(_))) {
        return Ok(None);
    }
    let mut sql = Sql::default();
    sql.bind_in(through.ids, wanted).push(&format!(" LIMIT {}", MOST_FOUND + 1));
    let rows = backend.fetch(sql, &[("id", SqlType::Text)]).await?;
    let ids = rows.iter().map(|row| row.text("id").into());
    Ok((rows.len() <= MOST_FOUND).then(|| (through.column, ids.collect())))
}

/// The keys asked for, then the id, which makes the order total.
fn keys(declaration: &'static Declaration, listing: &Listing) -> Result<Vec<Key>, StoreError> {
    let mut keys: Vec<Key> = Vec::new();
    for key in &listing.sort {
        let named = |known: &Key| known.0.column == key.0.column;
        if !keys.iter().any(named) {
            keys.push(*key);
        }
    }
    if !keys.iter().any(|key| key.0.column == "id") {
        keys.push((column(declaration, "id")?, Direction::Ascending));
    }
    Ok(keys)
}

/// The sort key of the marker's row, if the caller may see it.
async fn marker(
    backend: &Backend,
    declaration: &'static Declaration,
    listing: &Listing,
    keys: &[Key],
    id: &str,
) -> Result<Row, StoreError> {
    let unknown = || StoreError::UnknownMarker(id.to_owned());
    let attributes: Vec<_> = keys.iter().map(|key| key.0).collect();
    let mut sql = select_from(declaration, attributes.iter().copied(), &listing.viewer.0);
    let param = Param::typed(&id.into(), SqlType::Text).ok_or_else(unknown)?;
    sql.push(" WHERE ").push(declaration.key).push(" = ").bind(param);
    for (name, value) in &listing.conditions {
        sql.push(" AND ");
        push_equals(&mut sql, column(declaration, name)?, [value].into_iter());
    }
    if let Some(project) = &listing.visible_to {
        sql.push(" AND ");
        push_visible(&mut sql, declaration, project, backend);
    }
    backend.fetch(sql, &columns(attributes)).await?.pop().ok_or_else(unknown)
}

fn push_conditions(
    sql: &mut Sql,
    declaration: &'static Declaration,
    listing: &Listing,
    found: Vec<Found>,
    keys: &[Key],
    backend: &Backend,
) -> Result<(), StoreError> {
    sql.push("TRUE");
    for (name, value) in &listing.conditions {
        sql.push(" AND ");
        push_equals(sql, column(declaration, name)?, [value].into_iter());
    }
    if let Some(project) = &listing.visible_to {
        sql.push(" AND ");
        push_visible(sql, declaration, project, backend);
    }
    for ((attribute, values), found) in listing.filters.iter().zip(found) {
        sql.push(" AND ");
        match found {
            Some((column, ids)) => {
                sql.plan_for_values = true;
                sql.bind_in(column, ids);
            }
            None => push_filter(sql, attribute, values),
        }
    }
    if let Some(since) = &listing.changed_since {
        sql.push(" AND updated_at >= ").bind(since.as_str());
    }
    for (name, bound) in &listing.bounds {
        let operand = sql.operand(column(declaration, name)?);
        sql.push(" AND ").push(&operand);
        match bound {
            Bound::AtLeast(text) => sql.push(" >= ").bind(text.as_str()),
            Bound::Below(text) => sql.push(" < ").bind(text.as_str()),
        };
    }
    fixed_ips::push(sql, listing, keys, backend);
    push_tags(sql, &listing.tags);
    Ok(())
}

/// Who owns it, or to whom the resource's declaration shows it.
fn push_visible(sql: &mut Sql, declaration: &Declaration, project: &ProjectId, backend: &Backend) {
    // Some projects have nearly everything and most nearly nothing: one plan does not fit both.
    sql.plan_for_values = true;
    let param = Param::typed(&project.0.as_str().into(), SqlType::Text);
    let Some(param) = param.filter(|_| !declaration.admin_only) else {
        sql.push("FALSE");
        return;
    };
    sql.push("(");
    if column(declaration, "project_id").is_ok() {
        sql.push("project_id = ").bind(param.clone());
    } else {
        sql.push("FALSE");
    }
    if !declaration.visible_to_all.is_empty() {
        sql.push(" OR (").push(declaration.visible_to_all).push(")");
    }
    let mut or_in = |column: &str, ids: &str| {
        let (before, after) = backend.brackets_of_ids();
        sql.push(" OR ").push(column).push(before);
        for (index, part) in ids.split("$project").enumerate() {
            if index > 0 {
                sql.bind(param.clone());
            }
            sql.push(part);
        }
        sql.push(after);
    };
    if let Some(object_type) = declaration.rbac {
        let shared = format!(
            "SELECT r.object_id FROM rbac_policies r \
             WHERE r.object_type = '{object_type}' AND r.target_project IN ('*', $project)"
        );
        or_in("id", &shared);
    }
    if let Some(through) = declaration.visible_through {
        or_in(through.column, through.ids);
    }
    sql.push(")");
}

/// The empty value stands for both NULL and the empty text: clients cannot tell them apart.
fn push_filter(sql: &mut Sql, attribute: &Attribute, values: &[Option<SqlValue>]) {
    let mut wanted: Vec<SqlValue> = values.iter().flatten().cloned().collect();
    if attribute.sql == SqlType::Text && wanted.contains(&SqlValue::Null) {
        wanted.push("".into());
    }
    wanted.sort();
    wanted.dedup();
    push_equals(sql, attribute, wanted.iter());
}

fn push_tags(sql: &mut Sql, filter: &TagFilter) {
    let TagFilter { all, any, not_all, not_any } = filter;
    for (tags, not, every) in
        [(all, "", true), (any, "", false), (not_all, "NOT ", true), (not_any, "NOT ", false)]
    {
        if tags.is_empty() {
            continue;
        }
        // Nothing has a tag that the database cannot hold.
        let params =
            tags.iter().filter_map(|tag| Param::typed(&tag.as_str().into(), SqlType::Text));
        sql.push(" AND id ").push(not).push("IN (SELECT t.object_id FROM tags t WHERE ");
        sql.bind_in("t.tag", params.collect());
        if every {
            let count = i64::try_from(tags.len()).unwrap_or(i64::MAX);
            sql.push(" GROUP BY t.object_id HAVING count(*) = ").bind(count);
        }
        sql.push(")");
    }
}

/// The order in which rows are taken: away from the marker.
fn taken(direction: Direction, paging: Paging) -> Direction {
    match (direction, paging) {
        (direction, Paging::After) => direction,
        (Direction::Ascending, Paging::Before) => Direction::Descending,
        (Direction::Descending, Paging::Before) => Direction::Ascending,
    }
}

/// ` AND ((k1 beyond m1) OR (k1 = m1 AND k2 beyond m2) OR …)`.
fn push_beyond(sql: &mut Sql, keys: &[Key], marker: &Row, paging: Paging) {
    sql.push(" AND (FALSE");
    for last in 0..keys.len() {
        sql.push(" OR (");
        for (attribute, _) in &keys[..last] {
            push_equals(sql, attribute, [marker.get(attribute.column)].into_iter());
            sql.push(" AND ");
        }
        let (attribute, direction) = keys[last];
        push_past(sql, attribute, marker.get(attribute.column), taken(direction, paging));
        sql.push(")");
    }
    sql.push(")");
}

fn push_past(sql: &mut Sql, attribute: &Attribute, value: &SqlValue, direction: Direction) {
    let operand = &sql.operand(attribute);
    match (Param::typed(value, attribute.sql), direction) {
        (Some(Param::Null(_)), Direction::Ascending) => sql.push(operand).push(" IS NOT NULL"),
        (Some(Param::Null(_)) | None, _) => sql.push("FALSE"),
        (Some(param), Direction::Ascending) => sql.push(operand).push(" > ").bind(param),
        (Some(param), Direction::Descending) => {
            sql.push("(").push(operand).push(" < ").bind(param);
            sql.push(" OR ").push(operand).push(" IS NULL)")
        }
    };
}

fn push_order(sql: &mut Sql, keys: &[Key], paging: Paging) {
    for (index, (attribute, direction)) in keys.iter().enumerate() {
        let operand = sql.operand(attribute);
        sql.push(if index == 0 { " ORDER BY " } else { ", " }).push(&operand);
        // NULLs as SQLite sorts them; PostgreSQL does the reverse. Where there are none it walks an
        // index, if nothing is said of them.
        sql.push(match (taken(*direction, paging), attribute.nullable) {
            (Direction::Ascending, false) => " ASC",
            (Direction::Descending, false) => " DESC",
            (Direction::Ascending, true) => " ASC NULLS FIRST",
            (Direction::Descending, true) => " DESC NULLS LAST",
        });
    }
}
