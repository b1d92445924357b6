//! The SQL of a migration from one version of the audit schema to another. Without
//! dependencies, because `cargo xtask schema` compiles this file too.
//!
//! A version consists of tables, which steps bring from one version to the next, and of
//! code without state (functions, views, types), which each version replaces completely.
//! The capture functions and triggers of the audited tables stay, because the application
//! writes meanwhile.

use std::collections::BTreeSet;

const REFUSE_PROTECTED: &str = include_str!("script/refuse_protected.sql");
const REFUSE_USERS: &str = include_str!("script/refuse_users.sql");
const REPLACE_CODE: &str = include_str!("script/replace_code.sql");
const FINISH_CODE: &str = include_str!("script/finish_code.sql");
const REMOVE: &str = include_str!("script/remove.sql");

/// Locks all tables and drops the objects in `tl_statements`, or nothing.
const TAKE_OVER: &str = include_str!("script/take_over.sql");

/// One version of the audit schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    pub(crate) number: i32,
    /// Its changes of tables and indexes.
    pub(crate) step: Option<Step>,
    pub(crate) code: &'static str,
}

/// Changes of tables and indexes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    #[allow(dead_code, reason = "cargo xtask freeze finds its files by it")]
    pub(crate) name: &'static str,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
    /// Indexes on tables that may be large already.
    pub(crate) concurrently: &'static [Index],
}

/// An index that is built outside a transaction, without blocking writers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index {
    /// The name, in schema threadline.
    pub(crate) name: &'static str,
    /// The text after its name: `ON threadline.ledger_changes (op)`.
    pub(crate) definition: &'static str,
}

impl Index {
    pub(crate) fn create(&self) -> String {
        let Self { name, definition } = self;
        format!("CREATE INDEX IF NOT EXISTS {name} {definition};\n")
    }

    pub(crate) fn create_concurrently(&self) -> String {
        let Self { name, definition } = self;
        format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} {definition};\n")
    }

    pub(crate) fn drop_concurrently(&self) -> String {
        format!(
            "DROP INDEX CONCURRENTLY IF EXISTS threadline.{};\n",
            self.name
        )
    }
}

/// The versions up to a given one, and the migrations between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema<'a>(pub(crate) &'a [Version]);

/// The first line of a schema migration, by which `check` and `generate` recognize it.
const HEADER: &str = "-- The audit schema of Threadline, ";

/// The versions between which a migration leads; 0 means no schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) from: i32,
    pub(crate) to: i32,
}

impl Way {
    /// Parses the first line of a migration.
    pub(crate) fn of_migration(up: &str) -> Option<Self> {
        let words = up.lines().next()?.trim_end().strip_prefix(HEADER)?;
        match words.split(' ').collect::<Vec<_>>()[..] {
            ["version", to] => Some(Self {
                from: 0,
                to: to.parse().ok()?,
            }),
            ["from", "version", from, "to", to] => Some(Self {
                from: from.parse().ok()?,
                to: to.parse().ok()?,
            }),
            _ => None,
        }
    }

    fn header(self) -> String {
        match self {
            Self { from: 0, to } => format!("{HEADER}version {to}\n"),
            Self { from, to } => format!("{HEADER}from version {from} to {to}\n"),
        }
    }
}

