//! A database with everything that a restore could lose, and the queries before and
//! after.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use diesel::prelude::*;
use threadline::Models;
use threadline_test_server::AtEnd;
use threadline_tests::{
    Database, Server, assert_rows, assert_value, rows, run, scratch_dir, value,
};

const TABLES: &str = "
    CREATE TABLE plain (id bigint PRIMARY KEY, gone text, n int NOT NULL DEFAULT 0, at timestamptz DEFAULT now());
    ALTER TABLE plain DROP COLUMN gone;
    CREATE TABLE redacted (id bigint PRIMARY KEY, gone text, name text, email text, password text,
        shout text GENERATED ALWAYS AS (upper(name)) STORED);
    ALTER TABLE redacted DROP COLUMN gone;
    CREATE TABLE parts (id bigint, region text, n int, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
    CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
    CREATE TABLE parts_south PARTITION OF parts FOR VALUES IN ('south');
    CREATE TABLE people (id bigint PRIMARY KEY, gone text, ssn text, name text);
    ALTER TABLE people DROP COLUMN gone;
    CREATE TABLE chosen (id bigint PRIMARY KEY, name text, draft boolean);
    CREATE SEQUENCE ids;";

pub(crate) const POLICIES: &str = "
    SELECT threadline.audit('plain'), threadline.audit('parts'), threadline.audit('people', hash => ARRAY['ssn']),
           threadline.audit('redacted', mask => ARRAY['email'], exclude => ARRAY['password']);
    SELECT threadline.audit('chosen', condition => 'NEW.draft IS NOT true', operations => ARRAY['insert', 'update']);";

/// Makes two transactions: nine changes under a context and an action, and one change
/// without.
const WRITE: &str = r#"
    BEGIN;
    SELECT threadline.set_context('{"actor": {"type": "admin", "id": "grace"}, "request_id": "r1", "source": "psql"}');
    INSERT INTO plain VALUES (nextval('ids'));
    INSERT INTO redacted VALUES (currval('ids'), 'ada', 'a@secret', 'secret');
    INSERT INTO parts VALUES (currval('ids'), 'north', 1);
    INSERT INTO people VALUES (currval('ids'), 'secret', 'ada');
    INSERT INTO chosen VALUES (currval('ids'), 'ada', false), (-currval('ids'), 'bob', true);
    UPDATE redacted SET name = 'bob', email = 'b@secret' WHERE id = currval('ids');
    UPDATE parts SET region = 'south' WHERE id = currval('ids');
    UPDATE people SET name = 'bob' WHERE id = currval('ids');
    SELECT threadline.record_action('member.joined', 'admin', 'grace', reason => 'asked to');
    COMMIT;
    UPDATE plain SET n = n + 1 WHERE id = currval('ids');"#;
const PER_WRITE: usize = 10;

/// The findings of `audit verify` when nothing is wrong.
pub(crate) const SOUND: [&str; 0] = [];

/// And after a restore of the whole.
pub(crate) const RESTORED: [&str; 5] = [
    "table-restored public.chosen",
    "table-restored public.parts",
    "table-restored public.people",
    "table-restored public.plain",
    "table-restored public.redacted",
];

/// A database in use: changes and actions in the ledger, and waiting entries in the
/// journal.
pub(crate) struct Club {
    pub(crate) database: Database,
    /// Its history when it was dumped.
    pub(crate) before: History,
}

impl Club {
    /// Returns the one database for all tests that only dump it; it is dropped when the
    /// process ends.
    pub(crate) fn shared() -> &'static Self {
        static CLUB: OnceLock<(Club, AtEnd)> = OnceLock::new();
        let (club, _) = CLUB.get_or_init(|| {
            let club = Self::new();
            let (url, name) = (Server::shared().url(), club.database.name());
            // A server that was started for this process is gone by then.
            let drop =
                format!("psql '{url}' -c 'DROP DATABASE {name} WITH (FORCE)' >/dev/null 2>&1");
            let at_end = AtEnd::run(Command::new("sh").args(["-c", &drop])).expect("sh runs");
            (club, at_end)
        });
        club
    }

    pub(crate) fn new() -> Self {
        Self::on(Database::new())
    }

    pub(crate) fn on(database: Database) -> Self {
        let conn = &mut database.connect();
        run(conn, TABLES);
        run(conn, POLICIES);
        for _ in 0..3 {
            run(conn, WRITE);
        }
        run(conn, "SELECT threadline.post()");
        let instant = value(conn, "SELECT clock_timestamp()").unwrap();
        run(conn, WRITE);
        run(
            conn,
            "DELETE FROM people WHERE id = 1; TRUNCATE parts_north; UPDATE redacted SET name = 'eve' WHERE id < 3",
        );
        let before = History::of(conn, &instant);
        assert_ne!(
            value(conn, "SELECT count(*) FROM threadline.journal").as_deref(),
            Some("0")
        );
        assert_eq!(found(conn), SOUND);
        Self { database, before }
    }

    /// Writes as the application that continues.
    pub(crate) fn write(&mut self) {
        let conn = &mut self.database.connect();
        run(conn, WRITE);
        self.before = History::of(conn, &self.before.instant);
    }

    /// Creates only the application's tables, as its migrations do, and the audit.
    pub(crate) fn migrated() -> Database {
        let (database, mut conn) = Database::with(TABLES);
        let conn = &mut conn;
        run(conn, POLICIES);
        database
    }

    /// Writes a dump with pg_dump and returns its file.
    pub(crate) fn dump(&self, arguments: &[&str]) -> PathBuf {
        let file = scratch_dir().join("club.dump");
        self.dump_to(&file, arguments);
        file
    }

    /// Restores a whole dump in the custom format.
    pub(crate) fn restored(&self) -> (Database, PgConnection) {
        let restored = Database::empty();
        restore(&restored, &self.dump(&["--format=custom"]), &[]).unwrap();
        restored.connected()
    }

    pub(crate) fn dump_to(&self, target: &Path, arguments: &[&str]) {
        let url = self.database.url();
        let target = target.display().to_string();
        let own = ["--dbname", &url, "--file", &target];
        self.database
            .server()
            .run("pg_dump", &[&own, arguments].concat());
    }
}

