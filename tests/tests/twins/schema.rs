//! A random schema: tables of every shape, and what is to be recorded of them.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::values::{KEY_TYPES, TYPES, value};

/// How a column is to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    Clear,
    Mask,
    Exclude,
}

/// A table and its policy. Columns are known by number, which no rename changes.
#[derive(Debug)]
pub struct Planned {
    pub label: String,
    pub create: String,
    /// What is said to `threadline.audit()`.
    pub audit: String,
    pub treatments: BTreeMap<i64, Treatment>,
    /// Whatever column comes later is left out for good.
    pub only: bool,
    /// One statement can touch a row several times.
    pub restless: bool,
    pub partitioned: bool,
}

impl Planned {
    pub fn treatment(&self, number: i64) -> Treatment {
        let later = if self.only {
            Treatment::Exclude
        } else {
            Treatment::Clear
        };
        self.treatments.get(&number).copied().unwrap_or(later)
    }

    pub fn redacts(&self) -> bool {
        self.only || self.treatments.values().any(|t| *t != Treatment::Clear)
    }
}

/// Names that are keywords, that capture itself uses, or that are cut at 63 bytes.
const COLUMN_NAMES: [&str; 34] = [
    "n",
    "new",
    "old",
    "op",
    "tl_row",
    "tl_old",
    "tl_new",
    "tl_before",
    "tl_after",
    "tl_key",
    "tl_place",
    "tl_position",
    "tl_image",
    "tl_rows",
    "record_key",
    "previous_key",
    "changed_from",
    "row_data",
    "pair",
    "statement",
    "transaction_id",
    "id",
    "t",
    "c",
    "Order",
    "select",
    "with \"quotes\"",
    "it's",
    "back\\slash",
    "naïve Ünïcode",
    "%s %I",
    "a name that is as long as PostgreSQL lets a name be, aaaaaaaaaa",
    "now",
    "captured_at",
];

const TABLE_NAMES: [&str; 12] = [
    "things",
    "tl_new",
    "tl_old",
    "Order",
    "a \"table\"",
    "it's",
    "%s",
    "a table whose name is as long as PostgreSQL lets names be, aaa1",
    "a table whose name is as long as PostgreSQL lets names be, aaa2",
    "audit_changes",
    "new",
    "c",
];

pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// What every schema has beside its tables.
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

pub fn other_schema() -> String {
    quote("Other \"schema")
}

pub fn random_name(dice: &mut Dice, taken: &[String]) -> String {
    loop {
        let name = *dice.pick(&COLUMN_NAMES);
        if !taken.iter().any(|t| t == name) {
            return name.to_owned();
        }
    }
}

pub fn random_table_name(dice: &mut Dice) -> String {
    (*dice.pick(&TABLE_NAMES)).to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Child,
    Composite,
    Keyless,
    ByRange,
    ByHash,
    Heir,
}

struct Column {
    name: String,
    of_type: String,
    rest: String,
    source: Option<usize>,
}

/// A table to which others refer.
#[derive(Clone)]
struct Target {
    path: String,
    key: String,
    key_type: String,
    label: String,
}

pub fn random(dice: &mut Dice) -> Vec<Planned> {
    let mut planned = vec![log(dice)];
    let mut names: Vec<String> = vec![];
    let mut parent: Option<Target> = None;
    let mut shapes = vec![Shape::Plain, Shape::Child, Shape::Composite];
    shapes.push(*dice.pick(&[Shape::ByRange, Shape::ByHash, Shape::Child]));
    shapes.push(*dice.pick(&[Shape::Keyless, Shape::Heir, Shape::Plain]));
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
        if shape == Shape::Heir {
            let parent = planned.last().expect("just pushed");
            planned.push(heir(parent, &path));
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
        treatments: masked.then_some((3, Treatment::Mask)).into_iter().collect(),
        only: false,
        restless: true,
        partitioned: false,
    }
}