impl Schema<'_> {
    pub(crate) fn newest(&self) -> i32 {
        self.0.last().map_or(0, |version| version.number)
    }

    /// Returns the indexes of a migration that are built outside its transaction, oldest
    /// first.
    pub(crate) fn concurrently(&self, way: Way) -> Vec<Index> {
        if way.from == 0 {
            return vec![];
        }
        self.steps(way)
            .flat_map(|(_, step)| step.concurrently)
            .copied()
            .collect()
    }

    /// Returns the `up.sql` of a migration, for a database of the version that it starts
    /// from or a later one. `migration` is its version among the application's migrations,
    /// or `None` when `Models::install` runs it.
    pub(crate) fn up(&self, way: Way, migration: Option<&str>) -> String {
        let Way { from, to } = way;
        let mut steps = String::new();
        for (number, step) in self.steps(way) {
            let mut sql = step.up.to_owned();
            for index in step.concurrently.iter().filter(|_| from == 0) {
                sql.push_str(&index.create());
            }
            steps.push_str(&format!(
                "    IF coalesce(tl_installed, 0) < {number} THEN\n{}    END IF;\n",
                execute(&sql)
            ));
        }
        let missing = if from == 0 {
            String::new()
        } else {
            format!(
                "    IF coalesce(tl_installed, 0) < {from} THEN\n        RAISE EXCEPTION 'threadline: this migration starts from version {from} of the audit schema, and the database has %; run the migration before it first', coalesce('version ' || tl_installed, 'none');\n    END IF;\n"
            )
        };
        let code = execute(self.code(to));
        let installed_by = migration.map_or("NULL".to_owned(), |version| format!("'{version}'"));
        let body = format!(
            "    IF tl_installed >= {to} THEN
        -- Another migration has done this, or Models::install.
        RETURN;
    END IF;
{missing}    IF tl_installed IS NOT NULL THEN
{REFUSE_USERS}{REPLACE_CODE}{TAKE_OVER}    END IF;
{steps}{code}{FINISH_CODE}    INSERT INTO threadline.schema_versions (version, installed_by) VALUES ({to}, {installed_by});
"
        );
        format!("{}{}", way.header(), self.block(to, to, &body))
    }

    /// Returns the `down.sql` of a migration. It reverts what the migration itself did, and
    /// nothing if another migration, or `Models::install`, did it before.
    pub(crate) fn down(&self, way: Way, migration: &str) -> String {
        let Way { from, .. } = way;
        let (comment, which, body) = if from == 0 {
            (
                "-- Takes the recorded history with it. To keep it, dump it first:\n--   pg_dump --schema=threadline ...\n".to_owned(),
                "v.version",
                format!("{REFUSE_PROTECTED}{REFUSE_USERS}{REMOVE}{TAKE_OVER}"),
            )
        } else {
            let mut steps = String::new();
            for (_, step) in self.steps(way).collect::<Vec<_>>().into_iter().rev() {
                for index in step.concurrently {
                    let name = index.name;
                    steps.push_str(&format!("    DROP INDEX IF EXISTS threadline.{name};\n"));
                }
                steps.push_str(&execute(step.down));
            }
            let code = execute(self.code(from));
            (
                format!("-- Back to version {from} of the audit schema.\n"),
                "v.version DESC",
                format!(
                    "{REFUSE_USERS}{REPLACE_CODE}{TAKE_OVER}{steps}{code}{FINISH_CODE}    DELETE FROM threadline.schema_versions WHERE version > {from};\n"
                ),
            )
        };
        let body = format!(
            "    IF tl_installed IS NULL THEN
        RETURN;
    END IF;
    IF (SELECT v.installed_by FROM threadline.schema_versions AS v ORDER BY {which} LIMIT 1) IS DISTINCT FROM '{migration}' THEN
        -- Another migration has installed it, or Models::install.
        RETURN;
    END IF;
{body}"
        );
        format!("{comment}{}", self.block(way.to, from, &body))
    }

    fn steps(&self, Way { from, to }: Way) -> impl Iterator<Item = (i32, Step)> {
        self.0
            .iter()
            .filter(move |version| version.number > from && version.number <= to)
            .filter_map(|version| Some((version.number, version.step?)))
    }

    fn code(&self, number: i32) -> &'static str {
        self.0
            .iter()
            .find(|version| version.number == number)
            .map_or("", |version| version.code)
    }

    /// Returns a migration between versions up to `newest` that leads to `target`.
    fn block(&self, newest: i32, target: i32, body: &str) -> String {
        let [views, types, functions] = self.replaced(newest, target);
        format!(
            "\
-- Written by threadline. Do not edit: `check` compares it with what the library writes.
DO $threadline$
DECLARE
    tl_installed integer;
    tl_views text[] := '{{{views}}}';
    tl_types text[] := '{{{types}}}';
    tl_functions text[] := '{{{functions}}}';
    tl_users text;
    tl_grants jsonb := '[]';
    tl_object record;
    tl_statements text[];
    tl_statement text;
    tl_tables text;
    tl_lock_timeout text;
    tl_until timestamptz;
    tl_moment interval;
    tl_given_back timestamptz;
BEGIN
    -- One at a time, also of several processes that start at once.
    PERFORM pg_catalog.pg_advisory_xact_lock(7236831);
    IF pg_catalog.to_regclass('threadline.schema_versions') IS NOT NULL THEN
        tl_installed := (SELECT max(v.version) FROM threadline.schema_versions AS v);
    END IF;
{body}END
$threadline$;
"
        )
    }

    /// Returns what is dropped before the code of a version is installed over that of
    /// another one: all views and types, and the functions that the version does not have
    /// or declares differently.
    fn replaced(&self, newest: i32, target: i32) -> [String; 3] {
        let wanted: BTreeSet<&str> = declared(self.code(target)).map(|(_, text)| text).collect();
        let mut views = BTreeSet::new();
        let mut types = BTreeSet::new();
        let mut functions = BTreeSet::new();
        for version in self.0.iter().filter(|version| version.number <= newest) {
            for (declaration, text) in declared(version.code) {
                match declaration {
                    Declaration::View(name) => views.insert(name),
                    Declaration::Type(name) => types.insert(name),
                    Declaration::Function(name) if !wanted.contains(text) => functions.insert(name),
                    Declaration::Function(_) => false,
                };
            }
        }
        [views, types, functions].map(|names| names.into_iter().collect::<Vec<_>>().join(","))
    }
}

enum Declaration<'a> {
    View(&'a str),
    Type(&'a str),
    Function(&'a str),
}

/// Returns the objects that a version's code creates, each with the part of its text that
/// must be equal for the function to be replaceable.
fn declared(code: &str) -> impl Iterator<Item = (Declaration<'_>, &str)> {
    code.match_indices("\nCREATE ").filter_map(move |(at, _)| {
        let text = &code[at + 1..];
        let (kind, rest) = text.split_once(" threadline.")?;
        let name = &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_')?];
        match kind {
            "CREATE VIEW" => Some((Declaration::View(name), "")),
            "CREATE TYPE" => Some((Declaration::Type(name), "")),
            "CREATE OR REPLACE FUNCTION" => {
                let end = text.find("LANGUAGE ").unwrap_or(text.len());
                Some((Declaration::Function(name), &text[..end]))
            }
            "CREATE OR REPLACE AGGREGATE" => {
                let end = text.find(";\n").unwrap_or(text.len());
                Some((Declaration::Function(name), &text[..end]))
            }
            _ => None,
        }
    })
}

fn execute(sql: &str) -> String {
    format!("    EXECUTE $threadline_sql$\n{sql}$threadline_sql$;\n")
}
