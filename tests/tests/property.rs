//! Random writes from several connections, with rollbacks, savepoints, moved keys,
//! truncates and altered tables. Now and then, while no transaction is open, the table is
//! copied; later the audit must return each copy.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::{Map, Value};
use threadline::{Audited, Models, revert_transaction};
use threadline_tests::{Database, Dice, run, value};

/// The first seed; a failure names its own.
const FIRST_SEED: u64 = 1;
const SEEDS: u64 = 30;
const STEPS: usize = 120;

diesel::table! {
    things (id) { id -> BigInt, label -> Nullable<Text>, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = things)]
struct Thing {
    id: i64,
    label: Option<String>,
}

/// A copy of the table: its rows by key, and its columns, by identity and not by name.
struct Copy {
    at: DateTime<Utc>,
    rows: BTreeMap<i64, Map<String, Value>>,
    columns: BTreeMap<u64, String>,
}

struct Run {
    dice: Dice,
    connections: Vec<PgConnection>,
    /// The connections that are in a transaction.
    open: [bool; 3],
    /// Columns that are added, dropped and renamed: the present name of each.
    columns: BTreeMap<u64, String>,
    next_column: u64,
    alters: bool,
    /// Every fifth run leaves everything in the journal.
    posts: bool,
    copies: Vec<Copy>,
}

const VALUES: [&str; 12] = [
    "NULL",
    "''",
    "'a'",
    "'zwei'",
    "'- \"3\" \\ ''4'''",
    "E'line\\nbreak'",
    "'😀'",
    "'1.0'",
    "'1.00'",
    "'NULL'",
    "'{}'",
    "'0'",
];

