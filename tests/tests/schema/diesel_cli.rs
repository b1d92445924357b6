//! The real `diesel` program on generated migrations.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use threadline_test_server::diesel_cli::diesel_cli;
use threadline_tests::{Database, rows, run, scratch_dir, value};

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

    fn migrations(&self) -> PathBuf {
        self.dir.join("migrations")
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
    assert_eq!(
        value(conn, "SELECT count(*) FROM threadline.changes").as_deref(),
        Some("2")
    );
    project.diesel("migration redo");
    run(conn, "UPDATE blog.posts SET title = 'u'");
    assert_eq!(
        value(conn, "SELECT count(*) FROM threadline.changes").as_deref(),
        Some("3")
    );

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
    assert_eq!(
        rows(
            conn,
            "SELECT nspname FROM pg_namespace WHERE nspname IN ('threadline', 'blog')"
        ),
        [""; 0]
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
