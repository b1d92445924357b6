use std::thread;

use diesel::prelude::*;
use threadline::{Audited, ErrorKind, ModelStatus};
use threadline_tests::{
    Database, NEWEST, assert_contains, assert_rows, assert_value, installed, rows, run,
    schema_migration, value,
};

use super::app::{Post, PostNext, TABLES, User};

#[test]
fn the_installer_brings_schema_and_policies_and_then_has_nothing_to_do() {
    let (_, conn) = &mut Database::empty().connected();
    run(conn, TABLES);
    let models = threadline::models![User, Post];
    models.install(conn).unwrap();
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada', 'a@x', 'h'); INSERT INTO blog.posts VALUES (1, 1, 't')",
    );
    assert_rows(
        conn,
        "SELECT schema_name, table_name, row_data FROM threadline.changes ORDER BY id",
        [
            r#"public | users | {"id": 1, "name": "Ada", "email": "***"}"#,
            r#"blog | posts | {"id": 1, "title": "t", "author": 1}"#,
        ],
    );
    let objects = "SELECT array_agg(xmin::text ORDER BY oid) FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace";
    let before = value(conn, objects);
    models.install(conn).unwrap();
    assert_eq!(value(conn, objects), before);
    assert!(models.status(conn).unwrap().is_current());
}

#[test]
fn the_columns_and_operations_of_a_model_are_in_force_and_compared() {
    #[derive(Audited)]
    #[diesel(table_name = crate::app::users)]
    #[audited(
        columns(name),
        operations(update, delete),
        condition = "OLD.name <> 'nobody''s'"
    )]
    struct Chosen;

    let (_, conn) = &mut Database::empty().connected();
    run(conn, TABLES);
    let models = threadline::models![Chosen];
    models.install(conn).unwrap();
    assert!(models.status(conn).unwrap().is_current());
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada', 'a@x', 'h'), (2, 'nobody''s', 'n@x', 'h');
         UPDATE users SET name = upper(name), email = 'x'; DELETE FROM users WHERE id = 1",
    );
    assert_rows(
        conn,
        "SELECT op, coalesce(changed_to, row_data) AS image FROM threadline.changes ORDER BY id",
        [
            r#"update | {"name": "ADA"}"#,
            r#"delete | {"id": 1, "name": "ADA"}"#,
        ],
    );
    let status = threadline::models![User].status(conn).unwrap();
    assert!(matches!(
        status.models[0].status,
        ModelStatus::PolicyDiffers
    ));
}

#[test]
fn twenty_processes_install_at_once() {
    let database = Database::empty();
    run(&mut database.connect(), TABLES);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                threadline::models![User, Post]
                    .install(&mut database.connect())
                    .unwrap();
            });
        }
    });
    let conn = &mut database.connect();
    assert_eq!(
        rows(
            conn,
            "SELECT version, installed_by IS NULL FROM threadline.schema_versions"
        ),
        [format!("{NEWEST} | true")]
    );
    assert_value(conn, "SELECT count(*) FROM threadline.audited_tables", "2");
}

#[test]
fn the_installer_continues_what_migrations_began_and_the_other_way_round() {
    let (_, conn) = &mut Database::empty().connected();
    run(conn, TABLES);
    run(conn, &schema_migration(0, NEWEST).up);
    threadline::models![User].install(conn).unwrap();
    assert!(threadline::models![User].status(conn).unwrap().is_current());
    let objects = "SELECT array_agg(xmin::text ORDER BY oid) FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace";
    let before = value(conn, objects);
    run(conn, &schema_migration(0, NEWEST).up);
    assert_eq!(value(conn, objects), before);
}

#[test]
fn a_changed_policy_is_put_into_force() {
    let (_, conn) = &mut Database::with(TABLES);
    threadline::models![Post].install(conn).unwrap();
    let status = threadline::models![PostNext, User].status(conn).unwrap();
    let of_models: Vec<_> = status
        .models
        .iter()
        .map(|model| model.status.clone())
        .collect();
    assert_eq!(
        of_models,
        [ModelStatus::PolicyDiffers, ModelStatus::NotAudited]
    );
    threadline::models![PostNext].install(conn).unwrap();
    assert!(
        threadline::models![PostNext]
            .status(conn)
            .unwrap()
            .is_current()
    );
    let refused = diesel::sql_query("INSERT INTO blog.posts VALUES (1, 1, 't')")
        .execute(conn)
        .unwrap_err();
    assert!(threadline::is_actor_required(&refused));
}

#[test]
fn a_change_of_columns_is_seen_and_fixed() {
    let (_, conn, models) = &mut installed(TABLES, threadline::models![User]);
    run(conn, "ALTER TABLE users ADD age int");
    assert_eq!(
        models.status(conn).unwrap().models[0].status,
        ModelStatus::CaptureOutdated
    );
    models.install(conn).unwrap();
    assert!(models.status(conn).unwrap().is_current());
    run(
        conn,
        "ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (name)",
    );
    assert_eq!(
        models.status(conn).unwrap().models[0].status,
        ModelStatus::CaptureOutdated
    );
}

/// An application that checks its audit when it starts still starts.
#[test]
fn changed_columns_of_a_table_without_redaction_are_no_fault() {
    let (_, conn, models) = &mut installed(TABLES, threadline::models![Post]);
    run(
        conn,
        "ALTER TABLE blog.posts DROP author; ALTER TABLE blog.posts RENAME title TO name;
         INSERT INTO blog.posts VALUES (1, 'n')",
    );
    assert!(models.status(conn).unwrap().is_current());
    let health = models.health(conn).unwrap();
    assert!(health.healthy, "{health:?}");
    let codes: Vec<_> = health.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["columns-outdated"]);
    assert_value(
        conn,
        "SELECT row_data FROM threadline.changes",
        r#"{"id": 1, "name": "n"}"#,
    );
    models.install(conn).unwrap();
    assert_eq!(models.health(conn).unwrap().findings.len(), 0);
}

