//! Random writes of every kind.

use threadline_tests::Dice;

use super::names::quote;
use super::observer::{Column, Table};
use super::schema::{ColumnPolicy, Planned, column_value};
use super::values::key;

const KEYS: usize = 12;

/// A table and its policy, for which statements are generated.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    pub planned: &'a Planned,
    pub table: &'a Table,
}

impl<'a> Site<'a> {
    /// Returns the table's name in one of its written forms.
    fn path(&self, dice: &mut Dice) -> String {
        if dice.one_in(12) {
            quote(&self.table.name)
        } else {
            self.table.path.clone()
        }
    }

    fn is_key(&self, column: &Column) -> bool {
        self.table.key.contains(&column.name)
    }

    fn keys(&self) -> impl Iterator<Item = &'a Column> {
        self.table
            .columns
            .iter()
            .filter(|c| self.table.key.contains(&c.name))
    }

    fn others(&self) -> Vec<&'a Column> {
        let table = self.table;
        table
            .columns
            .iter()
            .filter(|c| !c.generated && !table.key.contains(&c.name))
            .collect()
    }

    fn value(&self, column: &Column, dice: &mut Dice) -> String {
        if self.is_key(column) {
            return key(&column.of_type, dice.roll(KEYS));
        }
        // A reference should often name an existing row.
        if self.planned.create.contains(&format!(
            "{} {} REFERENCES",
            quote(&column.name),
            column.of_type
        )) || (self.planned.create.contains("REFERENCES")
            && dice.one_in(3)
            && column.number <= 3
            && self.planned.column_policy(column.number) == ColumnPolicy::Plain)
        {
            return if dice.one_in(3) {
                "NULL".to_owned()
            } else {
                key(&column.of_type, dice.roll(KEYS))
            };
        }
        column_value(self.planned, column.number, &column.of_type, dice)
    }

    fn some(&self, dice: &mut Dice) -> Vec<&'a Column> {
        let mut columns = self.others();
        columns.retain(|_| dice.roll(3) > 0);
        columns
    }

    /// Returns a condition that holds for one row, for several or for all.
    fn condition(&self, alias: &str, dice: &mut Dice) -> String {
        match dice.roll(6) {
            0 => "true".to_owned(),
            1 => {
                let column = dice.pick(&self.table.columns);
                format!("{alias}.{} IS NOT NULL", quote(&column.name))
            }
            _ => {
                let keys: Vec<_> = self
                    .keys()
                    .map(|c| {
                        let how = *dice.pick(&["=", "=", ">", "<"]);
                        format!(
                            "{alias}.{} {how} {}",
                            quote(&c.name),
                            key(&c.of_type, dice.roll(KEYS))
                        )
                    })
                    .collect();
                if keys.is_empty() {
                    "true".to_owned()
                } else {
                    keys.join(" AND ")
                }
            }
        }
    }

    fn assignments(&self, alias: Option<&str>, dice: &mut Dice) -> String {
        let others = self.others();
        if others.is_empty() {
            return self
                .keys()
                .map(|c| format!("{0} = {0}", quote(&c.name)))
                .collect::<Vec<_>>()
                .join(", ");
        }
        let mut columns = self.some(dice);
        columns.truncate(3);
        if columns.is_empty() {
            columns.push(*dice.pick(&others));
        }
        let set = columns.into_iter().map(|column| {
            let name = quote(&column.name);
            let value = match (dice.roll(6), alias) {
                (0, Some(alias)) => format!("{alias}.{name}"),
                (1, _) => "DEFAULT".to_owned(),
                _ => self.value(column, dice),
            };
            format!("{name} = {value}")
        });
        set.collect::<Vec<_>>().join(", ")
    }

    fn insert(&self, rows: usize, dice: &mut Dice) -> String {
        let mut columns: Vec<_> = self.keys().collect();
        columns.extend(self.some(dice));
        if columns.is_empty() {
            return format!("INSERT INTO {} DEFAULT VALUES", self.path(dice));
        }
        let names: Vec<_> = columns.iter().map(|c| quote(&c.name)).collect();
        let rows: Vec<_> = (0..rows)
            .map(|_| {
                let values: Vec<_> = columns.iter().map(|c| self.value(c, dice)).collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let overriding = if self.planned.label == "log" && dice.one_in(2) {
            " OVERRIDING SYSTEM VALUE"
        } else {
            ""
        };
        format!(
            "INSERT INTO {} ({}){overriding} VALUES {}",
            self.path(dice),
            names.join(", "),
            rows.join(", ")
        )
    }

    fn upsert(&self, dice: &mut Dice) -> String {
        let keys: Vec<_> = self.keys().map(|c| quote(&c.name)).collect();
        let rows = 1 + dice.roll(3);
        let insert = self.insert(rows, dice);
        if keys.is_empty() || dice.one_in(3) {
            return format!("{insert} ON CONFLICT DO NOTHING");
        }
        format!(
            "{insert} ON CONFLICT ({}) DO UPDATE SET {}",
            keys.join(", "),
            self.assignments(None, dice)
        )
    }

    /// Returns an insert of more rows than are recorded one by one.
    fn insert_many(&self, dice: &mut Dice) -> String {
        let columns: Vec<_> = self.keys().chain(self.some(dice)).collect();
        if columns.is_empty() {
            return self.insert(1, dice);
        }
        let names: Vec<_> = columns.iter().map(|c| quote(&c.name)).collect();
        let values: Vec<_> = columns
            .iter()
            .map(
                |c| match c.of_type.split(['(', ' ']).next().unwrap_or_default() {
                    "integer" | "bigint" | "numeric" if self.is_key(c) => "1000 + g".to_owned(),
                    "date" if self.is_key(c) => "date '2030-01-01' + g".to_owned(),
                    "text" | "character" if self.is_key(c) => "'g' || g".to_owned(),
                    "uuid" if self.is_key(c) => {
                        "('00000000-0000-4000-8000-0000001' || to_char(g, 'FM00000'))::uuid"
                            .to_owned()
                    }
                    "timestamp" if self.is_key(c) => {
                        "timestamptz '2030-01-01 00:00:00+00' + interval '1 day' * g".to_owned()
                    }
                    _ => self.value(c, dice),
                },
            )
            .collect();
        let count = *dice.pick(&[30, 101, 130]);
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM generate_series(1, {count}) AS g",
            self.path(dice),
            names.join(", "),
            values.join(", ")
        )
    }

    fn update(&self, dice: &mut Dice) -> String {
        let only = if dice.one_in(10) { "ONLY " } else { "" };
        format!(
            "UPDATE {only}{} AS target_row SET {} WHERE {}",
            self.path(dice),
            self.assignments(Some("target_row"), dice),
            self.condition("target_row", dice)
        )
    }

    fn update_key(&self, dice: &mut Dice) -> String {
        let Some(column) = self.keys().next() else {
            return self.update(dice);
        };
        let name = quote(&column.name);
        let shift = match column.of_type.split(['(', ' ']).next().unwrap_or_default() {
            "integer" | "bigint" | "numeric" | "date" => {
                format!("target_row.{name} + {}", dice.pick(&[1, 1, 100, -1]))
            }
            "timestamp" => format!("target_row.{name} + interval '1 hour'"),
            "text" | "character" => format!("target_row.{name} || 'x'"),
            _ => key(&column.of_type, dice.roll(KEYS)),
        };
        let to = if dice.one_in(2) {
            key(&column.of_type, dice.roll(KEYS))
        } else {
            shift
        };
        let more = if dice.one_in(2) && !self.others().is_empty() {
            format!(", {}", self.assignments(Some("target_row"), dice))
        } else {
            String::new()
        };
        format!(
            "UPDATE {} AS target_row SET {name} = {to}{more} WHERE {}",
            self.path(dice),
            self.condition("target_row", dice)
        )
    }

    fn delete(&self, dice: &mut Dice) -> String {
        format!(
            "DELETE FROM {} AS target_row WHERE {}",
            self.path(dice),
            self.condition("target_row", dice)
        )
    }

    fn merge(&self, dice: &mut Dice) -> String {
        let keys: Vec<_> = self.keys().collect();
        if keys.is_empty() {
            return self.delete(dice);
        }
        let names: Vec<_> = keys.iter().map(|c| quote(&c.name)).collect();
        let sources: Vec<_> = (0..2 + dice.roll(4))
            .map(|n| {
                let values: Vec<_> = keys
                    .iter()
                    .enumerate()
                    .map(|(position, c)| {
                        let number = if position == 0 {
                            n * 2
                        } else {
                            dice.roll(KEYS)
                        };
                        format!("CAST({} AS {})", key(&c.of_type, number), c.of_type)
                    })
                    .collect();
                format!("({n}, {})", values.join(", "))
            })
            .collect();
        let on: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(n, name)| format!("target_row.{name} = source.k{n}"))
            .collect();
        let aliases: Vec<_> = (0..names.len()).map(|n| format!("k{n}")).collect();
        let more = self.some(dice);
        let inserted: Vec<_> = names
            .iter()
            .cloned()
            .chain(more.iter().map(|c| quote(&c.name)))
            .collect();
        let values: Vec<_> = aliases
            .iter()
            .map(|a| format!("source.{a}"))
            .chain(more.iter().map(|c| self.value(c, dice)))
            .collect();
        format!(
            "MERGE INTO {} AS target_row USING (VALUES {}) AS source (number, {}) ON {}
             WHEN MATCHED AND source.number = 1 THEN DELETE
             WHEN MATCHED AND source.number < 4 THEN UPDATE SET {}
             WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
            self.path(dice),
            sources.join(", "),
            aliases.join(", "),
            on.join(" AND "),
            self.assignments(Some("target_row"), dice),
            inserted.join(", "),
            values.join(", ")
        )
    }

    /// As COPY: the rows of a query, which the server sends to itself.
    fn copy(&self, dice: &mut Dice) -> String {
        let columns: Vec<_> = self
            .keys()
            .filter(|c| ["integer", "bigint", "text", "date", "uuid"].contains(&c.of_type.as_str()))
            .collect();
        if columns.is_empty() || columns.len() < self.table.key.len() {
            return self.insert(3, dice);
        }
        let names: Vec<_> = columns.iter().map(|c| quote(&c.name)).collect();
        let lines: Vec<_> = (0..3)
            .map(|n| {
                let line: Vec<_> = columns
                    .iter()
                    .map(|c| match c.of_type.as_str() {
                        "date" => format!("2024-01-{:02}", 1 + dice.roll(KEYS)),
                        "uuid" => format!("00000000-0000-4000-8000-{:012}", dice.roll(KEYS)),
                        "text" => format!("k{}", dice.roll(KEYS)),
                        _ => format!("{}", 3 * dice.roll(4) + n),
                    })
                    .collect();
                line.join(",")
            })
            .collect();
        format!(
            "COPY {} ({}) FROM PROGRAM 'printf {}\\\\n' WITH (FORMAT csv)",
            self.table.path,
            names.join(", "),
            lines.join("\\\\n")
        )
    }
}

