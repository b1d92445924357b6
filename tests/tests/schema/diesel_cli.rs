//! The real `diesel` program on generated migrations.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use threadline::__cli::remarks;
use threadline::{ErrorKind, Models};
use threadline_test_server::diesel_cli::diesel_cli;
use threadline_tests::{Database, assert_rows, assert_value, rows, run, scratch_dir, value};

use super::app::{NO_TABLES, Post, PostNext, TABLES, User, UserNext};

struct Project {
    dir: PathBuf,
    database: Database,
}

impl Project {
    /// Creates a Diesel project with a migration of its own for the tables.
    fn new() -> Self {
        let dir = scratch_dir();
        let migrations = dir.join("migrations");
        let tables = migrations.join("2026-01-01-000000-0000_tables");
        fs::create_dir_all(&tables).unwrap();
        fs::write(tables.join("up.sql"), TABLES).unwrap();
        fs::write(tables.join("down.sql"), NO_TABLES).unwrap();
        fs::write(
            dir.join("diesel.toml"),
            "[print_schema]\nfile = \"src/schema.rs\"\n",
        )
        .unwrap();
        fs::create_dir(dir.join("src")).unwrap();
        fs::write(dir.join("Cargo.toml"), "").unwrap();
        Self {
            dir,
            database: Database::empty(),
        }
    }

    /// The same, with audited users, of whom there is one.
    fn audited() -> (Self, Models) {
        let project = Self::new();
        let models = threadline::models![User];
        models.generate(project.migrations()).unwrap();
        project.diesel("migration run");
        run(
            &mut project.database.connect(),
            "INSERT INTO users VALUES (1, 'Ada', 'a@x', 'h')",
        );
        (project, models)
    }

    fn migrations(&self) -> PathBuf {
        self.dir.join("migrations")
    }

