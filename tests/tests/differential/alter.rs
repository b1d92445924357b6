//! Random changes of the tables themselves.
//!
//! Leaves out changes that an audited table refuses, as documented: another type for a
//! column that the WHEN clause of a policy names, and a primary key of redacted columns.
//! Also leaves out changes that remove the identity of records: no primary key is
//! dropped.

use threadline_tests::Dice;

use super::names::{literal, other_schema, quote, random_name, random_table_name};
use super::observer::Column;
use super::schema::ColumnPolicy;
use super::statements::{Site, partition_name};
use super::table::partition;
use super::values::{TYPES, value};

pub fn alter(site: Site<'_>, dice: &mut Dice) -> String {
    let (planned, table) = (site.planned, site.table);
    let path = &table.path;
    let taken: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
    let column = dice.pick(&table.columns);
    let name = quote(&column.name);
    let of_table = |what: String| format!("ALTER TABLE {path} {what}");
    match dice.roll(26) {
        0..3 => {
            let of_type = *dice.pick(&TYPES);
            let default = match dice.roll(3) {
                // One that is the same for every row, and one that is computed for each.
                0 => format!(" DEFAULT {}", value(of_type, planned.only, dice)),
                _ => String::new(),
            };
            of_table(format!(
                "ADD COLUMN {} {of_type}{default}",
                quote(&random_name(dice, &taken))
            ))
        }
        3..6 if !table.key.contains(&column.name) && planned.label != "log" => of_table(format!(
            "DROP COLUMN {name}{}",
            dice.pick(&["", " CASCADE"])
        )),
        6..10 if planned.label != "log" => of_table(format!(
            "RENAME COLUMN {name} TO {}",
            quote(&random_name(dice, &taken))
        )),
        10..13 => match retyped(column, planned.column_policy(column.number), dice) {
            Some(to) => of_table(format!("ALTER COLUMN {name} TYPE {to}")),
            None => of_table("SET (fillfactor = 70)".to_owned()),
        },
        13 if planned.label != "log" => {
            of_table(format!("RENAME TO {}", quote(&random_table_name(dice))))
        }
        14 if planned.label != "log" => {
            let schema = if dice.one_in(2) {
                "app".to_owned()
            } else {
                other_schema()
            };
            of_table(format!("SET SCHEMA {schema}"))
        }
        15..19 if planned.partitioned => {
            let number = dice.roll(4);
            match dice.roll(5) {
                0 => partition(&planned.label, path, number),
                1 => of_table(format!(
                    "ATTACH PARTITION parts.{}_r{number} FOR VALUES FROM ({}) TO ({})",
                    planned.label,
                    number * 5,
                    number * 5 + 5
                )),
                2 => of_table(format!(
                    "ATTACH PARTITION parts.{}_h{number} FOR VALUES WITH (MODULUS 3, REMAINDER {number})",
                    planned.label
                )),
                3 => format!("DROP TABLE {}", partition_name(&planned.label, dice)),
                _ => of_table(format!(
                    "DETACH PARTITION {}",
                    partition_name(&planned.label, dice)
                )),
            }
        }
        15 => of_table("DROP CONSTRAINT IF EXISTS added_check".to_owned()),
        16 => of_table(format!(
            "ADD CONSTRAINT added_check CHECK ({name} IS NOT NULL) NOT VALID"
        )),
        17 => of_table(format!("ADD CONSTRAINT added_unique UNIQUE ({name})")),
        18 => of_table("DROP CONSTRAINT IF EXISTS added_unique".to_owned()),
        19 => format!("CREATE INDEX added_index ON {path} ({name})"),
        20 => format!("CREATE UNIQUE INDEX ON {path} (({name} IS NULL)) WHERE {name} IS NULL"),
        21 => of_table(format!("ALTER COLUMN {name} SET NOT NULL")),
        22 => of_table(format!("ALTER COLUMN {name} DROP NOT NULL")),
        23 => of_table(
            (*dice.pick(&[
                "REPLICA IDENTITY FULL",
                "SET UNLOGGED",
                "SET LOGGED",
                "NO INHERIT app.child",
                "CLUSTER ON added_index",
            ]))
            .to_owned(),
        ),
        24 => format!("COMMENT ON TABLE {path} IS {}", literal("it's")),
        _ => "ALTER TYPE app.mood RENAME VALUE 'so so' TO 'so-so'".to_owned(),
    }
}

/// Returns another type that accepts the present values, and keeps secrets recognizable.
fn retyped(column: &Column, column_policy: ColumnPolicy, dice: &mut Dice) -> Option<String> {
    let name = quote(&column.name);
    let secret = column_policy != ColumnPolicy::Plain;
    let to = match column.of_type.as_str() {
        "integer" => dice.pick(&["bigint", "numeric", "text"]),
        "bigint" => dice.pick(&["numeric", "text"]),
        "numeric" => dice.pick(&["numeric(14,3)", "double precision", "text"]),
        "text" => dice.pick(&["varchar(100)", "app.short"]),
        "character varying(40)" | "character varying(100)" => &"text",
        "date" if !secret => &"timestamp",
        "timestamp without time zone" => &"timestamptz",
        "json" => &"jsonb",
        "jsonb" => &"json",
        "app.mood" | "uuid" | "boolean" => &"text",
        "text[]" => &"text",
        _ => return None,
    };
    Some(format!("{to} USING {name}::{to}"))
}
