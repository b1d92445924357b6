use threadline_tests::{Database, Server, patches, run, value};

/// The schema as pg_dump writes it, without what differs between versions of
/// PostgreSQL.
fn schema_dump(database: &Database) -> String {
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
fn every_patch_steps_up_and_down_and_up_again_and_the_dumps_agree() {
    let database = Database::empty();
    let conn = &mut database.connect();
    let mut dumps = vec![schema_dump(&database)];
    for patch in patches() {
        run(conn, &format!("BEGIN; {} COMMIT", patch.up));
        dumps.push(schema_dump(&database));
    }
    for patch in patches().iter().rev() {
        let before = dumps.pop().unwrap();
        assert_eq!(
            schema_dump(&database),
            before,
            "{} does not step up as it did",
            patch.name
        );
        run(conn, &format!("BEGIN; {} COMMIT", patch.down));
        assert_eq!(
            schema_dump(&database),
            *dumps.last().unwrap(),
            "{} leaves something",
            patch.name
        );
        run(
            conn,
            &format!("BEGIN; {} COMMIT; BEGIN; {} COMMIT", patch.up, patch.down),
        );
        assert_eq!(
            schema_dump(&database),
            *dumps.last().unwrap(),
            "{} leaves something",
            patch.name
        );
    }
    assert_eq!(
        value(
            conn,
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'threadline'"
        )
        .as_deref(),
        Some("0")
    );
}

/// A deployment that stops between two patches, in either direction, leaves an
/// application that writes.
#[test]
fn at_no_step_does_a_half_installed_schema_fail_a_write() {
    let database = Database::empty();
    let conn = &mut database.connect();
    run(
        conn,
        "CREATE TABLE items (id int PRIMARY KEY); CREATE SEQUENCE s",
    );
    let write = "INSERT INTO items VALUES (nextval('s')); UPDATE items SET id = id; DELETE FROM items; TRUNCATE items";
    for patch in patches() {
        run(conn, &patch.up);
        run(conn, write);
    }
    run(conn, "SELECT threadline.audit('items')");
    run(conn, write);
    for patch in patches().iter().rev() {
        run(conn, &patch.down);
        run(conn, write);
    }
    // And in one blow.
    for patch in patches() {
        run(conn, &patch.up);
    }
    run(conn, "SELECT threadline.audit('items')");
    run(conn, "DROP SCHEMA threadline CASCADE");
    run(conn, write);
}

#[test]
fn an_installation_that_fails_half_way_leaves_nothing() {
    let database = Database::empty();
    let conn = &mut database.connect();
    // In the way of a function of the last patch.
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
    assert_eq!(
        value(
            conn,
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'threadline'"
        )
        .as_deref(),
        Some("0")
    );
}
