//! Two databases of one server, one of which is audited.

use diesel::prelude::*;
use diesel::result::Error;
use threadline::{Finding, FindingCode, Models, Protection};
use threadline_tests::{Database, Dice, Server, connect, rows, run};

use super::names::{literal, other_schema};
use super::schema::{COMMON, Planned};
use super::values::MARKERS;

/// The result of a statement: the number of rows, or PostgreSQL's error.
pub type Outcome = Result<usize, String>;

pub struct Pair {
    audited_database: Database,
    plain_database: Database,
    pub audited: PgConnection,
    pub plain: PgConnection,
    /// Posts now and then, while the others write.
    pub poster: PgConnection,
    /// Every statement for the audited database, for psql.
    pub script: String,
    roles: Vec<String>,
}

impl Pair {
    /// Creates both with the same tables; sometimes of a role without any right on the
    /// audit.
    pub fn new(planned: &[Planned], dice: &mut Dice) -> Self {
        let audited_database = Database::new();
        let plain_database = Database::empty();
        let role = |name: &str| format!("{}_{name}", audited_database.name());
        let roles: Vec<String> = ["all", "some", "none", "app", "owner"].map(role).into();
        let protected = dice.one_in(3);
        let mut pair = Self {
            audited: audited_database.connect(),
            plain: plain_database.connect(),
            poster: audited_database.connect(),
            audited_database,
            plain_database,
            script: String::new(),
            roles,
        };
        let [all, some, none, app, owner] = [0, 1, 2, 3, 4].map(|n| pair.roles[n].clone());
        pair.run_noted(&format!(
            "CREATE ROLE {all}; CREATE ROLE {some}; CREATE ROLE {none}; CREATE ROLE {app}; GRANT {all}, {some}, {none} TO {app}"
        ));
        let names = [
            pair.audited_database.name().to_owned(),
            pair.plain_database.name().to_owned(),
        ];
        for name in names {
            run(
                &mut pair.plain,
                &format!("GRANT CREATE, TEMPORARY ON DATABASE {name} TO {app}"),
            );
        }
        if protected {
            let protection = Protection::of_owner(owner.as_str()).application(app.as_str());
            protection.apply(&mut pair.audited).expect("it is new");
            pair.script += &format!("-- Then protect it: owner {owner}, application {app}.\n");
        }
        pair.both(include_str!("observer.sql"), false);
        run(&mut pair.audited, include_str!("recorded.sql"));
        if protected {
            pair.both(&format!("SET SESSION AUTHORIZATION {app}"), true);
        }
        pair.both(COMMON, true);
        for table in planned {
            if !table.create.is_empty() {
                pair.both(&table.create, true);
            }
        }
        let grants = format!(
            "GRANT USAGE ON SCHEMA app, {other}, parts TO {all}, {some};
             GRANT ALL ON ALL TABLES IN SCHEMA app, {other}, parts TO {all};
             GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA app TO {some};
             GRANT UPDATE, TRUNCATE ON ALL TABLES IN SCHEMA {other} TO {some}",
            other = other_schema()
        );
        pair.both(&grants, true);
        pair
    }

    pub fn roles(&self) -> &[String] {
        &self.roles[..3]
    }

    /// Compares the tables of both between statements.
    pub fn note(&self, label: &str, path: &str) {
        for database in [&self.audited_database, &self.plain_database] {
            run(
                &mut database.connect(),
                &format!(
                    "INSERT INTO observer.tables VALUES ('{label}', {}::regclass)",
                    literal(path)
                ),
            );
        }
    }

    fn run_noted(&mut self, sql: &str) {
        self.script += &format!("{sql};\n");
        run(&mut self.audited, sql);
    }

    /// Runs a statement that must succeed in both.
    pub fn both(&mut self, sql: &str, noted: bool) {
        if noted {
            self.script += &format!("{sql};\n");
        }
        run(&mut self.plain, sql);
        run(&mut self.audited, sql);
    }