const CHANGES: &str = "SELECT * FROM threadline.changes ORDER BY id";
const TRANSACTIONS: &str = "SELECT * FROM threadline.transactions ORDER BY id";
const ACTIONS: &str = "SELECT * FROM threadline.actions ORDER BY id";

/// The results of all queries.
#[derive(Debug, PartialEq)]
pub(crate) struct History {
    instant: String,
    changes: Vec<String>,
    transactions: Vec<String>,
    actions: Vec<String>,
    past: Vec<String>,
}

impl History {
    fn of(conn: &mut PgConnection, instant: &str) -> Self {
        let mut past = vec![];
        for table in ["plain", "redacted", "parts", "people"] {
            if value(conn, &format!("SELECT to_regclass('{table}')")).is_some() {
                let query = format!(
                    "SELECT * FROM threadline.rows_as_of('{table}', '{instant}') ORDER BY 1"
                );
                let then = rows(conn, &query);
                assert!(then.len() >= 3, "{table}: {then:?}");
                past.extend(then);
            }
        }
        Self {
            instant: instant.to_owned(),
            changes: rows(conn, CHANGES),
            transactions: rows(conn, TRANSACTIONS),
            actions: rows(conn, ACTIONS),
            past,
        }
    }

    /// Asserts that the results are the same now.
    #[track_caller]
    pub(crate) fn is_kept(&self, conn: &mut PgConnection) {
        assert_eq!(&Self::of(conn, &self.instant), self);
    }

    /// Asserts that recorded changes can still be read without their tables.
    #[track_caller]
    pub(crate) fn is_readable(&self, conn: &mut PgConnection) {
        assert_eq!(rows(conn, CHANGES), self.changes);
        assert_eq!(rows(conn, ACTIONS)[..self.actions.len()], self.actions);
        assert_eq!(
            rows(conn, TRANSACTIONS)[..self.transactions.len()],
            self.transactions
        );
    }

