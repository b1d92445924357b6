//! Links between pages. All pages are in one folder, so relative links work under any prefix.

use std::collections::HashMap;

use form_urlencoded::Serializer;
use serde_json::Value;
use threadline::__cli::table_name;
use threadline::__web::TableInfo;
use threadline::{ActorRef, AuditChange};

use crate::query::{Query, Term};

/// The length in bytes above which a link is not repeated on a page.
pub(crate) const LONG: usize = 400;

/// Returns the link to a page with parameters.
pub(crate) fn page(page: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    match query.finish() {
        query if query.is_empty() => page.to_owned(),
        query => format!("{page}?{query}"),
    }
}

pub(crate) fn timeline(query: &Query) -> String {
    page("timeline", &[("q", &query.line())])
}

/// Returns the link to the timeline with one filter.
pub(crate) fn search(name: &str, value: &str) -> String {
    timeline(&Query::default().with(Term::new(name, value)))
}

pub(crate) fn actor(actor: &ActorRef) -> String {
    page("actor", &[("actor", &actor.to_string())])
}

pub(crate) fn transaction(id: i64) -> String {
    page("transaction", &[("id", &id.to_string())])
}

pub(crate) fn correlation(id: &str) -> String {
    page("correlation", &[("id", id)])
}

pub(crate) fn action(id: i64) -> String {
    page("action", &[("id", &id.to_string())])
}

/// Returns the link to a single change.
pub(crate) fn change(change: &AuditChange) -> String {
    page(
        "change",
        &[
            ("transaction", &change.transaction.id.to_string()),
            ("change", &change.id.to_string()),
        ],
    )
}

/// Returns the link to the full value of a column in a change.
pub(crate) fn value(change: &AuditChange, column: &str, side: &str) -> String {
    page(
        "value",
        &[
            ("transaction", &change.transaction.id.to_string()),
            ("change", &change.id.to_string()),
            ("column", column),
            ("side", side),
        ],
    )
}

/// Returns the link to a record.
pub(crate) fn record(table: &str, key: &str) -> String {
    page("record", &[("table", table), ("key", key)])
}

/// The tables, for names and links of records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalogue(pub(crate) Vec<TableInfo>);

impl Catalogue {
    pub(crate) fn of(&self, schema: Option<&str>, table: Option<&str>) -> Option<&TableInfo> {
        self.0
            .iter()
            .find(|info| Some(info.name.as_str()) == table && Some(info.schema.as_str()) == schema)
    }

    pub(crate) fn named(&self, sql_name: &str) -> Option<&TableInfo> {
        let same = |info: &&TableInfo| {
            info.sql_name == sql_name || format!("{}.{}", info.schema, info.name) == sql_name
        };
        self.0.iter().find(same)
    }

    /// Shows the values of masked columns.
    pub(crate) fn unmask(&mut self) {
        let columns = self.0.iter_mut().flat_map(|info| &mut info.columns);
        for (_, column_policy) in columns.filter(|(_, column_policy)| column_policy == "mask") {
            "plain".clone_into(column_policy);
        }
    }

    /// Sorts columns of a change as in the table; columns that it no longer has come last.
    pub(crate) fn order<T>(
        &self,
        change: &AuditChange,
        columns: &mut [T],
        name: impl Fn(&T) -> &String,
    ) {
        let Some(info) = self.of(change.schema.as_deref(), change.table.as_deref()) else {
            return;
        };
        let known = info.columns.iter().enumerate();
        let places: HashMap<&str, usize> = known
            .map(|(place, (name, _))| (name.as_str(), place))
            .collect();
        columns.sort_by_key(|column| {
            let place = places.get(name(column).as_str());
            place.copied().unwrap_or(usize::MAX)
        });
    }

    /// Returns the name of a change's table in the search line.
    pub(crate) fn table(&self, change: &AuditChange) -> Option<&str> {
        self.of(change.schema.as_deref(), change.table.as_deref())
            .map(|info| info.sql_name.as_str())
    }

    /// Returns the name of a change's table.
    pub(crate) fn name(&self, change: &AuditChange) -> String {
        match self.table(change) {
            Some(name) => name.to_owned(),
            None => table_name(change.schema.as_deref(), change.table.as_deref()),
        }
    }

    /// Returns the key of a change for the filter `record`: the value, or a JSON array for a
    /// key of several columns. `None` if the primary key of the table was another then.
    pub(crate) fn key(&self, change: &AuditChange) -> Option<String> {
        let info = self.of(change.schema.as_deref(), change.table.as_deref())?;
        let key = change.key.as_ref()?.as_object()?;
        if key.len() != info.key.len() {
            return None;
        }
        let values: Option<Vec<String>> = info
            .key
            .iter()
            .map(|column| key.get(column).map(as_text))
            .collect();
        let values = values.filter(|values| !values.is_empty())?;
        Some(self::key(&values))
    }

    /// Returns the link to the record of a change. The link of a long key leads to the page
    /// of the change, which leads to the record: a page can have many of these links.
    pub(crate) fn record(&self, change: &AuditChange) -> Option<String> {
        let link = self.record_by_key(change)?;
        match link.len() > LONG {
            true => Some(self::change(change)),
            false => Some(link),
        }
    }

    /// Returns the link to the record of a change, however long its key is.
    pub(crate) fn record_by_key(&self, change: &AuditChange) -> Option<String> {
        Some(record(self.table(change)?, &self.key(change)?))
    }
}

/// Returns the values of a key for the filter `record`: the value, or a JSON array for a key of
/// several columns.
pub(crate) fn key(values: &[String]) -> String {
    match values {
        [one] if !one.starts_with('[') => one.clone(),
        values => Value::from(values).to_string(),
    }
}

/// Returns a value of a key as text.
pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Returns a key as one line: its value, or `name=value` for each of several columns.
pub(crate) fn key_text(key: &Value) -> String {
    match key.as_object() {
        Some(members) if members.len() == 1 => {
            members.values().map(as_text).collect::<Vec<_>>().join("")
        }
        Some(members) => {
            let parts: Vec<_> = members
                .iter()
                .map(|(column, value)| format!("{column}={}", as_text(value)))
                .collect();
            parts.join(" ")
        }
        None => as_text(key),
    }
}