    /// Runs a statement in the audited one only, which must succeed.
    pub fn audit(&mut self, sql: &str) -> Outcome {
        let outcome = execute(&mut self.audited, sql);
        self.script += &format!("{sql};\n");
        outcome
    }

    /// Runs a statement in both, and returns the result of each.
    pub fn execute(&mut self, sql: &str) -> (Outcome, Outcome) {
        let plain = execute(&mut self.plain, sql);
        let audited = execute(&mut self.audited, sql);
        self.script += &format!("{sql};\n");
        if let Err(error) = &plain {
            self.script += &format!("-- refused: {}\n", error.replace('\n', "\n-- "));
        }
        (plain, audited)
    }

    /// Returns the final faults, after every capture is rebuilt.
    pub fn verified(&self) -> Result<Vec<Finding>, String> {
        let conn = &mut self.audited_database.connect();
        execute(
            conn,
            "SELECT threadline.refresh(relation) FROM observer.tables",
        )
        .map_err(|error| format!("refresh in the end: {error}"))?;
        let partitioned = rows(
            conn,
            "SELECT relation::regclass FROM observer.tables JOIN pg_class ON oid = relation WHERE relkind = 'p'",
        );
        let verification = Models::new(vec![]).verify().run(conn);
        let mut findings = verification.map_err(|error| error.to_string())?.findings;
        findings.retain(|finding| match finding.code {
            // Some names suggest a secret, some tables have no model.
            FindingCode::SecretLooking | FindingCode::TableUnaudited => false,
            // Everything is written without an actor.
            FindingCode::Unattributed => false,
            // A renamed label has the new name in every row.
            FindingCode::RowAltered => !self.script.contains("RENAME VALUE"),
            // A partition is attached and detached with its rows, and keeps a trigger.
            FindingCode::TriggerStray => !finding
                .table
                .as_ref()
                .is_some_and(|t| t.starts_with("parts.")),
            FindingCode::RowUnrecorded | FindingCode::RowMissing => !finding
                .table
                .as_ref()
                .is_some_and(|table| partitioned.contains(table)),
            _ => true,
        });
        Ok(findings)
    }

    /// Returns where the audit contains a secret.
    pub fn secrets(&self) -> Vec<String> {
        let conn = &mut self.audited_database.connect();
        let tables = rows(
            conn,
            "SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'threadline'::regnamespace",
        );
        let mut queries: Vec<_> = tables
            .iter()
            .map(|table| format!("SELECT '{table} ' || tl_row::text FROM {table} AS tl_row"))
            .collect();
        queries.push("SELECT proname || prosrc || coalesce(obj_description(oid), '') FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace".to_owned());
        queries.push(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgfoid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace)
             UNION ALL SELECT description FROM pg_description"
                .to_owned(),
        );
        let mut found = vec![];
        for query in queries {
            let lines = rows(conn, &query);
            found.extend(
                lines
                    .into_iter()
                    .filter(|line| MARKERS.iter().any(|marker| line.contains(marker))),
            );
        }
        found
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = diesel::sql_query("ROLLBACK").execute(&mut self.audited);
        let _ = diesel::sql_query("ROLLBACK").execute(&mut self.plain);
        for database in [&self.audited_database, &self.plain_database] {
            let conn = &mut database.connect();
            for role in &self.roles {
                let _ = diesel::sql_query(format!("DROP OWNED BY {role} CASCADE")).execute(conn);
            }
        }
        let conn = &mut connect(Server::shared().url());
        for role in &self.roles {
            let _ = diesel::sql_query(format!("DROP ROLE {role}")).execute(conn);
        }
    }
}

fn execute(conn: &mut PgConnection, sql: &str) -> Outcome {
    diesel::sql_query(sql)
        .execute(conn)
        .map_err(|error| match error {
            // The message says more than its SQLSTATE.
            Error::DatabaseError(kind, info) => [
                Some(format!("{kind:?}")),
                Some(info.message().to_owned()),
                info.details().map(str::to_owned),
                info.table_name().map(str::to_owned),
                info.constraint_name().map(str::to_owned),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n"),
            other => other.to_string(),
        })
}
