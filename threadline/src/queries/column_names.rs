//! The names of a table's columns over time: an image has those of its time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text};
use serde::Deserialize;

use super::known_table::near;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::record::AnyJson;
use crate::run;
use crate::statement::{Bind, Typed};

/// Columns that were renamed at once.
#[derive(Debug, Deserialize)]
struct Batch {
    at: At,
    /// The later name of each column; `None` if another column has the name since.
    names: BTreeMap<String, Option<String>>,
}

/// A command that altered a column.
#[derive(Debug, Deserialize)]
struct Alteration {
    name: String,
    what: String,
    at: At,
    cuts: bool,
}

/// An instant; `None` if it is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
struct At(Option<DateTime<Utc>>);

impl From<String> for At {
    fn from(text: String) -> Self {
        Self(
            DateTime::parse_from_rfc3339(&text)
                .ok()
                .map(|at| at.to_utc()),
        )
    }
}

/// A name that a column has in the images of a time span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) from: Option<DateTime<Utc>>,
    /// The first instant after it.
    pub(crate) until: Option<DateTime<Utc>>,
}

impl Span {
    fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= instant)
            && self.until.is_none_or(|until| instant < until)
    }
}

/// The columns of a table under their names of each time.
#[derive(Debug, Default)]
pub(crate) struct ColumnNames {
    /// Oldest first.
    renames: Vec<Batch>,
    alterations: Vec<Alteration>,
    /// The present columns.
    now: Vec<String>,
    /// All names that columns have or had.
    ever: Vec<String>,
    excluded: Vec<String>,
}

type NamesSql = (
    Nullable<Jsonb>,
    Nullable<Jsonb>,
    Array<Text>,
    Array<Nullable<Text>>,
    Array<Text>,
);

type NamesRow = (
    Option<AnyJson>,
    Option<AnyJson>,
    Vec<String>,
    Vec<Option<String>>,
    Vec<String>,
);

impl ColumnNames {
    /// Looks up the columns of a table.
    pub(crate) async fn look_up<C: AuditConnection>(
        conn: &mut C,
        table: i32,
    ) -> Result<Self, Error> {
        let query =
            Typed::<NamesSql>::new(include_str!("column_names.sql"), [Bind::Table(Some(table))]);
        let found: Vec<NamesRow> = run::read(conn, query).await?;
        let Some((renames, alterations, now, ever, excluded)) = found.into_iter().next() else {
            return Ok(Self::default());
        };
        Ok(Self {
            renames: list(renames),
            alterations: list(alterations),
            now,
            ever: ever.into_iter().flatten().collect(),
            excluded,
        })
    }

    /// Returns the present columns.
    pub(crate) fn now(&self) -> &[String] {
        &self.now
    }

    /// Returns the similar name, if any, of a column that the table never had.
    pub(crate) fn unknown(&self, name: &str) -> Option<Option<String>> {
        let is_unknown = !self.ever.is_empty() && self.ever.iter().all(|known| known != name);
        is_unknown.then(|| near(name, &self.ever))
    }

    /// Returns whether the changes of a column are not recorded.
    pub(crate) fn is_excluded(&self, name: &str) -> bool {
        self.excluded.iter().any(|column| column == name)
    }

    /// Returns the names of the columns that a name means: of the present column, or else of
    /// those that had the name.
    pub(crate) fn spans(&self, name: &str) -> Vec<Span> {
        let mut spans = self.before(name);
        if self.now.iter().any(|column| column == name) {
            return spans;
        }
        for (place, batch) in self.renames.iter().enumerate() {
            let Some(next) = batch.names.get(name) else {
                continue;
            };
            let last =
                self.renames[place + 1..]
                    .iter()
                    .fold(next.clone(), |name, batch| match name {
                        Some(name) => batch.names.get(&name).cloned().unwrap_or(Some(name)),
                        None => None,
                    });
            let others = match last {
                Some(last) => self.before(&last),
                None => vec![Span {
                    name: name.to_owned(),
                    from: None,
                    until: batch.at.0,
                }],
            };
            for other in others {
                if !spans.contains(&other) {
                    spans.push(other);
                }
            }
        }
        spans
    }

    /// Returns the names of the column that has this name at last, newest first.
    fn before(&self, name: &str) -> Vec<Span> {
        let mut spans = vec![];
        let mut name = name;
        let mut until = None;
        for batch in self.renames.iter().rev() {
            let former = batch
                .names
                .iter()
                .find(|(_, now)| now.as_deref() == Some(name));
            if former.is_none() && !batch.names.contains_key(name) {
                continue;
            }
            // No image has a name that is still to come.
            if let Some(at) = batch.at.0 {
                spans.push(Span {
                    name: name.to_owned(),
                    from: Some(at),
                    until,
                });
                until = Some(at);
            }
            match former {
                Some((former, _)) => name = former,
                // The name was that of another column.
                None => return spans,
            }
        }
        spans.push(Span {
            name: name.to_owned(),
            from: None,
            until,
        });
        spans
    }

    /// Returns the name that a present column has in an image of an instant, if it existed.
    pub(crate) fn name_at(&self, column: &str, instant: DateTime<Utc>) -> Option<String> {
        let added_since = |alteration: &Alteration| {
            alteration.name == column
                && alteration.what == "added"
                && alteration.cuts
                && alteration.at.0.is_none_or(|at| instant < at)
        };
        if self.alterations.iter().any(added_since) {
            return None;
        }
        let spans = self.before(column);
        let span = spans.into_iter().find(|span| span.contains(instant))?;
        Some(span.name)
    }
}

fn list<T: for<'de> Deserialize<'de>>(json: Option<AnyJson>) -> Vec<T> {
    json.and_then(|json| serde_json::from_value(json.into_inner()).ok())
        .unwrap_or_default()
}

/// Returns the tables in which a column got one of these names.
pub(crate) async fn tables_renamed<C: AuditConnection>(
    conn: &mut C,
    names: &[&str],
) -> Result<Vec<i32>, Error> {
    let query = Typed::<Integer>::new(
        include_str!("tables_renamed.sql"),
        [Bind::Json(names.into())],
    );
    run::read(conn, query).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(now: &[&str], renames: serde_json::Value) -> ColumnNames {
        ColumnNames {
            renames: serde_json::from_value(renames).unwrap(),
            now: now.iter().map(|name| (*name).to_owned()).collect(),
            ..ColumnNames::default()
        }
    }

    fn spans(names: &ColumnNames, name: &str) -> Vec<String> {
        let day =
            |at: Option<DateTime<Utc>>| at.map_or(String::new(), |at| at.format("%d").to_string());
        names
            .spans(name)
            .iter()
            .map(|span| format!("{} {}-{}", span.name, day(span.from), day(span.until)))
            .collect()
    }

    #[test]
    fn a_name_means_the_present_column_or_those_that_had_it() {
        let names = names(
            &["a", "c"],
            serde_json::json!([
                {"at": "2026-01-01T00:00:00+00:00", "names": {"a": "b"}},
                {"at": "2026-01-02T00:00:00+00:00", "names": {"b": "c", "d": null}},
                {"at": "infinity", "names": {"x": "a"}},
            ]),
        );
        assert_eq!(spans(&names, "c"), ["c 02-", "b 01-02", "a -01"]);
        assert_eq!(spans(&names, "a"), ["x -"]);
        assert_eq!(spans(&names, "b"), ["b 02-", "c 02-", "b 01-02", "a -01"],);
        assert_eq!(spans(&names, "d"), ["d 02-", "d -02"]);
        assert_eq!(spans(&names, "z"), ["z -"]);
    }
}
