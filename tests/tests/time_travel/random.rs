//! Random commands that alter the columns of a table between random writes. The audit
//! must return each copy of the table, taken now and then, before and after each later
//! command.

use std::collections::BTreeMap;
use std::ops::Range;

use diesel::prelude::*;
use serde_json::{Map, Value};
use threadline::{Audited, Operation};
use threadline_tests::{Database, Dice, now, rows, run, seeds};

use crate::each;

/// The number of runs, each with another seed. THREADLINE_SEEDS asks for more, or for
/// some: `100`, or `57..58`.
const SEEDS: Range<u64> = 1..31;
const STEPS: usize = 50;

diesel::table! {
    r (id) { id -> Int4, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = r)]
struct Row {
    #[allow(dead_code, reason = "the images are compared")]
    id: i32,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Integer,
    Big,
    Numeric,
    Text,
    Short,
    Mood,
}

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Self::Integer => "int",
            Self::Big => "bigint",
            Self::Numeric => "numeric(12,2)",
            Self::Text => "text",
            Self::Short => "varchar(6)",
            Self::Mood => "mood",
        }
    }
}

/// A column, by identity and not by name.
struct Column {
    name: String,
    kind: Kind,
    dropped: bool,
    /// Another column was given its name after it was dropped.
    taken: bool,
}

struct Copy {
    at: String,
    /// By key, then by the position of the column among all that ever existed.
    rows: BTreeMap<String, BTreeMap<usize, Value>>,
}

struct Run {
    dice: Dice,
    conn: PgConnection,
    columns: Vec<Column>,
    labels: Vec<String>,
    copies: Vec<Copy>,
    next: usize,
    compared: usize,
    unrecorded: usize,
}

impl Run {
    fn new(database: &Database, seed: u64) -> Self {
        let mut conn = database.connect();
        run(
            &mut conn,
            "CREATE TYPE mood AS ENUM ('m0', 'm1', 'm2');
             CREATE TABLE r (id int PRIMARY KEY, c0 int, c1 text, c2 mood, c3 numeric(12,2));
             INSERT INTO r SELECT k, k, 'old ' || k, 'm0', k FROM generate_series(1, 3) AS k;
             SELECT threadline.audit('r')",
        );
        let kinds = [Kind::Integer, Kind::Text, Kind::Mood, Kind::Numeric];
        let columns = kinds.iter().enumerate().map(|(at, kind)| Column {
            name: format!("c{at}"),
            kind: *kind,
            dropped: false,
            taken: false,
        });
        Self {
            dice: Dice::new(seed),
            conn,
            columns: columns.collect(),
            labels: ["m0", "m1", "m2"].map(str::to_owned).to_vec(),
            copies: vec![],
            next: 10,
            compared: 0,
            unrecorded: 0,
        }
    }