    /// Asserts that the results are the same, and that new writes are recorded as before:
    /// after the rest, under new ids and positions, without secrets.
    #[track_caller]
    pub(crate) fn goes_on(&self, conn: &mut PgConnection) {
        self.is_kept(conn);
        for _ in 0..2 {
            run(conn, WRITE);
            run(conn, "SELECT threadline.post(3)");
            run(conn, WRITE);
            while value(conn, "SELECT threadline.post()").as_deref() != Some("0") {}
        }
        assert_eq!(threadline::waiting(conn).unwrap().entries, 0);
        assert_eq!(threadline::waiting(conn).unwrap().set_aside, 0);
        let after = Self::of(conn, &self.instant);
        assert_eq!(after.past, self.past);
        assert_eq!(after.changes.len(), self.changes.len() + 4 * PER_WRITE);
        assert_eq!(after.actions.len(), self.actions.len() + 4);
        assert_eq!(after.transactions.len(), self.transactions.len() + 8);
        // New ids come after all recorded ones.
        assert_eq!(after.changes[..self.changes.len()], self.changes);
        assert_eq!(after.actions[..self.actions.len()], self.actions);
        assert_eq!(
            after.transactions[..self.transactions.len()],
            self.transactions
        );
        assert_rows(
            conn,
            "SELECT count(*) = count(DISTINCT id), count(*) = max(position), count(*) = count(DISTINCT position) FROM threadline.ledger_changes",
            ["true | true | true"],
        );
        let recorded = "SELECT string_agg(c::text, '') FROM threadline.ledger_changes AS c";
        assert!(!value(conn, recorded).unwrap().contains("secret"));
        let generated = "SELECT bool_and(row_data ->> 'shout' = 'ADA') FROM threadline.changes WHERE table_name = 'redacted' AND op = 'insert'";
        assert_value(conn, generated, "true");
        // One value has one hash, before and after.
        let tokens = "SELECT count(DISTINCT row_data ->> 'ssn') FROM threadline.changes WHERE table_name = 'people' AND op = 'insert'";
        assert_value(conn, tokens, "1");
    }
}

/// Returns the findings of `audit verify`, each as its code and location.
#[track_caller]
pub(crate) fn found(conn: &mut PgConnection) -> Vec<String> {
    let verified = Models::new(vec![]).verify().run(conn).unwrap();
    verified
        .findings
        .iter()
        // These tests write without an actor.
        .filter(|finding| finding.code != threadline::FindingCode::Unattributed)
        .map(|finding| {
            format!(
                "{} {}",
                finding.code,
                finding.table.as_deref().unwrap_or("")
            )
            .trim()
            .to_owned()
        })
        .collect()
}

/// Runs the command of the guide for every restore that is not complete.
#[track_caller]
pub(crate) fn refresh_all(conn: &mut PgConnection) {
    assert_eq!(
        rows(conn, "SELECT * FROM threadline.refresh_all()"),
        ["chosen", "parts", "people", "plain", "redacted"]
            .map(|table| format!("public.{table} | NULL"))
    );
}

/// Restores a dump into a database with pg_restore; if that fails, returns its output.
pub(crate) fn restore(database: &Database, dump: &Path, arguments: &[&str]) -> Result<(), String> {
    pg_restore(database.server(), &database.url(), dump, arguments)
}

/// Same as [`restore`], for any URL.
pub(crate) fn pg_restore(
    server: &Server,
    url: &str,
    file: &Path,
    arguments: &[&str],
) -> Result<(), String> {
    let output = server
        .command("pg_restore")
        .args(["--dbname", url])
        .args(arguments)
        .arg(file)
        .output()
        .unwrap_or_else(|error| {
            panic!("pg_restore: {error}; install PostgreSQL's client programs")
        });
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