impl Run {
    fn new(database: &Database, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut connections: Vec<_> = (0..4).map(|_| database.connect()).collect();
        for conn in &mut connections {
            run(
                conn,
                "SET lock_timeout = '5ms'; SET client_min_messages = error",
            );
        }
        let deferrable = if dice.roll(2) == 0 { "DEFERRABLE" } else { "" };
        run(
            &mut connections[3],
            &format!(
                "CREATE TABLE things (
                     id bigint PRIMARY KEY {deferrable}, label text, n numeric(30, 10), at timestamptz,
                     j jsonb, xs int[], bytes bytea, f float8, span interval);
                 INSERT INTO things (id, label) SELECT k, 'old ' || k FROM generate_series(1, 8) AS k;
                 SELECT threadline.audit('things');"
            ),
        );
        Self {
            dice,
            connections,
            open: [false; 3],
            columns: BTreeMap::new(),
            next_column: 0,
            alters: seed % 2 == 0,
            posts: seed % 5 > 0,
            copies: vec![],
        }
    }

    fn step(&mut self) {
        let who = self.dice.roll(3);
        match self.dice.roll(100) {
            0..12 if !self.open[who] => self.begin(who),
            0..12 => self.end(who),
            12..16 => self.savepoint(who),
            16..22 => self.copy(),
            22..25 if self.alters => self.alter(),
            25..30 if self.posts => run(&mut self.connections[3], "SELECT threadline.post()"),
            _ => {
                let write = self.write();
                self.execute(who, &write);
            }
        }
    }

    fn begin(&mut self, who: usize) {
        run(&mut self.connections[who], "BEGIN");
        self.open[who] = true;
    }

    fn end(&mut self, who: usize) {
        let how = if self.dice.roll(3) == 0 {
            "ROLLBACK"
        } else {
            "COMMIT"
        };
        // A deferred constraint may refuse the commit.
        let _ = self.connections[who].batch_execute(how);
        self.open[who] = false;
    }

    fn end_all(&mut self) {
        for who in 0..3 {
            if self.open[who] {
                self.end(who);
            }
        }
    }

    /// Runs a statement that may fail: on a lock, or on an existing key.
    fn execute(&mut self, who: usize, sql: &str) {
        if self.connections[who].batch_execute(sql).is_err() && self.open[who] {
            run(&mut self.connections[who], "ROLLBACK");
            self.open[who] = false;
        }
    }

    fn savepoint(&mut self, who: usize) {
        if !self.open[who] {
            return;
        }
        let inside: String = (0..=self.dice.roll(3))
            .map(|_| self.write() + ";")
            .collect();
        let end = *self.dice.pick(&["ROLLBACK TO s", "RELEASE s"]);
        if self.connections[who]
            .batch_execute(&format!("SAVEPOINT s; {inside}"))
            .is_err()
        {
            run(&mut self.connections[who], "ROLLBACK TO s");
        } else {
            run(&mut self.connections[who], end);
        }
    }

    fn write(&mut self) -> String {
        let id = self.dice.roll(12);
        let other = self.dice.roll(12);
        let text = *self.dice.pick(&VALUES);
        let mut set = match self.dice.roll(9) {
            0 => format!("label = {text}"),
            1 => format!("n = {}.{:04}", self.dice.roll(1000), self.dice.roll(10000)),
            2 => format!("at = timestamptz '2026-03-29 00:30:00+01' + interval '1 hour' * {other}"),
            3 => format!("j = jsonb_build_object('k', {text}::text, 'n', {other})"),
            4 => format!("xs = ARRAY[{other}, NULL, 3]"),
            5 => format!("bytes = convert_to(coalesce({text}, 'x'), 'utf8')"),
            6 => format!(
                "f = {}",
                self.dice
                    .pick(&["'NaN'", "'Infinity'", "0.1 + 0.2", "-0.0", "NULL"])
            ),
            7 => format!("span = interval '1 mon {other} days'"),
            _ => "label = label".to_owned(),
        };
        if !self.columns.is_empty() && self.dice.roll(2) == 0 {
            let names: Vec<_> = self.columns.values().cloned().collect();
            set += &format!(", {} = '{other}'", self.dice.pick(&names));
        }
        match self.dice.roll(24) {
            0..7 => format!("INSERT INTO things (id, label) VALUES ({id}, {text})"),
            7..14 => format!("UPDATE things SET {set} WHERE id = {id}"),
            14..16 => format!("UPDATE things SET {set} WHERE id % 2 = {}", id % 2),
            16 => format!(
                "INSERT INTO things (id, label) VALUES ({id}, {text}), ({other} + 20, {text})
                 ON CONFLICT (id) DO UPDATE SET label = excluded.label"
            ),
            17..20 => format!("DELETE FROM things WHERE id = {id}"),
            20 => format!("UPDATE things SET id = {other}, {set} WHERE id = {id}"),
            21 => "UPDATE things SET id = id + 1".to_owned(),
            22 => format!(
                "WITH gone AS (DELETE FROM things WHERE id = {id} RETURNING label)
                 INSERT INTO things (id, label) SELECT 30 + {other}, label FROM gone"
            ),
            _ if self.dice.roll(4) == 0 => "TRUNCATE things".to_owned(),
            _ => format!("UPDATE things SET label = NULL, n = NULL WHERE id > {id}"),
        }
    }

    fn alter(&mut self) {
        self.end_all();
        let identities: Vec<u64> = self.columns.keys().copied().collect();
        let sql = match self.dice.roll(4) {
            0 | 1 if identities.len() < 4 => {
                let name = format!("c{}", self.next_column);
                let kind = *self.dice.pick(&["int", "text", "int DEFAULT 5"]);
                self.columns.insert(self.next_column, name.clone());
                self.next_column += 1;
                format!("ALTER TABLE things ADD COLUMN {name} {kind}")
            }
            2 if !identities.is_empty() => {
                let identity = *self.dice.pick(&identities);
                let name = self.columns.remove(&identity).unwrap();
                format!("ALTER TABLE things DROP COLUMN {name}")
            }
            3 if identities.len() >= 2 => {
                // Two exchange their names.
                let (one, two) = (identities[0], identities[1]);
                let (a, b) = (self.columns[&one].clone(), self.columns[&two].clone());
                self.columns.insert(one, b.clone());
                self.columns.insert(two, a.clone());
                format!(
                    "ALTER TABLE things RENAME COLUMN {a} TO x;
                     ALTER TABLE things RENAME COLUMN {b} TO {a};
                     ALTER TABLE things RENAME COLUMN x TO {b}"
                )
            }
            _ => return,
        };
        run(
            &mut self.connections[3],
            &format!("BEGIN; {sql}; SELECT threadline.refresh('things'); COMMIT"),
        );
    }

    fn copy(&mut self) {
        self.end_all();
        let conn = &mut self.connections[3];
        let rows = rows_of(conn);
        let at = value(
            conn,
            "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        );
        self.copies.push(Copy {
            at: at.unwrap().parse().unwrap(),
            rows,
            columns: self.columns.clone(),
        });
    }

    /// Returns the columns to compare with a copy: the former name, and the present one.
    fn columns_since(&self, copy: &Copy) -> Vec<(String, String)> {
        let fixed = ["id", "label", "n", "at", "j", "xs", "bytes", "f", "span"];
        let fixed = fixed.map(|name| (name.to_owned(), name.to_owned()));
        let altered = copy.columns.iter().filter_map(|(identity, then)| {
            Some((then.clone(), self.columns.get(identity)?.clone()))
        });
        fixed.into_iter().chain(altered).collect()
    }

    fn check(&mut self, seed: u64) {
        let mut ids = BTreeSet::new();
        for copy in &self.copies {
            ids.extend(copy.rows.keys().copied());
        }
        for (position, copy) in self.copies.iter().enumerate() {
            let columns = self.columns_since(copy);
            let conn = &mut self.connections[3];
            let expected: BTreeMap<i64, Map<String, Value>> = copy
                .rows
                .iter()
                .map(|(id, row)| {
                    let row = columns
                        .iter()
                        .map(|(then, now)| (now.clone(), row[then].clone()));
                    (*id, row.collect())
                })
                .collect();
            let only = |image: &Value| -> Map<String, Value> {
                columns
                    .iter()
                    .map(|(_, now)| (now.clone(), image[now].clone()))
                    .collect()
            };
            let mut actual = BTreeMap::new();
            for past in Thing::all_as_of(conn, copy.at).unwrap() {
                let past = past.unwrap();
                let thing = past.record.unwrap();
                let image = only(&past.image);
                assert_eq!(image["label"].as_str(), thing.label.as_deref());
                assert!(
                    actual.insert(thing.id, image).is_none(),
                    "twice: {}",
                    thing.id
                );
            }
            assert_eq!(
                actual, expected,
                "seed {seed}, copy {position} at {}",
                copy.at
            );
            for id in &ids {
                let record = Thing::as_of_json(conn, *id, copy.at).unwrap();
                assert_eq!(
                    record.ok().map(|image| only(&image)).as_ref(),
                    expected.get(id),
                    "seed {seed}, copy {position} at {}, record {id}",
                    copy.at
                );
            }
        }
        self.check_versions(seed);
    }

    /// Asserts that the last version by the time of a copy is the copied row.
    fn check_versions(&mut self, seed: u64) {
        let conn = &mut self.connections[3];
        let Some(last) = self.copies.last() else {
            return;
        };
        for (id, row) in &last.rows {
            let versions = Thing::versions_of(conn, *id).unwrap();
            // The row that the key had before it was given to another.
            let version = versions.iter().find(|v| {
                v.change.captured_at <= last.at
                    && v.change.key.as_ref().is_some_and(|key| key["id"] == *id)
            });
            if let Some(version) = version {
                let thing = version.record.as_ref().unwrap();
                assert_eq!(
                    thing.label.as_deref(),
                    row["label"].as_str(),
                    "seed {seed}, versions of {id}"
                );
            }
        }
    }

    /// Asserts that no alarm is raised: however random the writes are, all have been
    /// recorded.
    fn verify(&mut self, seed: u64) {
        let models = Models::new(vec![]);
        let verification = models.verify().run(&mut self.connections[3]).unwrap();
        let mut findings = verification.findings;
        findings.retain(|finding| finding.code != threadline::FindingCode::Unattributed);
        assert_eq!(findings, [], "seed {seed}");
    }

    /// Undoes everything since the first copy.
    fn revert(&mut self, seed: u64) {
        let Some(first) = self.copies.first() else {
            return;
        };
        let conn = &mut self.connections[3];
        // The last writer is reverted first: between its writes no other could touch its
        // rows.
        let since = format!(
            "SELECT coalesce(string_agg(transaction_id::text, ',' ORDER BY last DESC), '')
             FROM (SELECT transaction_id, max(id) AS last FROM threadline.audit_changes
                   WHERE captured_at > '{}' GROUP BY transaction_id) AS written",
            first.at.to_rfc3339()
        );
        let transactions = value(conn, &since).unwrap();
        for id in transactions.split(',').filter(|id| !id.is_empty()) {
            let id = id.parse().unwrap();
            revert_transaction(conn, id)
                .unwrap_or_else(|error| panic!("seed {seed}, transaction {id}: {error}"));
        }
        assert_eq!(
            rows_of(conn),
            first.rows,
            "seed {seed}, everything reverted"
        );
    }
}