fn table(
    label: &str,
    path: &str,
    shape: Shape,
    parent: Option<&Target>,
    dice: &mut Dice,
) -> (Planned, Option<Target>) {
    let mut taken = vec![];
    let mut name = |dice: &mut Dice| {
        let name = random_name(dice, &taken);
        taken.push(name.clone());
        name
    };
    let mut columns = vec![];
    let keys = match shape {
        Shape::Keyless => 0,
        Shape::Composite => 2,
        _ => 1,
    };
    for _ in 0..keys {
        let of_type = match shape {
            Shape::ByRange | Shape::ByHash | Shape::Heir => "integer",
            _ => *dice.pick(&KEY_TYPES),
        };
        columns.push(Column {
            name: name(dice),
            of_type: of_type.to_owned(),
            rest: if of_type == "integer" && shape == Shape::Plain && dice.one_in(3) {
                " GENERATED BY DEFAULT AS IDENTITY (START 100)".to_owned()
            } else {
                String::new()
            },
            source: None,
        });
    }
    let mut restless = false;
    let mut refers_to = None;
    if let (Shape::Child | Shape::Composite | Shape::ByHash, Some(parent)) = (shape, parent) {
        let on_delete = *dice.pick(&[
            " ON DELETE CASCADE ON UPDATE CASCADE",
            " ON DELETE CASCADE",
            " ON DELETE SET NULL ON UPDATE CASCADE",
            " DEFERRABLE INITIALLY DEFERRED",
            "",
        ]);
        columns.push(Column {
            name: name(dice),
            of_type: parent.key_type.clone(),
            rest: format!(
                " REFERENCES {} ({}){on_delete}",
                parent.path,
                quote(&parent.key)
            ),
            source: None,
        });
        refers_to = Some(parent.label.clone());
        restless = true;
    }
    for _ in 0..2 + dice.roll(5) {
        let of_type = (*dice.pick(&TYPES)).to_owned();
        let mut rest = String::new();
        match dice.roll(12) {
            0 => rest += " UNIQUE",
            1 if of_type == "text" => rest += " DEFAULT 's3cr3t by default'",
            2 if of_type == "integer" => rest += " NOT NULL DEFAULT 7",
            _ => {}
        }
        if rest.contains("UNIQUE")
            && (["json", "app.place"].contains(&of_type.as_str())
                || matches!(shape, Shape::ByRange | Shape::ByHash))
        {
            rest.clear();
        }
        columns.push(Column {
            name: name(dice),
            of_type,
            rest,
            source: None,
        });
    }
    let source = columns.iter().rposition(|c| c.of_type == "text");
    if let (Some(source), true) = (source, dice.one_in(2)) {
        let rest = format!(
            " GENERATED ALWAYS AS (lower({})) STORED",
            quote(&columns[source].name)
        );
        if source >= keys {
            columns.push(Column {
                name: name(dice),
                of_type: "text".to_owned(),
                rest,
                source: Some(source),
            });
        }
    }
    let (audit, treatments, only) = policy(&columns, keys, dice);
    // What is clear has no secret by default.
    for (number, column) in columns.iter_mut().enumerate() {
        if treatments[&(number as i64 + 1)] == Treatment::Clear {
            column.rest = column.rest.replace("s3cr3t ", "");
        }
    }
    let mut parts: Vec<String> = columns
        .iter()
        .map(|c| format!("{} {}{}", quote(&c.name), c.of_type, c.rest))
        .collect();
    if keys > 0 {
        let key: Vec<_> = columns[..keys].iter().map(|c| quote(&c.name)).collect();
        let deferrable = if matches!(shape, Shape::Composite) && dice.one_in(2) {
            " DEFERRABLE"
        } else {
            ""
        };
        parts.push(format!("PRIMARY KEY ({}){deferrable}", key.join(", ")));
    }
    if let Some(number) = columns
        .iter()
        .position(|c| c.of_type == "integer" && c.source.is_none())
    {
        if dice.one_in(3) {
            parts.push(format!(
                "CHECK ({} < 95 OR {0} > 7773199)",
                quote(&columns[number].name)
            ));
        }
    }
    let unlogged = if dice.one_in(6)
        && refers_to.is_none()
        && shape != Shape::Plain
        && !matches!(shape, Shape::ByRange | Shape::ByHash)
    {
        "UNLOGGED "
    } else {
        ""
    };
    let mut create = format!(
        "CREATE {unlogged}TABLE {path} (\n    {})",
        parts.join(",\n    ")
    );
    let partitioned = matches!(shape, Shape::ByRange | Shape::ByHash);
    match shape {
        Shape::ByRange => {
            create += &format!(" PARTITION BY RANGE ({})", quote(&columns[0].name));
            for part in 0..2 {
                create += &format!(";\n{}", partition(label, path, part));
            }
        }
        Shape::ByHash => {
            create += &format!(" PARTITION BY HASH ({})", quote(&columns[0].name));
            for part in 0..3 {
                create += &format!(
                    ";\nCREATE TABLE parts.{label}_h{part} PARTITION OF {path} FOR VALUES WITH (MODULUS 3, REMAINDER {part})"
                );
            }
        }
        _ => {}
    }
    create += &triggers(
        label,
        path,
        shape,
        &columns,
        keys,
        &treatments,
        dice,
        &mut restless,
    );
    let audit = if keys == 0 {
        format!("{audit}, keyless => true")
    } else {
        audit
    };
    let target = (keys == 1).then(|| Target {
        path: path.to_owned(),
        key: columns[0].name.clone(),
        key_type: columns[0].of_type.clone(),
        label: label.to_owned(),
    });
    let planned = Planned {
        label: label.to_owned(),
        create,
        audit,
        treatments,
        only,
        restless,
        partitioned,
    };
    (planned, target)
}