    fn live(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|at| !self.columns[*at].dropped)
            .collect()
    }

    fn value(&mut self, kind: Kind) -> String {
        let number = self.dice.roll(100);
        match kind {
            _ if self.dice.one_in(8) => "NULL".to_owned(),
            Kind::Integer | Kind::Big => number.to_string(),
            Kind::Numeric => format!("{number}.50"),
            Kind::Text => format!("'text {number}'"),
            Kind::Short => format!("'s{number}'"),
            Kind::Mood => {
                let at = self.dice.roll(self.labels.len());
                format!("'{}'", self.labels[at])
            }
        }
    }

    fn write(&mut self) {
        let id = 1 + self.dice.roll(8);
        let live = self.live();
        let sql = match self.dice.roll(10) {
            0..4 => {
                let values: Vec<String> = live
                    .iter()
                    .map(|at| self.value(self.columns[*at].kind))
                    .collect();
                let names: Vec<_> = live
                    .iter()
                    .map(|at| self.columns[*at].name.as_str())
                    .collect();
                let (names, values) = (names.join(", "), values.join(", "));
                let comma = if live.is_empty() { "" } else { ", " };
                format!(
                    "INSERT INTO r (id{comma}{names}) VALUES ({id}{comma}{values}) ON CONFLICT DO NOTHING"
                )
            }
            4..9 if !live.is_empty() => {
                let at = live[self.dice.roll(live.len())];
                let value = self.value(self.columns[at].kind);
                format!(
                    "UPDATE r SET {} = {value} WHERE id = {id}",
                    self.columns[at].name
                )
            }
            _ => format!("DELETE FROM r WHERE id = {id}"),
        };
        run(&mut self.conn, &sql);
    }

    fn alter(&mut self) {
        let live = self.live();
        let some = (!live.is_empty()).then(|| live[self.dice.roll(live.len())]);
        let sql = match (self.dice.roll(10), some) {
            (0 | 1, Some(at)) => {
                self.columns[at].dropped = true;
                format!("ALTER TABLE r DROP {}", self.columns[at].name)
            }
            (2 | 3, _) => {
                // Half of the time under the name of a dropped one.
                let free = self.columns.iter().find(|gone| {
                    gone.dropped
                        && !self
                            .columns
                            .iter()
                            .any(|c| !c.dropped && c.name == gone.name)
                });
                let name = match free {
                    Some(gone) if self.dice.one_in(2) => gone.name.clone(),
                    _ => {
                        self.next += 1;
                        format!("c{}", self.next)
                    }
                };
                let kind = *self.dice.pick(&[Kind::Integer, Kind::Text, Kind::Mood]);
                self.columns.push(Column {
                    name: name.clone(),
                    kind,
                    dropped: false,
                    taken: false,
                });
                format!("ALTER TABLE r ADD {name} {}", kind.sql())
            }
            (4, Some(at)) => {
                self.next += 1;
                let (from, to) = (self.columns[at].name.clone(), format!("c{}", self.next));
                self.columns[at].name.clone_from(&to);
                for gone in self.columns.iter_mut().filter(|gone| gone.dropped) {
                    // Earlier images name both columns alike.
                    gone.taken |= gone.name == from;
                }
                format!("ALTER TABLE r RENAME {from} TO {to}")
            }
            (5, _) => {
                let at = self.dice.roll(self.labels.len());
                self.next += 1;
                let (from, to) = (self.labels[at].clone(), format!("m{}", self.next));
                self.labels[at].clone_from(&to);
                format!("ALTER TYPE mood RENAME VALUE '{from}' TO '{to}'")
            }
            (_, Some(at)) => {
                let name = self.columns[at].name.clone();
                let (kind, using) = match self.columns[at].kind {
                    Kind::Integer => (Kind::Big, format!("{name} * 10")),
                    Kind::Big => (Kind::Integer, format!("{name} % 1000")),
                    Kind::Numeric if self.dice.one_in(2) => (Kind::Numeric, format!("{name} + 1")),
                    Kind::Numeric => (Kind::Integer, format!("{name}::int")),
                    Kind::Text => (Kind::Short, format!("left({name}, 6)")),
                    Kind::Short | Kind::Mood => (Kind::Text, format!("upper({name}::text)")),
                };
                self.columns[at].kind = kind;
                format!(
                    "ALTER TABLE r ALTER {name} TYPE {} USING {using}",
                    kind.sql()
                )
            }
            _ => return,
        };
        let refresh = "SELECT threadline.refresh('r')";
        if self.dice.one_in(4) {
            each(&mut self.conn, &[&sql, refresh]);
        } else {
            run(&mut self.conn, &format!("BEGIN; {sql}; {refresh}; COMMIT"));
        }
    }

    fn copy(&mut self) {
        let live = self.live();
        let rows = rows(&mut self.conn, "SELECT to_jsonb(r) FROM r")
            .iter()
            .map(|row| {
                let row: Map<String, Value> = serde_json::from_str(row).unwrap();
                let values = live
                    .iter()
                    .map(|at| (*at, row[&self.columns[*at].name].clone()));
                (row["id"].to_string(), values.collect())
            })
            .collect();
        let at = now(&mut self.conn).to_rfc3339();
        self.copies.push(Copy { at, rows });
    }

    fn check(&mut self) -> Result<(), String> {
        for copy in &self.copies {
            let all = rows(
                &mut self.conn,
                &format!(
                    "SELECT jsonb_build_array(record_key, image, unrecorded) FROM threadline.rows_as_of('r', '{}')",
                    copy.at
                ),
            );
            let mut keys = vec![];
            for row in &all {
                let row: Value = serde_json::from_str(row).unwrap();
                let key = row[0].as_str().unwrap();
                keys.push(key.to_owned());
                let one = rows(
                    &mut self.conn,
                    &format!(
                        "SELECT jsonb_build_array('{key}', image, unrecorded) FROM threadline.record_as_of('r', '{key}', '{}')",
                        copy.at
                    ),
                );
                let one: Value = serde_json::from_str(&one[0]).unwrap();
                if one != row {
                    return Err(format!(
                        "{key} at {}: alone {one}, among all {row}",
                        copy.at
                    ));
                }
                let expected = copy
                    .rows
                    .get(key)
                    .ok_or_else(|| format!("{key} was not there at {}", copy.at))?;
                for (at, value) in expected {
                    let column = &self.columns[*at];
                    if column.taken {
                        continue;
                    }
                    self.compared += 1;
                    let name = column.name.as_str();
                    match row[1].get(name) {
                        Some(image) if image == value => {}
                        None if row[2].as_array().unwrap().contains(&name.into()) => {
                            self.unrecorded += 1
                        }
                        image => {
                            return Err(format!(
                                "{key} at {}: {name} was {value} and is said to be {image:?} in {row}",
                                copy.at
                            ));
                        }
                    }
                }
            }
            keys.sort();
            if !keys.iter().eq(copy.rows.keys()) {
                return Err(format!(
                    "at {} there were {:?}, and are said to be {keys:?}",
                    copy.at,
                    copy.rows.keys()
                ));
            }
        }
        Ok(())
    }

    /// Checks that each version is the record at its instant.
    fn versions(&mut self) -> Result<(), String> {
        for id in 1..=8 {
            for version in Row::versions_of(&mut self.conn, id).unwrap() {
                if version.change.operation == Operation::Delete {
                    continue;
                }
                let then = Row::as_of_json(&mut self.conn, id, version.change.captured_at).unwrap();
                // The rows have the value that an added column gave them.
                let said = then.as_ref().ok().and_then(Value::as_object);
                let differs = |(name, value): (&String, &Value)| {
                    said.and_then(|said| said.get(name)) != Some(value)
                };
                let image = version.image.as_ref().and_then(Value::as_object);
                if image.is_none_or(|image| image.iter().any(differs)) {
                    return Err(format!(
                        "{id}: version {version:?}, and as of then {then:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}

#[test]
fn no_later_command_changes_the_state_at_an_instant() {
    let mut failures = vec![];
    let (mut compared, mut unrecorded) = (0, 0);
    for seed in seeds(SEEDS) {
        let database = Database::new();
        let mut run = Run::new(&database, seed);
        let outcome = (0..STEPS).try_for_each(|_| {
            match run.dice.roll(10) {
                0 => run.copy(),
                1 | 2 => {
                    run.alter();
                    run.check()?;
                }
                3 => {
                    threadline::post(&mut run.conn).unwrap();
                }
                _ => run.write(),
            }
            Ok(())
        });
        let outcome = outcome.and_then(|()| run.versions());
        if let Err(failure) = outcome {
            failures.push(format!("seed {seed}: {failure}"));
        }
        compared += run.compared;
        unrecorded += run.unrecorded;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(
        unrecorded * 2 < compared,
        "{unrecorded} of {compared} values are not on record"
    );
}
