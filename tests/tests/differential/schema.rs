//! A random schema: tables of every shape, and their policies.

use std::collections::BTreeMap;

use threadline_tests::Dice;

use super::names::{other_schema, quote, random_table_name};
use super::table::{Shape, Target, table};
use super::values::value;

/// How a column is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnPolicy {
    Plain,
    Mask,
    Hash,
    Exclude,
}

/// A table and its policy. Columns are identified by number, which no rename changes.
#[derive(Debug)]
pub struct Planned {
    pub label: String,
    pub create: String,
    /// The arguments of `threadline.audit()`.
    pub audit: String,
    pub column_policies: BTreeMap<i64, ColumnPolicy>,
    /// Columns that are added later are never recorded.
    pub only: bool,
    /// One statement can touch a row several times.
    pub restless: bool,
    pub partitioned: bool,
}

impl Planned {
    pub fn column_policy(&self, number: i64) -> ColumnPolicy {
        let later = if self.only {
            ColumnPolicy::Exclude
        } else {
            ColumnPolicy::Plain
        };
        self.column_policies.get(&number).copied().unwrap_or(later)
    }

    pub fn redacts(&self) -> bool {
        self.only
            || self
                .column_policies
                .values()
                .any(|t| *t != ColumnPolicy::Plain)
    }
}

/// The objects that every schema has besides its tables.
pub const COMMON: &str = r#"CREATE SCHEMA app; CREATE SCHEMA "Other ""schema"; CREATE SCHEMA parts;
CREATE TYPE app.mood AS ENUM ('sad', 'so so', 'happy');
CREATE DOMAIN app.short AS text CHECK (length(value) < 60);
CREATE TYPE app.place AS (street text, number int);
CREATE TABLE app.log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text, at text DEFAULT 'then');
CREATE FUNCTION app.log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO app.log (what) VALUES (TG_OP || ' ' || TG_WHEN || ' ' || TG_LEVEL); RETURN NULL; END $$;
CREATE FUNCTION app.count_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN UPDATE app.log SET at = at || '+' WHERE id IN (SELECT min(id) FROM app.log); RETURN NULL; END $$;
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF (SELECT count(*) FROM app.log) % 5 = 4 THEN RETURN NULL; END IF;
IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"#;

pub fn random(dice: &mut Dice) -> Vec<Planned> {
    let mut planned = vec![log(dice)];
    let mut names: Vec<String> = vec![];
    let mut parent: Option<Target> = None;
    let mut shapes = vec![Shape::Plain, Shape::Child, Shape::Composite];
    shapes.push(*dice.pick(&[Shape::ByRange, Shape::ByHash, Shape::Child]));
    shapes.push(*dice.pick(&[Shape::Keyless, Shape::InheritanceChild, Shape::Plain]));
    for (number, shape) in shapes.into_iter().enumerate() {
        let name = loop {
            let name = random_table_name(dice);
            if !names.contains(&name) {
                break name;
            }
        };
        names.push(name.clone());
        let schema = if dice.one_in(3) {
            other_schema()
        } else {
            "app".to_owned()
        };
        let path = format!("{schema}.{}", quote(&name));
        let (table, target) = table(&format!("t{number}"), &path, shape, parent.as_ref(), dice);
        if shape == Shape::Plain || (shape == Shape::Child && dice.one_in(2)) {
            parent = target;
        }
        planned.push(table);
        if shape == Shape::InheritanceChild {
            let parent = planned.last().expect("just pushed");
            planned.push(child(parent, &path));
        }
    }
    planned
}

fn log(dice: &mut Dice) -> Planned {
    let masked = dice.one_in(2);
    Planned {
        label: "log".to_owned(),
        create: String::new(),
        audit: if masked { ", mask => ARRAY['at']" } else { "" }.to_owned(),
        column_policies: masked
            .then_some((3, ColumnPolicy::Mask))
            .into_iter()
            .collect(),
        only: false,
        restless: true,
        partitioned: false,
    }
}

fn child(of: &Planned, path: &str) -> Planned {
    let own = of.column_policies.len() as i64 + 1;
    let mut column_policies = of.column_policies.clone();
    let pay = if of.only {
        ColumnPolicy::Exclude
    } else {
        ColumnPolicy::Plain
    };
    column_policies.insert(own, pay);
    let label = format!("{}child", of.label);
    let key = of
        .create
        .split("PRIMARY KEY ")
        .nth(1)
        .and_then(|rest| rest.split(')').next())
        .expect("children have keys");
    Planned {
        create: format!("CREATE TABLE app.child (pay int, PRIMARY KEY {key})) INHERITS ({path})"),
        label,
        audit: of.audit.clone(),
        column_policies,
        only: of.only,
        restless: of.restless,
        partitioned: false,
    }
}

/// Returns a value for a column of a table, secret if the column is.
pub fn column_value(planned: &Planned, number: i64, of_type: &str, dice: &mut Dice) -> String {
    value(
        of_type,
        planned.column_policy(number) != ColumnPolicy::Plain,
        dice,
    )
}