/// Returns a write to a table or to several.
pub fn write(sites: &[Site<'_>], dice: &mut Dice) -> String {
    let site = *dice.pick(sites);
    let other = *dice.pick(sites);
    match dice.roll(60) {
        0..12 => {
            let rows = 1 + dice.roll(4);
            site.insert(rows, dice)
        }
        12 => site.insert_many(dice),
        13..17 => site.upsert(dice),
        17..33 => site.update(dice),
        33..40 => site.update_key(dice),
        40..46 => site.delete(dice),
        46..49 => site.merge(dice),
        49 => site.copy(dice),
        50 => {
            let cascade = *dice.pick(&["", " CASCADE", " RESTART IDENTITY CASCADE"]);
            if dice.one_in(2) {
                format!(
                    "TRUNCATE {}, {}{cascade}",
                    site.table.path, other.table.path
                )
            } else {
                format!("TRUNCATE ONLY {}{cascade}", site.table.path)
            }
        }
        51..53 => format!(
            "WITH gone AS ({} RETURNING 1), changed AS ({} RETURNING 1), come AS ({} RETURNING 1) SELECT * FROM gone, changed",
            site.delete(dice),
            other.update(dice),
            dice.pick(sites)
                .insert(2, &mut Dice::new(dice.roll(1000) as u64))
        ),
        53..57 if site.table.partitioned => on_part(site, dice),
        57 => format!(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {} (id int) ON COMMIT DROP",
            dice.pick(&[
                "audit_changes",
                "audit_transactions",
                "audited_tables",
                "suspensions"
            ])
        ),
        58 => format!("SELECT * FROM {} FOR UPDATE", site.table.path),
        _ => format!(
            "DO $do$ BEGIN {}; BEGIN {}; EXCEPTION WHEN OTHERS THEN NULL; END; {}; END $do$",
            site.update(dice),
            other.insert(1, dice),
            other.delete(dice)
        ),
    }
}

/// Returns a write to a partition itself, or to a former one.
fn on_part(site: Site<'_>, dice: &mut Dice) -> String {
    let mut part = site.table.clone();
    part.path = partition_name(&site.planned.label, dice);
    let site = Site {
        table: &part,
        ..site
    };
    match dice.roll(4) {
        0 => format!("TRUNCATE {}", part.path),
        1 => site.delete(dice),
        2 => site.insert(2, dice),
        _ => site.update(dice),
    }
}

/// Returns a partition that a table has, had or could have.
pub fn partition_name(label: &str, dice: &mut Dice) -> String {
    format!("parts.{label}_{}{}", dice.pick(&["r", "h"]), dice.roll(3))
}
