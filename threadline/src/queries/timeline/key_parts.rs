//! Conditions on a part of a record key. A key is stored as text; that of several columns
//! is a JSON array, `["11", "5", "owner"]`.

use diesel::result::QueryResult;
use diesel::sql_types::{Integer, Text};

use crate::connection::AuditConnection;
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
}

/// Returns the tables with this column in their key, or only the given table.
pub(super) async fn key_parts<C: AuditConnection>(
    conn: &mut C,
    column: &str,
    value: &str,
    table: Option<i32>,
) -> QueryResult<Vec<KeyPart>> {
    let query = Typed::<(Integer, Integer, Integer, Text)>::new(
        include_str!("key_columns.sql"),
        [
            Bind::Text(column.to_owned()),
            Bind::Text(value.to_owned()),
            Bind::Table(table),
        ],
    );
    let rows: Vec<(i32, i32, i32, String)> = run::load(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(table, place, width, value)| KeyPart {
            table,
            place,
            width,
            value,
        })
        .collect())
}

/// Returns the condition that the key of a change, or its key before, has these values.
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
    format!(
        "({} OR {})",
        filled(&condition, &[("key", "c.record_key")]),
        filled(&condition, &[("key", "c.previous_key")])
    )
}
