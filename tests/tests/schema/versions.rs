use diesel::PgConnection;
use threadline_tests::{Database, NEXT, Server, assert_value, run, schema_migration, value};

/// Returns the schema as pg_dump writes it, without the parts that differ between
/// versions of PostgreSQL.
pub(crate) fn schema_dump(database: &Database) -> String {
    let dump = Server::shared().run(
        "pg_dump",
        &["--dbname", &database.url(), "--schema-only", "--no-owner"],
    );
    let mut lines: Vec<&str> = dump
        .lines()
        .filter(|line| {
            !(line.is_empty()
                || line.starts_with("--")
                || line.starts_with("SET ")
                || line.starts_with("SELECT pg_catalog.set_config('search_path'")
                || line.starts_with("\\"))
        })
        .collect();
    lines.push("");
    lines.join("\n")
}

/// A change to the installed schema shows in review as a change of this file.
#[test]
fn the_installed_schema_is_dumped_as_the_golden_one() {
    let database = Database::new();
    insta::assert_snapshot!("audit_schema", schema_dump(&database));
}

#[test]
fn every_version_steps_up_and_down_and_up_again_and_the_dumps_agree() {
    let (database, conn) = &mut Database::empty().connected();
    let mut dumps = vec![schema_dump(database)];
    for version in 1..=NEXT {
        run_script(conn, &schema_migration(version - 1, version).up);
        dumps.push(schema_dump(database));
    }
    for version in (1..=NEXT).rev() {
        let step = schema_migration(version - 1, version);
        let after = dumps.pop().unwrap();
        let before = dumps.last().unwrap();
        assert_eq!(schema_dump(database), after, "up to {version}");
        run_script(conn, &step.down);
        assert_eq!(&schema_dump(database), before, "down from {version}");
        run_script(conn, &step.up);
        assert_eq!(schema_dump(database), after, "up to {version} again");
        run_script(conn, &step.down);
        assert_eq!(&schema_dump(database), before, "down from {version} again");
    }
    assert_uninstalled(conn);
}

#[track_caller]
fn assert_uninstalled(conn: &mut PgConnection) {
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'threadline'";
    assert_value(conn, schemas, "0");
}

fn run_script(conn: &mut PgConnection, sql: &str) {
    run(conn, &format!("BEGIN; {sql} COMMIT"));
}

/// A deployment that stops between two versions, in either direction, leaves an
/// application that can write.
#[test]
fn at_no_version_does_a_write_fail() {
    let (_, conn) = &mut Database::empty().connected();
    run(
        conn,
        "CREATE TABLE items (id int PRIMARY KEY); CREATE SEQUENCE s",
    );
    let write = "INSERT INTO items VALUES (nextval('s')); UPDATE items SET id = id; DELETE FROM items; TRUNCATE items";
    for version in 1..=NEXT {
        run_script(conn, &schema_migration(version - 1, version).up);
        run(conn, write);
    }
    run(conn, "SELECT threadline.audit('items')");
    run(conn, write);
    for version in (1..=NEXT).rev() {
        run_script(conn, &schema_migration(version - 1, version).down);
        run(conn, write);
    }
    // And all at once.
    run_script(conn, &schema_migration(0, NEXT).up);
    run(conn, "SELECT threadline.audit('items')");
    run(conn, "DROP SCHEMA threadline CASCADE");
    run(conn, write);
}

#[test]
fn an_installation_that_fails_half_way_leaves_nothing() {
    let (_, conn) = &mut Database::empty().connected();
    // Blocks a function in the middle.
    run(
        conn,
        "CREATE FUNCTION block() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
             IF tg_tag = 'CREATE AGGREGATE' THEN RAISE 'blocked'; END IF; END $$;
         CREATE EVENT TRIGGER block ON ddl_command_end EXECUTE FUNCTION block();",
    );
    let error = threadline::models![super::app::User]
        .install(conn)
        .unwrap_err();
    assert_eq!(error.to_string(), "blocked");
    assert_uninstalled(conn);
}

/// As a project publishes it, without the audit.
#[test]
fn a_dump_of_the_schema_without_the_audit_restores_as_the_guide_says() {
    let database = Database::new();
    run(
        &mut database.connect(),
        "CREATE TABLE plain (id int PRIMARY KEY, n int);
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF parts DEFAULT;
         SELECT threadline.audit('plain', condition => 'NEW.n > 0', operations => ARRAY['insert']), threadline.audit('parts')",
    );
    let url = database.url();
    let dump = Server::shared().run(
        "pg_dump",
        &[
            "--dbname",
            &url,
            "--schema-only",
            "--exclude-schema=threadline",
        ],
    );
    let kept: Vec<_> = dump
        .lines()
        .filter(|line| !line.contains("!threadline_"))
        .collect();
    let restored = Database::empty();
    let file = threadline_tests::scratch_dir().join("schema.sql");
    std::fs::write(&file, kept.join("\n")).unwrap();
    Server::shared().run(
        "psql",
        &[
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &restored.url(),
            "-f",
            &file.display().to_string(),
        ],
    );
    let conn = &mut restored.connect();
    let triggers = value(conn, "SELECT count(*) FROM pg_trigger");
    assert_eq!(triggers.as_deref(), Some("0"));
    let tables = value(
        conn,
        "SELECT to_regclass('plain') IS NOT NULL AND to_regclass('part') IS NOT NULL",
    );
    assert_eq!(tables.as_deref(), Some("true"));
}