/// A partition of those by range: rows 5 * `part` to 5 * `part` + 4.
pub fn partition(label: &str, path: &str, part: usize) -> String {
    format!(
        "CREATE TABLE parts.{label}_r{part} PARTITION OF {path} FOR VALUES FROM ({}) TO ({})",
        part * 5,
        part * 5 + 5
    )
}

fn heir(of: &Planned, path: &str) -> Planned {
    let own = of.treatments.len() as i64 + 1;
    let mut treatments = of.treatments.clone();
    let pay = if of.only {
        Treatment::Exclude
    } else {
        Treatment::Clear
    };
    treatments.insert(own, pay);
    let label = format!("{}heir", of.label);
    let key = of
        .create
        .split("PRIMARY KEY ")
        .nth(1)
        .and_then(|rest| rest.split(')').next())
        .expect("heirs have keys");
    Planned {
        create: format!("CREATE TABLE app.heir (pay int, PRIMARY KEY {key})) INHERITS ({path})"),
        label,
        audit: of.audit.clone(),
        treatments,
        only: of.only,
        restless: of.restless,
        partitioned: false,
    }
}

/// A policy over columns of which the first `keys` are the key's.
fn policy(
    columns: &[Column],
    keys: usize,
    dice: &mut Dice,
) -> (String, BTreeMap<i64, Treatment>, bool) {
    let mut chosen = vec![Treatment::Clear; columns.len()];
    let only = dice.one_in(6);
    let redacts = only || dice.roll(3) > 0;
    for number in keys..columns.len() {
        let column = &columns[number];
        if column.rest.contains("REFERENCES") || !redacts {
            chosen[number] = if only && dice.one_in(2) {
                Treatment::Exclude
            } else {
                Treatment::Clear
            };
        } else if only {
            chosen[number] = *dice.pick(&[Treatment::Clear, Treatment::Exclude]);
        } else {
            chosen[number] = *dice.pick(&[
                Treatment::Clear,
                Treatment::Clear,
                Treatment::Mask,
                Treatment::Exclude,
            ]);
        }
        if let Some(source) = column.source {
            chosen[number] = if only && chosen[source] == Treatment::Clear {
                Treatment::Clear
            } else {
                chosen[source]
            };
        }
    }
    let only = only && chosen[keys..].contains(&Treatment::Clear);
    if !redacts || (!only && chosen[keys..].iter().all(|t| *t == Treatment::Exclude)) {
        chosen.fill(Treatment::Clear);
    }
    let of = |treatment| {
        let names: Vec<_> = (keys..columns.len())
            .filter(|n| {
                chosen[*n] == treatment
                    && (treatment == Treatment::Clear || columns[*n].source.is_none())
            })
            .map(|n| literal(&columns[n].name))
            .collect();
        format!("ARRAY[{}]::text[]", names.join(", "))
    };
    let audit = if only {
        format!(", columns => {}", of(Treatment::Clear))
    } else if chosen.iter().any(|t| *t != Treatment::Clear) {
        format!(
            ", mask => {}, exclude => {}",
            of(Treatment::Mask),
            of(Treatment::Exclude)
        )
    } else {
        String::new()
    };
    let treatments = chosen
        .into_iter()
        .enumerate()
        .map(|(n, t)| (n as i64 + 1, t))
        .collect();
    (audit, treatments, only)
}

