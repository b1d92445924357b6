//! `threadline::schema` matches the database.

use std::any::type_name;
use std::collections::BTreeMap;

use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment};
use diesel::{PgConnection, debug_query};
use threadline::schema;
use threadline_tests::{rolled_back, rolled_back_with, rows};

/// The stored tables of each view, which determine which of its columns cannot be NULL.
const STORED_IN: [(&str, &str); 6] = [
    ("actions", "audit_actions"),
    ("audit_changes", "ledger_changes"),
    ("audit_transactions", "ledger_transactions"),
    ("audited_tables", "audited_tables"),
    // The table and the transaction come from outer joins.
    ("changes", "ledger_changes"),
    ("transactions", "ledger_transactions"),
];

/// Views without records, or that are parts of others.
const OTHER_VIEWS: [&str; 5] = [
    "kept_changes",
    "kept_for",
    "metrics",
    "metrics_findings",
    "waiting",
];

type Tables = BTreeMap<String, Vec<String>>;

/// Returns the lines `column -> Type` of each `table!`.
fn declared() -> Tables {
    Tables::from([
        declaration(schema::actions::table),
        declaration(schema::audit_changes::table),
        declaration(schema::audit_transactions::table),
        declaration(schema::audited_tables::table),
        declaration(schema::changes::table),
        declaration(schema::transactions::table),
    ])
}

fn declaration<T>(table: T) -> (String, Vec<String>)
where
    T: AsQuery,
    T::Query: QueryFragment<Pg>,
{
    let sql = debug_query(&table.as_query()).to_string();
    let (columns, from) = sql.split_once(" FROM ").unwrap();
    let last_name = |text: &str| text.rsplit('"').nth(1).unwrap().to_owned();
    let types = type_name::<T::SqlType>()
        .trim_matches(['(', ')'])
        .split(", ");
    // Without the modules of the types.
    let types = types.map(|sql_type| {
        let names = sql_type.split('<').map(|path| path.rsplit(':').next());
        names.map(Option::unwrap).collect::<Vec<_>>().join("<")
    });
    let columns = columns.split(", ").zip(types);
    let columns = columns.map(|(column, sql_type)| format!("{} -> {sql_type}", last_name(column)));
    let view = from.split(" -- ").next().unwrap();
    (last_name(view), columns.collect())
}

/// Returns the same from the catalog.
fn in_the_database(conn: &mut PgConnection) -> Tables {
    STORED_IN
        .iter()
        .map(|(view, table)| {
            let columns = format!(
                "SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
                        s.attnotnull OR ('{view}', a.attname) = ('transactions', 'changes') AS known
                 FROM pg_attribute AS a
                 LEFT JOIN pg_attribute AS s ON s.attrelid = 'threadline.{table}'::regclass AND s.attname = a.attname
                 WHERE a.attrelid = 'threadline.{view}'::regclass AND a.attnum > 0 AND NOT a.attisdropped
                 ORDER BY a.attnum"
            );
            let columns = rows(conn, &columns);
            let lines = columns.iter().map(|column| {
                let parts: Vec<_> = column.split(" | ").collect();
                let sql_type = match parts[1] {
                    "bigint" => "BigInt",
                    "\"char\"" => "CChar",
                    "inet" => "Inet",
                    "integer" => "Integer",
                    "jsonb" => "Jsonb",
                    "oid" => "Oid",
                    "text" => "Text",
                    "text[]" => "Array<Text>",
                    "timestamp with time zone" => "Timestamptz",
                    "xid8" => "Xid8",
                    other => panic!("{view}.{}: the type {other} is new here", parts[0]),
                };
                match parts[2] {
                    "true" => format!("{} -> {sql_type}", parts[0]),
                    _ => format!("{} -> Nullable<{sql_type}>", parts[0]),
                }
            });
            ((*view).to_owned(), lines.collect())
        })
        .collect()
}

/// Compared line by line, except for a table declared in part.
fn differences(conn: &mut PgConnection) -> Vec<String> {
    let (declared, found) = (declared(), in_the_database(conn));
    assert_eq!(
        declared.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    let mut differences = vec![];
    for (table, lines) in &declared {
        let there = &found[table];
        if table == "audited_tables" {
            differences.extend(lines.iter().filter(|line| !there.contains(line)).cloned());
        } else if lines != there {
            let differs = |line: &&String| !(lines.contains(line) && there.contains(line));
            differences.extend(lines.iter().chain(there).filter(differs).cloned());
            differences.push(table.clone());
        }
    }
    differences
}

#[test]
fn the_tables_have_the_columns_types_and_nullability_of_the_views() {
    assert_eq!(differences(&mut rolled_back()), Vec::<String>::new());
}

#[test]
fn a_column_more_or_one_that_cannot_be_null_any_more_is_noticed() {
    let conn = &mut rolled_back_with(
        "CREATE OR REPLACE VIEW threadline.transactions AS
             SELECT x.*, 0::bigint AS changes, '' AS note FROM threadline.audit_transactions AS x;
         ALTER TABLE threadline.audit_actions ALTER comment SET NOT NULL",
    );
    assert_eq!(
        differences(conn),
        [
            "comment -> Nullable<Text>",
            "comment -> Text",
            "actions",
            "note -> Nullable<Text>",
            "transactions"
        ]
    );
}

#[test]
fn a_new_view_is_declared_or_left_out_on_purpose() {
    let conn = &mut rolled_back();
    let views = rows(
        conn,
        "SELECT relname FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relkind = 'v'",
    );
    let known =
        |view: &String| declared().contains_key(view) || OTHER_VIEWS.contains(&view.as_str());
    let unknown: Vec<_> = views.iter().filter(|view| !known(view)).collect();
    assert_eq!(unknown, Vec::<&String>::new());
    assert_eq!(views.len(), declared().len() - 1 + OTHER_VIEWS.len());
}