    /// Writes a migration of the application, after those that are there.
    fn migration(&self, name: &str, up: &str, down: &str) {
        let folder = self
            .migrations()
            .join(format!("2999-01-01-000000-0000_{name}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("up.sql"), up).unwrap();
        fs::write(folder.join("down.sql"), down).unwrap();
    }

    #[track_caller]
    fn diesel(&self, arguments: &str) -> String {
        let output = Command::new(diesel_cli())
            .args(arguments.split(' '))
            .current_dir(&self.dir)
            .env("DATABASE_URL", self.database.url())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "diesel {arguments}: {stderr}");
        assert!(
            !stderr.to_lowercase().contains("warn"),
            "diesel {arguments}: {stderr}"
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

const POLICIES: &str =
    "SELECT table_name, policy, unaudited_at IS NULL FROM threadline.audited_tables ORDER BY id";

#[test]
fn run_redo_and_revert_work_on_generated_folders() {
    let project = Project::new();
    threadline::models![User, Post]
        .generate(project.migrations())
        .unwrap();
    let conn = &mut project.database.connect();

    project.diesel("migration run");
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada', 'a@x', 'h'); INSERT INTO blog.posts VALUES (1, 1, 't')",
    );
    assert_value(conn, "SELECT count(*) FROM threadline.changes", "2");
    project.diesel("migration redo");
    run(conn, "UPDATE blog.posts SET title = 'u'");
    assert_value(conn, "SELECT count(*) FROM threadline.changes", "3");

    let before = rows(conn, POLICIES);
    threadline::models![PostNext]
        .generate(project.migrations())
        .unwrap();
    project.diesel("migration run");
    assert_ne!(rows(conn, POLICIES), before);
    project.diesel("migration revert");
    assert_eq!(rows(conn, POLICIES), before);
    project.diesel("migration run");

    project.diesel("migration redo --all");
    project.diesel("migration revert --all");
    assert_rows(
        conn,
        "SELECT nspname FROM pg_namespace WHERE nspname IN ('threadline', 'blog')",
        [],
    );
    project.diesel("migration run");
    assert!(
        threadline::models![User, PostNext]
            .status(conn)
            .unwrap()
            .is_current()
    );
}

#[test]
fn a_policy_goes_back_after_a_column_that_it_names_was_dropped() {
    let project = Project::new();
    threadline::models![User]
        .generate(project.migrations())
        .unwrap();
    let dropping = project.migrations().join("2999-01-01-000000-0000_drop");
    fs::create_dir_all(&dropping).unwrap();
    let columns = "ALTER TABLE users DROP COLUMN email, DROP COLUMN password_hash; SELECT threadline.refresh('users');";
    fs::write(dropping.join("up.sql"), columns).unwrap();
    fs::write(
        dropping.join("down.sql"),
        "ALTER TABLE users ADD email text DEFAULT 'hidden@x', ADD password_hash text DEFAULT 'hidden'",
    )
    .unwrap();
    threadline::models![UserNext]
        .generate(project.migrations())
        .unwrap();
    let conn = &mut project.database.connect();
    project.diesel("migration run");
    assert!(
        threadline::models![UserNext]
            .status(conn)
            .unwrap()
            .is_current()
    );
    project.diesel("migration redo --all");

    // Back to the version with the secret columns.
    project.diesel("migration revert --number 2");
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada'); UPDATE users SET email = 'hidden@y'",
    );
    let journal = "SELECT string_agg(j::text, '') FROM threadline.journal AS j";
    let recorded = value(conn, journal).unwrap();
    assert!(
        recorded.contains("Ada") && !recorded.contains("hidden"),
        "{recorded}"
    );
    project.diesel("migration run");
    project.diesel("migration revert --all");
}

/// Returns the model of users for a table of another name.
fn users_as(table: &str) -> Models {
    let mut specs = threadline::models![User].specs().to_vec();
    specs[0].table = table.to_owned();
    Models::new(specs)
}

const CHANGES: &str = "SELECT op, record_key, changed_to FROM threadline.changes ORDER BY id";

/// The statements in a DO block with EXECUTE are not seen by the generator.
#[test]
fn the_audit_of_a_renamed_table_does_not_end_when_its_policy_is_reverted() {
    for (up, down, table, seen) in [
        (
            "ALTER TABLE users RENAME TO people",
            "ALTER TABLE people RENAME TO users",
            "\"people\"",
            true,
        ),
        (
            "ALTER TABLE users SET SCHEMA blog",
            "ALTER TABLE blog.users SET SCHEMA public",
            "\"blog\".\"users\"",
            true,
        ),
        (
            "DO $$ BEGIN EXECUTE 'ALTER TABLE users RENAME TO people'; END $$",
            "DO $$ BEGIN EXECUTE 'ALTER TABLE people RENAME TO users'; END $$",
            "\"people\"",
            false,
        ),
    ] {
        let (project, before) = Project::audited();
        let conn = &mut project.database.connect();
        project.migration("rename", up, down);
        let after = users_as(table);
        let written = after.generate(project.migrations()).unwrap();
        let reverting = fs::read_to_string(written[0].join("down.sql")).unwrap();
        assert_eq!(reverting.contains(".audit_as_before("), seen, "{reverting}");
        after.check(project.migrations()).unwrap();
        project.diesel("migration run");
        project.diesel("migration redo");
        assert!(after.status(conn).unwrap().is_current());
        run(conn, &format!("UPDATE {table} SET name = 'Bo'"));

        project.diesel("migration revert --number 2");
        run(conn, "UPDATE users SET name = 'Cy'");
        assert_rows(
            conn,
            CHANGES,
            [
                "insert | 1 | NULL",
                "update | 1 | {\"name\": \"Bo\"}",
                "update | 1 | {\"name\": \"Cy\"}",
            ],
        );
        assert!(before.status(conn).unwrap().is_current());
        assert_rows(conn, "SELECT code FROM threadline.table_drift()", []);

        project.diesel("migration run");
        assert!(after.status(conn).unwrap().is_current());
        project.diesel("migration redo --all");
        // The migration that audits it first ends the audit.
        project.diesel("migration revert --number 3");
        run(conn, "UPDATE users SET name = 'Di'");
        assert_rows(conn, CHANGES, []);
        project.diesel("migration revert --all");
    }
}

/// In both directions, and also if its migration drops the former table at once.
#[test]
fn a_replaced_table_is_audited_again() {
    const REPLACE: &str = "ALTER TABLE users RENAME TO users_old;
        CREATE TABLE users (id bigint PRIMARY KEY, name text, email text, password_hash text, city text);
        INSERT INTO users SELECT * FROM users_old;";
    const BACK: &str = "DROP TABLE users; ALTER TABLE users_old RENAME TO users;";
    for is_dropped in [false, true] {
        let (project, models) = Project::audited();
        let conn = &mut project.database.connect();
        let (up, down) = match is_dropped {
            false => (REPLACE.to_owned(), BACK.to_owned()),
            true => (
                format!("{REPLACE} DROP TABLE users_old;"),
                "ALTER TABLE users RENAME TO users_new;
                 CREATE TABLE users (id bigint PRIMARY KEY, name text, email text, password_hash text);
                 INSERT INTO users SELECT id, name, email, password_hash FROM users_new; DROP TABLE users_new;"
                    .to_owned(),
            ),
        };
        project.migration("replace", &up, &down);
        let error = models.check(project.migrations()).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::OutOfDate { .. }),
            "{error}"
        );
        let written = models.generate(project.migrations()).unwrap();
        let text = fs::read_to_string(written[0].join("up.sql")).unwrap();
        assert_eq!(
            text.contains("continues => '\"users_old\"'"),
            !is_dropped,
            "{text}"
        );
        models.check(project.migrations()).unwrap();
        // What only the application's own down.sql can do.
        let said = remarks(&models, &project.migrations(), &[]).unwrap();
        assert_eq!(said.len(), usize::from(is_dropped), "{said:?}");
        if let Some((before, statement)) = said.first().and_then(|said| said.split_once(":\n")) {
            assert_eq!(
                before,
                "2999-01-01-000000-0000_replace/down.sql creates \"users\" anew, which is not audited afterwards. End it with"
            );
            project.migration("replace", &up, &format!("{down}\n{statement}"));
            assert_eq!(
                remarks(&models, &project.migrations(), &[]).unwrap(),
                [""; 0]
            );
        }

        project.diesel("migration run");
        assert!(models.status(conn).unwrap().is_current());
        run(conn, "UPDATE users SET name = 'Bo'");
        project.diesel("migration redo");
        project.diesel("migration revert --number 2");
        run(conn, "UPDATE users SET name = 'Cy'");
        let changes = rows(conn, CHANGES);
        assert_eq!(changes[0], "insert | 1 | NULL", "{changes:?}");
        assert_eq!(changes.last().unwrap(), "update | 1 | {\"name\": \"Cy\"}");
        project.diesel("migration run");
        run(conn, "UPDATE users SET name = 'Di'");
        assert_eq!(
            rows(conn, CHANGES).last().unwrap(),
            "update | 1 | {\"name\": \"Di\"}"
        );
        assert!(models.status(conn).unwrap().is_current());
    }
}

#[test]
fn print_schema_and_diff_schema_do_not_see_the_audit() {
    let project = Project::new();
    project.diesel("migration run");
    let plain = project.diesel("print-schema");
    threadline::models![User, Post]
        .generate(project.migrations())
        .unwrap();
    project.diesel("migration run");
    assert_eq!(project.diesel("print-schema"), plain);
    assert_eq!(
        fs::read_to_string(project.dir.join("src/schema.rs"))
            .unwrap()
            .trim(),
        plain.trim()
    );

    project.diesel("migration generate --diff-schema difference");
    let generated = newest(&project.migrations(), "_difference");
    let up = fs::read_to_string(generated.join("up.sql")).unwrap();
    assert!(
        !up.to_lowercase().contains("drop") && !up.to_lowercase().contains("create"),
        "{up}"
    );
}

fn newest(dir: &Path, suffix: &str) -> PathBuf {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_str().unwrap().ends_with(suffix))
        .unwrap()
}
