//! Rows as this server last saw them, as rules see them: what a decision is likely to see when it has locked
//! them, and so what it is likely to ask for next. They are guesses and never facts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use navigator_resources::{Query, Row, Select, SqlValue};

/// Rows of a generation. The older one is forgotten when the younger one is full.
const MOST: usize = 256;

/// By table and id.
type Rows = HashMap<(&'static str, String), Row>;

#[derive(Clone, Default)]
pub(crate) struct Lately(Arc<Mutex<Generations>>);

#[derive(Default)]
struct Generations {
    young: Rows,
    old: Rows,
}

impl Lately {
    pub(crate) fn saw(&self, table: &'static str, row: &Row) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= MOST {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert((table, row.text("id").to_owned()), row.clone());
    }

    /// The row that a query of one id locks, if it was like that when it was last seen.
    pub(crate) fn locked(&self, query: &Query) -> Option<Row> {
        let Query::Rows { table, select } = query else { return None };
        let key = (*table, id(select).filter(|_| query.locks())?.to_owned());
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = generations.young.get(&key).or_else(|| generations.old.get(&key))?;
        let holds = |(column, values): &(&str, Vec<SqlValue>)| values.contains(row.get(column));
        select.conditions.iter().all(holds).then(|| row.clone())
    }
}

/// The id of the only row that it can find.
pub(crate) fn id(select: &Select) -> Option<&str> {
    let (_, values) = select.conditions.iter().find(|(column, _)| *column == "id")?;
    match &values[..] {
        [SqlValue::Text(id)] => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(id: usize, name: &str) -> Row {
        let mut row = Row::default();
        row.set("id", id.to_string().into());
        row.set("name", name.into());
        row
    }

    fn query(table: &'static str, select: Select) -> Query {
        Query::Rows { table, select }
    }

    #[test]
    fn a_row_is_known_as_it_was_last_seen_to_who_locks_it() {
        let lately = Lately::default();
        lately.saw("ports", &port(1, "old"));
        lately.saw("ports", &port(1, "new"));
        let one = || Select::eq("id", "1");
        let name = |query| lately.locked(&query).map(|row| row.text("name").to_owned());
        assert_eq!(name(query("ports", one().locked())).as_deref(), Some("new"));
        assert_eq!(name(query("ports", one().held())).as_deref(), Some("new"));
        assert_eq!(name(query("ports", one().and("name", "new").locked())).as_deref(), Some("new"));
        for unknown in [
            query("ports", one()),
            query("ports", one().and("name", "old").locked()),
            query("ports", Select::eq("name", "new").locked()),
            query("ports", Select::any("id", ["1".into(), "2".into()]).locked()),
            query("networks", one().locked()),
        ] {
            assert_eq!(name(unknown), None);
        }
    }

    #[test]
    fn what_was_seen_long_ago_is_forgotten() {
        let lately = Lately::default();
        let is_known = |id: usize| {
            lately.locked(&query("ports", Select::eq("id", id.to_string()).locked())).is_some()
        };
        for id in 0..=2 * MOST {
            lately.saw("ports", &port(id, ""));
            assert!(is_known(id.saturating_sub(MOST)), "{id}");
        }
        assert!(!is_known(0));
    }
}
