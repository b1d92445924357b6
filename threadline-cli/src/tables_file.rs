//! Reads `threadline.toml`, the tables of a team without Rust models.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use threadline::{ColumnPolicy, Models, Policy, TableSpec};

use crate::declared::Declared;
use crate::error::Error;
use crate::suggestion::with_suggestion;
use crate::table_name::table_name;

const NAME: &str = "threadline.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The tables by their names, as in SQL.
    #[serde(default)]
    tables: BTreeMap<String, Table>,
    #[serde(default)]
    unaudited: Vec<String>,
}

/// The parameters of `threadline.audit()`, under the same names.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    mask: Vec<String>,
    exclude: Vec<String>,
    hash: Vec<String>,
    plain: Vec<String>,
    require_actor: bool,
    keyless: bool,
    columns: Vec<String>,
    operations: Vec<String>,
    condition: Option<String>,
    ignore: Vec<String>,
    keep: Option<String>,
    personal: Vec<String>,
    subject: BTreeMap<String, String>,
}

impl From<Table> for Policy {
    fn from(table: Table) -> Self {
        let mut policy = Self::default();
        for (columns, of_column) in [
            (table.mask, ColumnPolicy::Mask),
            (table.exclude, ColumnPolicy::Exclude),
            (table.hash, ColumnPolicy::Hash),
            (table.plain, ColumnPolicy::Plain),
        ] {
            let columns = columns.into_iter().map(|column| (column, of_column));
            policy.column_policies.extend(columns);
        }
        policy.require_actor = table.require_actor;
        policy.keyless = table.keyless;
        policy.columns = table.columns;
        policy.operations = table.operations;
        policy.condition = table.condition;
        policy.ignore = table.ignore;
        policy.keep = table.keep;
        policy.personal = table.personal;
        policy.subject = table.subject.into_iter().collect();
        policy
    }
}

/// The argument that names the file.
#[derive(Debug, clap::Args)]
pub(crate) struct TablesFile {
    /// The file with the audited tables and their policies; by default threadline.toml, here or above
    #[arg(
        long = "tables",
        env = "THREADLINE_TABLES",
        value_name = "FILE",
        global = true
    )]
    path: Option<PathBuf>,
}

impl TablesFile {
    /// Reads the file. Returns an error if it does not exist.
    pub(crate) fn read(&self) -> Result<Declared, Error> {
        self.read_if_there()?.ok_or_else(|| {
            Error::Message(format!(
                "there is no {NAME} here or above; write one, or name it with --tables:\n\n[tables.members]\nmask = [\"email\"]"
            ))
        })
    }

    /// Reads the file. Returns `None` if no file is named and none exists.
    pub(crate) fn read_if_there(&self) -> Result<Option<Declared>, Error> {
        if let Some(path) = &self.path {
            return read(path).map(Some);
        }
        let here = env::current_dir().map_err(|error| Error::io(Path::new("."), error))?;
        let found = here
            .ancestors()
            .map(|dir| dir.join(NAME))
            .find(|path| path.is_file());
        found.map(|path| read(&path)).transpose()
    }
}

fn read(path: &Path) -> Result<Declared, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    parse(&text, &name.to_string_lossy())
}

fn parse(text: &str, file: &str) -> Result<Declared, Error> {
    let File { tables, unaudited } = toml::from_str(text)
        .map_err(|error| Error::Message(format!("{file}: {}", with_suggestion(&error))))?;
    let names = tables.iter().flat_map(|(name, table)| {
        let entry = (format!("[tables.{}]", as_key(name)), name);
        let subjects = table.subject.iter().map(move |(column, named)| {
            let entry = format!("[tables.{}], subject, {column}", as_key(name));
            (entry, named)
        });
        std::iter::once(entry).chain(subjects)
    });
    let unaudited_names = unaudited.iter().map(|name| {
        let entry = format!("unaudited, {}", as_text(name));
        (entry, name)
    });
    let wrong: Vec<_> = names
        .chain(unaudited_names)
        .filter_map(|(entry, name)| {
            let mistake = table_name(name).err()?;
            Some(format!("{file}: {entry}: {mistake}"))
        })
        .collect();
    if !wrong.is_empty() {
        return Err(Error::Message(wrong.join("\n")));
    }
    let specs = tables
        .into_iter()
        .map(|(table, policy)| TableSpec::without_model(table, policy.into(), file));
    Ok(Declared {
        models: Models::new(specs.collect()),
        unaudited,
    })
}

