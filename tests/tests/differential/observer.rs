//! Both databases as the test sees them, between two statements.

use std::collections::BTreeMap;

use diesel::PgConnection;
use serde_json::Value;
use threadline_tests::value;

pub type Image = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: Option<String>,
    pub values: Image,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub number: i64,
    pub name: String,
    pub of_type: String,
    pub generated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub label: String,
    pub path: String,
    pub name: String,
    pub partitioned: bool,
    pub key: Vec<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

/// What both databases must agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub tables: Vec<Table>,
    /// Partitions that are none at the moment, and their rows.
    pub loose: Vec<(String, Vec<Row>)>,
}

#[derive(Debug, Clone)]
pub struct Change {
    pub label: String,
    pub op: String,
    pub statement: Option<i64>,
    pub key: Option<String>,
    pub previous: Option<String>,
    pub from: Image,
    pub to: Image,
    pub row: Image,
    pub owned: bool,
    pub actor: Option<String>,
}

/// What the audit has of it.
#[derive(Debug, Default)]
pub struct Recorded {
    pub total: i64,
    pub last: i64,
    pub context: String,
    /// In the role that the tables belong to, and able to write.
    pub unbound: bool,
    pub changes: Vec<Change>,
    /// The columns that each table's capture was built for.
    pub built: BTreeMap<String, Vec<(i64, String)>>,
}

pub fn snapshot(conn: &mut PgConnection) -> Snapshot {
    let seen = parse(&value(conn, "observer.snapshot()").expect("a snapshot"));
    Snapshot {
        tables: list(&seen["tables"], |table| Table {
            label: text(&table["label"]),
            path: text(&table["path"]),
            name: text(&table["name"]),
            partitioned: table["partitioned"] == true,
            key: list(&table["key"], text),
            columns: list(&table["columns"], |column| Column {
                number: number(&column["number"]),
                name: text(&column["name"]),
                of_type: text(&column["type"]),
                generated: column["generated"] == true,
            }),
            rows: list(&table["rows"], row),
        }),
        loose: list(&seen["loose"], |part| {
            (text(&part["path"]), list(&part["rows"], row))
        }),
    }
}

pub fn recorded(conn: &mut PgConnection, since: i64) -> Recorded {
    let seen = parse(&value(conn, &format!("observer.recorded({since})")).expect("a summary"));
    let built = seen["built"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(label, columns)| {
            let columns = list(columns, |c| (number(&c["number"]), text(&c["name"])));
            (label.clone(), columns)
        });
    Recorded {
        total: number(&seen["total"]),
        last: number(&seen["last"]),
        context: seen["context"].as_str().unwrap_or_default().to_owned(),
        unbound: seen["role"] == "none" && seen["read_only"] == "off",
        changes: list(&seen["changes"], |change| Change {
            label: text(&change["label"]),
            op: text(&change["op"]),
            statement: change["statement"].as_i64(),
            key: change["key"].as_str().map(str::to_owned),
            previous: change["previous"].as_str().map(str::to_owned),
            from: image(&change["from"]),
            to: image(&change["to"]),
            row: image(&change["row"]),
            owned: change["owned"] == true,
            actor: change["actor"].as_str().map(str::to_owned),
        }),
        built: built.collect(),
    }
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).expect("PostgreSQL writes JSON")
}

fn list<T>(of: &Value, each: impl Fn(&Value) -> T) -> Vec<T> {
    of.as_array().into_iter().flatten().map(each).collect()
}

fn row(row: &Value) -> Row {
    Row {
        key: row["key"].as_str().map(str::to_owned),
        values: image(&row["values"]),
    }
}

fn image(of: &Value) -> Image {
    of.as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn text(of: &Value) -> String {
    of.as_str().unwrap_or_default().to_owned()
}

fn number(of: &Value) -> i64 {
    of.as_i64().unwrap_or_default()
}