#[expect(clippy::too_many_arguments, reason = "all of what a table is made of")]
fn triggers(
    label: &str,
    path: &str,
    shape: Shape,
    columns: &[Column],
    keys: usize,
    treatments: &BTreeMap<i64, Treatment>,
    dice: &mut Dice,
    restless: &mut bool,
) -> String {
    let mut sql = String::new();
    let text = columns.iter().enumerate().find(|(number, c)| {
        *number >= keys && c.of_type == "text" && c.source.is_none() && c.rest.is_empty()
    });
    if let (Some((_, text)), true) = (text, dice.one_in(3)) {
        let column = quote(&text.name);
        sql += &format!(
            ";\nCREATE FUNCTION app.{label}_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.{column} := NEW.{column} || '!'; RETURN NEW; END $$;
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE ON {path} FOR EACH ROW EXECUTE FUNCTION app.{label}_before()"
        );
    }
    match dice.roll(9) {
        0 => {
            sql += &format!(
                ";\nCREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON {path} FOR EACH ROW EXECUTE FUNCTION app.log()"
            )
        }
        1 => {
            sql += &format!(
                ";\nCREATE TRIGGER log AFTER INSERT OR DELETE ON {path} FOR EACH STATEMENT EXECUTE FUNCTION app.log()"
            )
        }
        2 => {
            sql += &format!(
                ";\nCREATE TRIGGER count_rows AFTER INSERT OR UPDATE ON {path} FOR EACH ROW EXECUTE FUNCTION app.count_rows()"
            )
        }
        3 => {
            sql += &format!(
                ";\nCREATE CONSTRAINT TRIGGER log AFTER INSERT OR UPDATE ON {path} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.log()"
            )
        }
        4 => {
            sql += &format!(
                ";\nCREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON {path} FOR EACH ROW EXECUTE FUNCTION app.refuse()"
            )
        }
        5 if shape == Shape::Plain || shape == Shape::Child => {
            // Writes to the very row that fired it.
            if let Some((number, column)) = columns.iter().enumerate().skip(keys).find(|(_, c)| {
                c.of_type == "text" && c.source.is_none() && !c.rest.contains("UNIQUE")
            }) {
                let (key, column) = (quote(&columns[0].name), quote(&column.name));
                let more = if treatments[&(number as i64 + 1)] == Treatment::Clear {
                    "more"
                } else {
                    "s3cr3t"
                };
                sql += &format!(
                    ";\nCREATE FUNCTION app.{label}_after() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN UPDATE {path} AS self SET {column} = '{more}' || NEW.{column} WHERE self.{key} = NEW.{key} AND length(self.{column}) < 12; RETURN NULL; END $$;
CREATE TRIGGER own AFTER INSERT OR UPDATE ON {path} FOR EACH ROW EXECUTE FUNCTION app.{label}_after()"
                );
                *restless = true;
            }
        }
        _ => {}
    }
    sql
}

/// The value of a column of a table, secret if the column is.
pub fn column_value(planned: &Planned, number: i64, of_type: &str, dice: &mut Dice) -> String {
    value(of_type, planned.treatment(number) != Treatment::Clear, dice)
}