/// Returns the table as it is, in the form of images.
fn rows_of(conn: &mut PgConnection) -> BTreeMap<i64, Map<String, Value>> {
    run(
        conn,
        "SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1",
    );
    let rows = value(
        conn,
        // Numerics are strings, digit for digit.
        "SELECT coalesce(jsonb_agg(to_jsonb(t) || jsonb_build_object('n', t.n::text)), '[]') FROM things AS t",
    )
    .unwrap();
    // Time zones and styles of a client must not affect the result.
    run(
        conn,
        "SET timezone = 'Asia/Kathmandu'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'escape'; SET extra_float_digits = -3",
    );
    let rows: Vec<Map<String, Value>> = serde_json::from_str(&rows).unwrap();
    rows.into_iter()
        .map(|row| (row["id"].as_i64().unwrap(), row))
        .collect()
}

#[test]
fn states_at_an_instant_equal_copies_taken_then() {
    let from = std::env::var("PROPERTY_SEED").map_or(FIRST_SEED, |seed| seed.parse().unwrap());
    for seed in from..from + SEEDS {
        let database = Database::new();
        let mut run = Run::new(&database, seed);
        run.copy();
        for _ in 0..STEPS {
            run.step();
        }
        run.end_all();
        run.copy();
        if run.posts {
            threadline::post(&mut run.connections[3]).unwrap();
        }
        run.check(seed);
        run.verify(seed);
        if !run.alters {
            run.revert(seed);
            run.verify(seed);
        }
    }
}