#[test]
fn with_an_older_schema_the_status_of_a_table_is_unknown() {
    let (_, conn, models) = &mut installed(TABLES, threadline::models![User]);
    run(conn, "UPDATE threadline.schema_versions SET version = 0");
    let status = models.status(conn).unwrap();
    assert_eq!(status.models[0].status, ModelStatus::SchemaOutdated);
    assert!(!status.is_current());
}

#[test]
fn triggers_that_are_switched_off_are_seen_and_switched_on_again() {
    let (_, conn, models) = &mut installed(TABLES, threadline::models![User]);
    for damage in [
        "ALTER TABLE users DISABLE TRIGGER ALL",
        "ALTER TABLE users ENABLE TRIGGER \"!threadline_capture_1\"",
        "DROP TRIGGER \"!threadline_truncate_1\" ON users",
    ] {
        run(conn, damage);
        assert_eq!(
            models.status(conn).unwrap().models[0].status,
            ModelStatus::TriggersAltered,
            "{damage}"
        );
        models.install(conn).unwrap();
        assert!(models.status(conn).unwrap().is_current(), "{damage}");
    }
}

#[test]
fn a_missing_table_is_named_and_nothing_is_changed() {
    let (_, conn) = &mut Database::empty().connected();
    let error = threadline::models![User, Post].install(conn).unwrap_err();
    assert_eq!(
        error.to_string(),
        "model `User` audits table \"users\", which does not exist; run the migration that creates it first, or check the search_path"
    );
    assert!(matches!(error.kind(), ErrorKind::TableMissing { .. }));
    assert_eq!(
        threadline::models![User]
            .status(conn)
            .unwrap()
            .installed_version,
        None
    );
}

#[test]
fn a_table_without_a_primary_key_says_how_to_get_one() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id bigint, name text, email text, password_hash text)",
    );
    let error = threadline::models![User].install(conn).unwrap_err();
    assert_eq!(
        error.to_string(),
        "threadline: table public.users has no primary key, which identifies its records; add one with ALTER TABLE public.users ADD PRIMARY KEY (...), or audit it without one: SELECT threadline.audit('public.users', keyless => true)"
    );
}

#[test]
fn reading_without_the_schema_or_with_an_old_one_says_what_to_run() {
    let (_, conn) = &mut Database::empty().connected();
    run(conn, TABLES);
    let error = User::history_of(conn, 1).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::SchemaMissing { installed: None }),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the audit schema is not installed in this database; write its migrations with your program's `generate` command and run them with `diesel migration run`, or call `Models::install` at start-up"
    );
    run(
        conn,
        "CREATE SCHEMA threadline; CREATE TABLE threadline.schema_versions AS SELECT 0 AS version",
    );
    let error = User::history_of(conn, 1).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the audit schema in this database is version 0 and this crate needs"),
        "{error}"
    );
    // Inside a failed transaction, in which no query can run.
    let error = conn
        .transaction(|conn| User::versions_of(conn, 1))
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::SchemaMissing { .. }),
        "{error}"
    );
    // Also as Diesel's own error.
    let error: diesel::result::Error = User::history_of(conn, 1).unwrap_err().into();
    assert!(
        error
            .to_string()
            .contains("the audit schema in this database is version 0"),
        "{error}"
    );
}

#[test]
fn no_server_is_said_in_one_sentence() {
    let error = PgConnection::establish("postgres://localhost:1/none")
        .map(|_| ())
        .unwrap_err();
    let error = threadline::Error::from(error).to_string();
    assert!(
        error.starts_with("cannot connect to the database: "),
        "{error}"
    );
    assert!(
        error.ends_with("check DATABASE_URL and that the server runs"),
        "{error}"
    );
}

#[test]
fn a_list_that_requires_an_actor_is_generated_checked_installed_and_verified_so() {
    let dir = threadline_tests::scratch_dir();
    threadline::models![User, Post].generate(&dir).unwrap();
    let models = threadline::models![User, Post].require_actor();
    let error = models.check(&dir).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OutOfDate { .. }));
    let written = models.generate(&dir).unwrap();
    assert_eq!(written.len(), 2);
    for folder in &written {
        let up = std::fs::read_to_string(folder.join("up.sql")).unwrap();
        assert_contains(&up, "require_actor => true");
    }
    models.check(&dir).unwrap();

    let (_, conn) = &mut Database::with(TABLES);
    models.install(conn).unwrap();
    assert!(models.status(conn).unwrap().is_current());
    assert_eq!(models.verify().run(conn).unwrap().findings, []);
    let error = diesel::sql_query("INSERT INTO blog.posts VALUES (1, 1, 'title')")
        .execute(conn)
        .unwrap_err();
    assert!(threadline::is_actor_required(&error), "{error:?}");

    // The list was installed as a whole, which single models do not show.
    let without = threadline::models![User, Post];
    assert!(!without.status(conn).unwrap().is_current());
    let codes = without.verify().run(conn).unwrap().findings;
    assert!(
        codes
            .iter()
            .all(|finding| finding.code == threadline::FindingCode::PolicyDiffers)
            && codes.len() == 2,
        "{codes:?}"
    );
}
