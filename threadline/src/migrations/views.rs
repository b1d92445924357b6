//! Views that the application's migrations create. A model can read a view like a table,
//! but a view cannot be audited.

use std::collections::BTreeMap;

use super::folder::Migration;
use crate::sql::name_parts;

/// A view that exists after all migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// `view` or `materialized view`.
    pub(super) kind: &'static str,
    /// The migration that creates it.
    pub(super) migration: String,
}

/// The views, by the parts of their names.
#[derive(Debug, Default)]
pub(super) struct Views(BTreeMap<Vec<String>, View>);

impl Views {
    pub(super) fn of(migrations: &[Migration]) -> Self {
        let mut views = Self::default();
        for migration in migrations {
            let statements = without_comments(&migration.up);
            let mut rest = statements.as_str();
            while let Some((word, after)) = next_word(rest) {
                rest = after;
                if word.eq_ignore_ascii_case("create") {
                    views.created(after, &migration.name);
                } else if word.eq_ignore_ascii_case("drop") {
                    let (_, after) = skip(after, &["materialized"]);
                    if let (true, after) = skip(after, &["view"]) {
                        let (_, after) = skip(after, &["if", "exists"]);
                        views.0.remove(&name_parts(name(after)));
                    }
                }
            }
        }
        views
    }

    fn created(&mut self, text: &str, migration: &str) {
        let (_, text) = skip(text, &["or", "replace", "temp", "temporary", "recursive"]);
        let (materialized, text) = skip(text, &["materialized"]);
        let (is_view, text) = skip(text, &["view"]);
        if is_view {
            let (_, text) = skip(text, &["if", "not", "exists"]);
            let view = View {
                kind: if materialized {
                    "materialized view"
                } else {
                    "view"
                },
                migration: migration.to_owned(),
            };
            self.0.insert(name_parts(name(text)), view);
        } else if let (true, text) = skip(text, &["table"]) {
            let (_, text) = skip(text, &["if", "not", "exists"]);
            self.0.remove(&name_parts(name(text)));
        }
    }

    /// Returns the view of this name, with or without the default schema.
    pub(super) fn get(&self, table: &[String]) -> Option<&View> {
        let other = match table {
            [name] => vec!["public".to_owned(), name.clone()],
            [schema, name] if schema == "public" => vec![name.clone()],
            _ => return self.0.get(table),
        };
        self.0.get(table).or_else(|| self.0.get(&other))
    }
}

fn without_comments(sql: &str) -> String {
    let code = |line: &str| line.split("--").next().unwrap_or_default().to_owned();
    sql.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// Splits the text at the next space.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if text.is_empty() {
        return None;
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Some(text.split_at(end))
}

/// Skips any of these words. Returns whether there were some, and the rest.
fn skip<'t>(text: &'t str, words: &[&str]) -> (bool, &'t str) {
    let mut rest = text;
    let mut some = false;
    while let Some((word, after)) = next_word(rest) {
        if !words.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            break;
        }
        rest = after;
        some = true;
    }
    (some, rest)
}

/// Returns the name at the beginning of the text.
fn name(text: &str) -> &str {
    let text = text.trim_start();
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        !quoted && (c.is_whitespace() || c == '(' || c == ';' || c == ',')
    });
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(sql: &str) -> Views {
        Views::of(&[Migration {
            version: "1".into(),
            name: "1_test".into(),
            up: sql.into(),
            down: String::new(),
        }])
    }

    #[test]
    fn views_are_known_however_they_are_written() {
        let views = views(
            "-- CREATE VIEW commented AS SELECT 1;
             CREATE TABLE members (id int);
             create or replace view Totals as select 1;
             CREATE MATERIALIZED VIEW IF NOT EXISTS app.\"By Day\" (a) AS SELECT 1;
             CREATE VIEW public.shown(a) AS SELECT 1;
             CREATE VIEW gone AS SELECT 1; DROP VIEW IF EXISTS gone;
             CREATE VIEW became_a_table AS SELECT 1;
             CREATE TABLE became_a_table (id int);",
        );
        let kind = |name: &str| views.get(&name_parts(name)).map(|view| view.kind);
        assert_eq!(kind("totals"), Some("view"));
        assert_eq!(kind("public.totals"), Some("view"));
        assert_eq!(kind("app.\"By Day\""), Some("materialized view"));
        assert_eq!(kind("shown"), Some("view"));
        for other in [
            "commented",
            "members",
            "gone",
            "became_a_table",
            "app.totals",
        ] {
            assert_eq!(kind(other), None, "{other}");
        }
    }
}