/// Returns a name as a key of the file.
fn as_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => as_text(name),
    }
}

fn as_text(text: &str) -> String {
    match text.contains('\'') {
        true => format!("{text:?}"),
        false => format!("'{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text, NAME).unwrap_err().to_string()
    }

    #[test]
    fn a_table_takes_what_the_function_takes() {
        let declared = parse(
            r#"
            unaudited = ["schema_migrations"]

            [tables.members]
            mask = ["email"]
            exclude = ["password_hash"]
            hash = ["ssn"]
            plain = ["pin_code"]
            ignore = ["score"]
            keep = "7 years"
            personal = ["email"]
            require_actor = true

            [tables."app.Payments"]
            columns = ["status", "amount"]
            operations = ["update", "delete"]
            condition = "OLD.status IS DISTINCT FROM NEW.status"
            subject = { member_id = "members" }
            keyless = true
            "#,
            NAME,
        )
        .unwrap();
        assert_eq!(declared.unaudited, ["schema_migrations"]);
        let calls: Vec<_> = declared
            .models
            .specs()
            .iter()
            .map(TableSpec::audit_call)
            .collect();
        assert_eq!(
            calls,
            [
                "SELECT threadline.audit(\n    'app.Payments',\n    keyless => true,\n    columns => ARRAY['status', 'amount'],\n    operations => ARRAY['update', 'delete'],\n    condition => 'OLD.status IS DISTINCT FROM NEW.status',\n    subject => '{\"member_id\":\"members\"}'\n);",
                "SELECT threadline.audit(\n    'members',\n    mask => ARRAY['email'],\n    exclude => ARRAY['password_hash'],\n    hash => ARRAY['ssn'],\n    plain => ARRAY['pin_code'],\n    require_actor => true,\n    ignore => ARRAY['score'],\n    keep => '7 years',\n    personal => ARRAY['email']\n);",
            ]
        );
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_what_is_allowed() {
        let unknown = error("[tables.members]\nmaks = [\"email\"]\n");
        assert!(
            unknown.starts_with("threadline.toml: TOML parse error at line 2, column 1"),
            "{unknown}"
        );
        assert!(unknown.contains("2 | maks = [\"email\"]"), "{unknown}");
        assert!(
            unknown.contains("unknown field `maks`, expected one of `mask`, `exclude`"),
            "{unknown}"
        );
        assert!(unknown.ends_with("did you mean `mask`?"), "{unknown}");
    }

    #[test]
    fn the_words_of_the_derive_are_led_to_those_of_the_function() {
        for (word, meant) in [("when = 'true'", "condition"), ("only = ['a']", "columns")] {
            let unknown = error(&format!("[tables.members]\n{word}\n"));
            assert!(
                unknown.ends_with(&format!("did you mean `{meant}`?")),
                "{unknown}"
            );
        }
        let unknown = error("[table.members]\nmask = []\n");
        assert!(unknown.ends_with("did you mean `tables`?"), "{unknown}");
        let far = error("[tables.members]\ncolour = 'red'\n");
        assert!(!far.contains("did you mean"), "{far}");
    }

    #[test]
    fn a_name_that_is_not_one_is_named_with_its_place() {
        let text = error(
            "unaudited = ['logs', 'old logs']\n[tables.members]\n[tables.'app.\"Order']\nsubject = { member_id = 'app.' }\n",
        );
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(
            lines[0],
            "threadline.toml: [tables.'app.\"Order']: a double quote is not closed"
        );
        assert_eq!(
            lines[1],
            "threadline.toml: [tables.'app.\"Order'], subject, member_id: a part of the name is empty"
        );
        assert!(
            lines[2]
                .starts_with("threadline.toml: unaudited, 'old logs': a table is named as in SQL"),
            "{text}"
        );
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let text = error("[tables.members]\nmask = \"email\"\n");
        assert!(text.contains("line 2, column 8"), "{text}");
        assert!(text.contains("expected a sequence"), "{text}");
    }
}
