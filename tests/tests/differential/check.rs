//! What was recorded of a statement against what the test saw of it.

use std::collections::BTreeMap;

use super::observer::{Change, Image, Recorded, Row, Table};
use super::schema::{ColumnPolicy, Planned};

/// How an image shows a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Plain,
    Mask,
    Hash,
    Not,
    /// Renamed or added where something is redacted: in doubt it is left out,
    /// until the capture is built anew.
    InDoubt,
}

const MASK: &str = "mask";
const PLACEHOLDERS: [&str; 5] = ["\"***\"", "0", "false", "[]", "{}"];

/// Types of which two values can differ that look alike as JSON.
const LOOK_ALIKE: [&str; 3] = ["json", "double precision", "app.place"];

/// How a table is shown in images, by its columns as they are now.
pub struct View<'a> {
    planned: &'a Planned,
    shown: BTreeMap<&'a str, (Shown, &'a str)>,
}

impl<'a> View<'a> {
    pub fn new(planned: &'a Planned, table: &'a Table, built: &[(i64, String)]) -> Self {
        let shown = table.columns.iter().map(|column| {
            let number = |n: &i64| planned.column_policy(*n);
            let by_number = built
                .iter()
                .find(|(n, _)| *n == column.number)
                .map(|(n, _)| number(n));
            let by_name = built
                .iter()
                .find(|(_, name)| *name == column.name)
                .map(|(n, _)| number(n));
            let shown = match (by_number, by_name) {
                _ if !planned.redacts() => Shown::Plain,
                (Some(one), Some(other)) if one != other => Shown::InDoubt,
                (Some(ColumnPolicy::Plain), _) => Shown::Plain,
                (Some(ColumnPolicy::Mask), _) => Shown::Mask,
                (Some(ColumnPolicy::Hash), _) => Shown::Hash,
                (Some(ColumnPolicy::Exclude), _) => Shown::Not,
                (None, _) if planned.only => Shown::Not,
                (None, _) => Shown::InDoubt,
            };
            (column.name.as_str(), (shown, column.of_type.as_str()))
        });
        Self {
            planned,
            shown: shown.collect(),
        }
    }

    /// A row as an image has to show it.
    fn of_row(&self, values: &Image) -> Image {
        let shown = |(name, value): (&String, &String)| {
            let value = match self.shown[name.as_str()].0 {
                Shown::Plain => value.clone(),
                Shown::Mask | Shown::Hash if value == "null" => value.clone(),
                Shown::Mask | Shown::Hash => MASK.to_owned(),
                Shown::Not | Shown::InDoubt => return None,
            };
            Some((name.clone(), value))
        };
        values.iter().filter_map(shown).collect()
    }

    /// A recorded image, without the columns that are in doubt.
    fn of_image(&self, image: &Image) -> Result<Image, String> {
        let mut shown = Image::new();
        for (name, value) in image {
            let (how, _) = self
                .shown
                .get(name.as_str())
                .ok_or_else(|| format!("there is no column {name}"))?;
            match how {
                Shown::Plain => shown.insert(name.clone(), value.clone()),
                Shown::Mask | Shown::Hash if value == "null" => {
                    shown.insert(name.clone(), value.clone())
                }
                Shown::Hash if is_hash(value) => shown.insert(name.clone(), MASK.to_owned()),
                Shown::Hash => {
                    return Err(format!("column {name}, a hash, is recorded as {value}"));
                }
                Shown::Mask if PLACEHOLDERS.contains(&value.as_str()) => {
                    shown.insert(name.clone(), MASK.to_owned())
                }
                Shown::Mask => return Err(format!("masked column {name} is recorded as {value}")),
                Shown::Not => return Err(format!("excluded column {name} is recorded as {value}")),
                Shown::InDoubt => None,
            };
        }
        Ok(shown)
    }

    /// Columns in which two rows differ, as far as images show it.
    fn differ(&self, before: &Image, after: &Image) -> Vec<String> {
        let differs = |name: &str| {
            matches!(self.shown[name].0, Shown::Plain | Shown::Mask | Shown::Hash)
                && before.get(name) != after.get(name)
        };
        self.shown
            .keys()
            .filter(|name| differs(name))
            .map(|name| (*name).to_owned())
            .collect()
    }

    fn looks_alike(&self, name: &str) -> bool {
        let (_, of_type) = self.shown[name];
        LOOK_ALIKE.contains(&of_type) || self.shown[name].0 == Shown::InDoubt
    }
}

