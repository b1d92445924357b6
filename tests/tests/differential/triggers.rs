//! The application's own triggers on a table.

use std::collections::BTreeMap;

use threadline_tests::Dice;

use super::names::quote;
use super::schema::ColumnPolicy;
use super::table::{Column, Shape};

/// A table that is about to be created.
pub struct Draft<'a> {
    pub label: &'a str,
    pub path: &'a str,
    pub shape: Shape,
    pub columns: &'a [Column],
    pub keys: usize,
    pub column_policies: &'a BTreeMap<i64, ColumnPolicy>,
}

pub struct Fired {
    pub create: String,
    /// One statement can touch a row several times.
    pub restless: bool,
}

pub fn triggers(draft: &Draft<'_>, dice: &mut Dice) -> Fired {
    let &Draft {
        label,
        path,
        shape,
        columns,
        keys,
        column_policies,
    } = draft;
    let mut sql = String::new();
    let mut restless = false;
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
    let trigger = |when: &str, each: &str, does: &str| {
        format!(
            ";\nCREATE TRIGGER {does} {when} ON {path} FOR EACH {each} EXECUTE FUNCTION app.{does}()"
        )
    };
    match dice.roll(9) {
        0 => sql += &trigger("AFTER INSERT OR UPDATE OR DELETE", "ROW", "log"),
        1 => sql += &trigger("AFTER INSERT OR DELETE", "STATEMENT", "log"),
        2 => sql += &trigger("AFTER INSERT OR UPDATE", "ROW", "count_rows"),
        3 => {
            sql += &format!(
                ";\nCREATE CONSTRAINT TRIGGER log AFTER INSERT OR UPDATE ON {path} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.log()"
            )
        }
        4 => sql += &trigger("BEFORE INSERT OR UPDATE OR DELETE", "ROW", "refuse"),
        5 if shape == Shape::Plain || shape == Shape::Child => {
            // Writes to the very row that fired it.
            if let Some((number, column)) = columns.iter().enumerate().skip(keys).find(|(_, c)| {
                c.of_type == "text" && c.source.is_none() && !c.rest.contains("UNIQUE")
            }) {
                let (key, column) = (quote(&columns[0].name), quote(&column.name));
                let more = if column_policies[&(number as i64 + 1)] == ColumnPolicy::Plain {
                    "more"
                } else {
                    "s3cr3t"
                };
                sql += &format!(
                    ";\nCREATE FUNCTION app.{label}_after() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN UPDATE {path} AS self SET {column} = '{more}' || NEW.{column} WHERE self.{key} = NEW.{key} AND length(self.{column}) < 12; RETURN NULL; END $$;
CREATE TRIGGER own AFTER INSERT OR UPDATE ON {path} FOR EACH ROW EXECUTE FUNCTION app.{label}_after()"
                );
                restless = true;
            }
        }
        _ => {}
    }
    Fired {
        create: sql,
        restless,
    }
}
