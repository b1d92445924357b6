//! Conditions on a part of a record key. A key is stored as text; that of several columns
//! is a JSON array, `["11", "5", "owner"]`.

use diesel::sql_types::{BigInt, Integer, Text};

use crate::connection::AuditConnection;
use crate::error::Error;
use crate::run;
use crate::statement::{Bind, Binds, Typed, filled};

/// A value of a column of a table's key.
#[derive(Debug, Clone)]
pub(super) struct KeyPart {
    pub(super) table: i32,
    /// The position of the column in the key, from 1.
    place: i32,
    /// The number of columns of the key.
    width: i32,
    /// The value as stored in the key. With several columns, it is a JSON string.
    value: String,
    /// The changes that were recorded with this key: those after one id, up to another.
    changes: (i64, i64),
}

/// Returns the tables with this column in their key, or only the given table. A table that
/// had another key before has a part for each.
pub(super) async fn key_parts<C: AuditConnection>(
    conn: &mut C,
    column: &str,
    value: &str,
    table: Option<i32>,
) -> Result<Vec<KeyPart>, Error> {
    type Row = (i32, i32, i32, String, i64, i64);
    let query = Typed::<(Integer, Integer, Integer, Text, BigInt, BigInt)>::new(
        include_str!("key_columns.sql"),
        [
            Bind::Text(column.to_owned()),
            Bind::Text(value.to_owned()),
            Bind::Table(table),
        ],
    );
    let rows: Vec<Row> = run::read(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(table, place, width, value, after, up_to)| KeyPart {
            table,
            place,
            width,
            value,
            changes: (after, up_to),
        })
        .collect())
}

/// Returns the condition that a change has these values in its key: `columns` has the parts
/// of each column, in the key of each time.
pub(super) fn keys_condition(binds: &mut Binds, columns: &[Vec<KeyPart>]) -> String {
    let Some((first, others)) = columns.split_first() else {
        return "true".to_owned();
    };
    let mut ways = vec![];
    for part in first {
        let same_key = |column: &Vec<KeyPart>| {
            let same =
                |other: &&KeyPart| other.table == part.table && other.changes == part.changes;
            column.iter().find(same).cloned()
        };
        // A key without one of the columns does not match.
        let Some(rest) = others.iter().map(same_key).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let key: Vec<_> = std::iter::once(part.clone()).chain(rest).collect();
        ways.push(key_condition(binds, &key));
    }
    match &ways[..] {
        [] => "false".to_owned(),
        [way] => way.clone(),
        _ => format!("({})", ways.join(" OR ")),
    }
}

/// Returns the condition that the key of a change, or its key before, has these values, which
/// are of one key of one table.
/// Leading columns of the key become an index range; for other columns, each key is read.
pub(super) fn key_condition(binds: &mut Binds, key: &[KeyPart]) -> String {
    let [first, ..] = key else {
        return "true".to_owned();
    };
    let width = first.width;
    let of = |place| key.iter().filter(move |part| part.place == place);
    let mut leading = vec![];
    while let Some(part) = of(leading.len() as i32 + 1).next() {
        leading.push(part.value.as_str());
    }
    let whole = leading.len() as i32 == width;
    let mut conditions = vec![];
    if width == 1 {
        let value = binds.text(leading[0]);
        conditions.push(format!("{{key}} = {value}"));
    } else if whole {
        let value = binds.text(&format!("[{}]", leading.join(", ")));
        conditions.push(format!("{{key}} = {value}"));
    } else if !leading.is_empty() {
        // Matches this prefix followed by a blank. `!` is the next character after the
        // blank.
        let prefix = format!("[{},", leading.join(", "));
        let from = binds.text(&format!("{prefix} "));
        let to = binds.text(&format!("{prefix}!"));
        conditions.push(format!("{{key}} >= {from} AND {{key}} < {to}"));
    }
    for part in key {
        let leads = leading.get(part.place as usize - 1) == Some(&part.value.as_str());
        if !leads && width == 1 {
            // Two values of one column exclude each other.
            conditions.push("false".to_owned());
        } else if !leads {
            let quoted = part.value.as_str();
            let value = quoted.get(1..quoted.len() - 1).unwrap_or_default();
            let value = binds.text(value);
            let its = filled(
                include_str!("key_part.sql"),
                &[("place", &part.place.to_string())],
            );
            conditions.push(format!("coalesce({its} = {value}, false)"));
        }
    }
    let condition = conditions.join(" AND ");
    let condition = format!(
        "({} OR {})",
        filled(&condition, &[("key", "c.record_key")]),
        filled(&condition, &[("key", "c.previous_key")])
    );
    match first.changes {
        (..0, i64::MAX) => condition,
        (after, up_to) => {
            let after = binds.bind(Bind::BigInt(after));
            let up_to = binds.bind(Bind::BigInt(up_to));
            format!("({condition} AND c.id > {after} AND c.id <= {up_to})")
        }
    }
}
