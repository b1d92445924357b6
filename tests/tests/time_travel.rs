//! Tables as of an instant.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use threadline_tests::{Database, now, rows, run, value};

/// A model of some columns of a table with the key `id`, in a module of its own.
macro_rules! model_of {
    ($table:ident, $module:ident::$Model:ident: $($column:ident $Sql:ty => $Rust:ty),+) => {
        mod $module {
            use diesel::prelude::*;

            diesel::table! {
                $table (id) { id -> Int4, $($column -> $Sql,)+ }
            }

            #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, threadline::Audited)]
            #[diesel(table_name = $table)]
            pub struct $Model {
                pub id: i32,
                $(pub $column: $Rust,)+
            }
        }
    };
}

#[path = "time_travel/altered.rs"]
mod altered;
#[path = "time_travel/columns.rs"]
mod columns;
#[path = "time_travel/final_instants.rs"]
mod final_instants;
#[path = "time_travel/hidden.rs"]
mod hidden;
#[path = "time_travel/keys.rs"]
mod keys;
#[path = "time_travel/random.rs"]
mod random;
#[path = "time_travel/records.rs"]
mod records;
#[path = "time_travel/redaction.rs"]
mod redaction;
#[path = "time_travel/roads.rs"]
mod roads;
#[path = "time_travel/suspended.rs"]
mod suspended;
#[path = "time_travel/types.rs"]
mod types;

/// Runs statements in a transaction each, and returns the instant after.
#[track_caller]
fn each(conn: &mut PgConnection, statements: &[&str]) -> DateTime<Utc> {
    for statement in statements.iter().filter(|statement| !statement.is_empty()) {
        run(conn, statement);
    }
    now(conn)
}

/// Creates a database in which statements have run, in a transaction each.
#[track_caller]
fn after_each(statements: &[&str]) -> (Database, PgConnection) {
    let (database, mut conn) = Database::new().connected();
    each(&mut conn, statements);
    (database, conn)
}

/// A table as it was copied at an instant.
struct Copy {
    table: String,
    at: DateTime<Utc>,
    rows: Vec<String>,
}

impl Copy {
    /// Takes a copy; nothing may write meanwhile.
    #[track_caller]
    fn of(conn: &mut PgConnection, table: &str) -> Self {
        let rows = rows(
            conn,
            &format!("SELECT to_jsonb(t) FROM {table} AS t ORDER BY 1"),
        );
        Self {
            table: table.to_owned(),
            at: now(conn),
            rows,
        }
    }

    /// Takes a copy before each of the statements and after the last, asserts that the audit
    /// returns each copy in the end, and returns them.
    #[track_caller]
    fn around_each(conn: &mut PgConnection, table: &str, statements: &[&str]) -> Vec<Self> {
        let mut copies = vec![];
        for statement in statements {
            copies.push(Self::of(conn, table));
            run(conn, statement);
        }
        copies.push(Self::of(conn, table));
        for copy in &copies {
            copy.is_what_was(conn);
        }
        copies
    }

    /// Asserts that the audit returns the copy, queried for all rows at once and for each
    /// key that ever existed.
    #[track_caller]
    fn is_what_was(&self, conn: &mut PgConnection) {
        let Self { table, at, .. } = self;
        let quoted = table.replace('\'', "''");
        let at = at.to_rfc3339();
        assert_eq!(
            rows(
                conn,
                &format!("SELECT image FROM threadline.rows_as_of('{quoted}', '{at}') ORDER BY 1")
            ),
            self.rows,
            "all of {table} at {at}"
        );
        assert_eq!(
            rows(
                conn,
                &format!(
                    "SELECT r.image
                     FROM (SELECT unnest(ARRAY[record_key, previous_key]) AS key
                           FROM threadline.audit_changes
                           WHERE table_id = threadline.audited_table_of('{quoted}')
                           UNION
                           SELECT record_key FROM threadline.rows_as_of('{quoted}', '{at}')) AS k
                     CROSS JOIN LATERAL threadline.record_as_of('{quoted}', k.key, '{at}') AS r
                     WHERE r.state = 'there'
                     ORDER BY 1"
                )
            ),
            self.rows,
            "each of {table} at {at}"
        );
    }
}

/// Returns the state of a record as of an instant, as SQL gives it.
#[track_caller]
fn state(conn: &mut PgConnection, table: &str, key: &str, at: DateTime<Utc>) -> String {
    let at = at.to_rfc3339();
    value(
        conn,
        &format!("SELECT state FROM threadline.record_as_of('{table}', '{key}', '{at}')"),
    )
    .unwrap()
}