fn is_hash(value: &str) -> bool {
    value
        .strip_prefix("\"hash:")
        .and_then(|rest| rest.strip_suffix('"'))
        .is_some_and(|hash| hash.len() == 32 && hash.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Rows as far as images show them.
fn shadow(view: &View<'_>, rows: &[Row]) -> Vec<(Option<String>, Image)> {
    rows.iter()
        .map(|row| (row.key.clone(), view.of_row(&row.values)))
        .collect()
}

/// The rows before with the changes laid over them are the rows after, each
/// change follows from the one before, and none is there that changes nothing.
pub fn rebuild(
    view: &View<'_>,
    before: &Table,
    after: &Table,
    changes: &[&Change],
) -> Result<(), String> {
    let mut rows = shadow(view, &before.rows);
    for change in together(changes) {
        let mut arrived = vec![];
        for change in change {
            let what = || format!("{change:?}");
            let (from, to, row) = (
                view.of_image(&change.from)?,
                view.of_image(&change.to)?,
                view.of_image(&change.row)?,
            );
            match change.op.as_str() {
                "I" => arrived.push((change.key.clone(), row)),
                "D" | "T" => {
                    take(&mut rows, change.key.as_ref(), &row)
                        .map_err(|e| format!("{e}: {}", what()))?;
                }
                _ => {
                    let former = change.previous.as_ref().or(change.key.as_ref());
                    let expected = if change.row.is_empty() { &from } else { &row };
                    let found = take(&mut rows, former, expected)
                        .map_err(|e| format!("{e}: {}", what()))?;
                    let mut now = found.clone();
                    now.extend(to.clone());
                    for (name, value) in &from {
                        if found.get(name) != Some(value) {
                            return Err(format!("{name} was {:?}: {}", found.get(name), what()));
                        }
                        if now.get(name) == Some(value) && value != MASK && !view.looks_alike(name)
                        {
                            return Err(format!("{name} has not changed: {}", what()));
                        }
                    }
                    if change.from.is_empty() && change.previous.is_none() {
                        return Err(format!("nothing has changed: {}", what()));
                    }
                    arrived.push((change.key.clone(), now));
                }
            }
        }
        for (key, row) in arrived {
            if key.is_some() && rows.iter().any(|(other, _)| *other == key) {
                return Err(format!("a row {key:?} came where one is"));
            }
            rows.push((key, row));
        }
    }
    let mut expected = shadow(view, &after.rows);
    rows.sort();
    expected.sort();
    if rows == expected {
        Ok(())
    } else {
        let only = |these: &[(Option<String>, Image)], those: &[(Option<String>, Image)]| {
            these
                .iter()
                .filter(|row| !those.contains(row))
                .map(|row| format!("\n    {row:?}"))
                .collect::<String>()
        };
        Err(format!(
            "recorded changes lead to{}\n  but the table has{}",
            only(&rows, &expected),
            only(&expected, &rows)
        ))
    }
}

/// Changes one by one, and those that changed keys in one statement at once.
fn together<'a>(changes: &[&'a Change]) -> Vec<Vec<&'a Change>> {
    let mut groups: Vec<Vec<&Change>> = vec![];
    for change in changes {
        match groups.last_mut() {
            Some(group) if change.statement.is_some() && group[0].statement == change.statement => {
                group.push(change)
            }
            _ => groups.push(vec![change]),
        }
    }
    groups
}

fn take(
    rows: &mut Vec<(Option<String>, Image)>,
    key: Option<&String>,
    expected: &Image,
) -> Result<Image, String> {
    let found = rows.iter().position(|(other, row)| {
        other.as_ref() == key
            && expected
                .iter()
                .all(|(name, value)| row.get(name) == Some(value))
    });
    match found {
        Some(position) => Ok(rows.swap_remove(position).1),
        None => Err(format!("there was no such row among {rows:?}")),
    }
}

/// Where a statement touches each row once at most: one change for each row that
/// differs, with the columns that differ.
pub fn exactly(
    view: &View<'_>,
    before: &Table,
    after: &Table,
    changes: &[&Change],
) -> Result<(), String> {
    if view.planned.restless || view.planned.partitioned || before.key.is_empty() {
        return Ok(());
    }
    let of = |table: &Table, key: &String| {
        table
            .rows
            .iter()
            .find(|row| row.key.as_ref() == Some(key))
            .cloned()
    };
    let mut seen: Vec<&String> = vec![];
    for change in changes {
        let Some(key) = &change.key else { continue };
        if seen.contains(&key) {
            return Err(format!(
                "two changes of row {key}, of which the second is {change:?}"
            ));
        }
        seen.push(key);
        let former = change.previous.as_ref().unwrap_or(key);
        if let ("U", Some(before), Some(after)) =
            (change.op.as_str(), of(before, former), of(after, key))
        {
            for name in view.differ(&before.values, &after.values) {
                if !change.to.contains_key(&name) || !change.from.contains_key(&name) {
                    return Err(format!("{name} has changed: {change:?}"));
                }
            }
            for name in change.to.keys().chain(change.from.keys()) {
                if before.values.get(name) == after.values.get(name) && !view.looks_alike(name) {
                    return Err(format!("{name} has not changed: {change:?}"));
                }
            }
        }
    }
    Ok(())
}

/// Each change belongs to a transaction, which has the actor that the context
/// named when the statement began.
pub fn attributed(before: &Recorded, after: &Recorded) -> Result<(), String> {
    let context: serde_json::Value = serde_json::from_str(&before.context).unwrap_or_default();
    let actor = context["actor"]["id"].as_str();
    for change in &after.changes {
        if !change.owned {
            return Err(format!("of no transaction: {change:?}"));
        }
        if change.actor.as_deref() != actor {
            return Err(format!(
                "{actor:?} is blamed on {:?}: {change:?}",
                change.actor
            ));
        }
    }
    Ok(())
}
