//! Writes of the application's own triggers, in the order in which they happened.

use threadline_tests::{Database, run, value};

use diesel::PgConnection;

/// Creates a table whose triggers write to it, with nothing recorded yet.
fn table(triggers: &str) -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(include_str!("is_chain.sql"));
    run(
        &mut conn,
        &format!(
            "CREATE TABLE notes (id int PRIMARY KEY, parent int, body text, n int NOT NULL DEFAULT 0);
             {triggers};
             SELECT threadline.audit('notes')"
        ),
    );
    (database, conn)
}

fn function(name: &str, body: &str) -> String {
    format!(
        "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
         CREATE TRIGGER {name} "
    )
}

/// Returns the operations on a record in the order of their ids; asserts that each found
/// what the one before had left, and that the live row is what the last one left.
#[track_caller]
fn chain(conn: &mut PgConnection, id: i32) -> String {
    let of_record = format!(
        "FROM threadline.audit_changes AS c
         WHERE c.table_id = threadline.audited_table_of('notes') AND '{id}' IN (c.record_key, c.previous_key)"
    );
    let follows = value(
        conn,
        &format!(
            "SELECT public.is_chain(array_agg(c ORDER BY c.id), '{id}', (SELECT to_jsonb(tl_live) FROM notes AS tl_live WHERE tl_live.id = {id})) {of_record}"
        ),
    );
    let changes = value(
        conn,
        &format!(
            "SELECT string_agg(c.op::text || coalesce(' ' || (c.changed_to ->> 'n'), ''), ', ' ORDER BY c.id) {of_record}"
        ),
    )
    .unwrap_or_default();
    assert_eq!(follows.as_deref(), Some("true"), "{id}: {changes}");
    changes
}

#[test]
fn changes_by_a_trigger_to_a_new_row_come_after_the_row() {
    let (_, conn) = &mut table(
        &(function(
            "complete",
            "UPDATE notes SET n = n + 1 WHERE id = NEW.id; RETURN NULL;",
        ) + "AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION complete()"),
    );
    run(conn, "INSERT INTO notes (id) VALUES (1)");
    run(conn, "INSERT INTO notes (id) VALUES (2), (3)");
    run(
        conn,
        "INSERT INTO notes (id) SELECT generate_series(4, 300)",
    );
    run(
        conn,
        "BEGIN; INSERT INTO notes (id) VALUES (301); UPDATE notes SET n = 7 WHERE id = 301;
         DELETE FROM notes WHERE id = 301; INSERT INTO notes (id) VALUES (301); COMMIT",
    );
    for id in [1, 2, 3, 4, 150, 300] {
        assert_eq!(chain(conn, id), "I, U 1");
    }
    assert_eq!(chain(conn, 301), "I, U 1, U 7, D, I, U 1");
}

#[test]
fn changes_by_a_trigger_to_other_rows_of_the_statement_come_after_it() {
    let (_, conn) = &mut table(
        &(function(
            "tally",
            "IF OLD.body IS DISTINCT FROM NEW.body THEN UPDATE notes SET n = n + 1, body = body || '.' WHERE id IN (1, NEW.id); END IF;
             RETURN NULL;",
        ) + "AFTER UPDATE ON notes FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION tally()"),
    );
    run(
        conn,
        "INSERT INTO notes SELECT k, NULL, 'a' FROM generate_series(1, 3) AS k",
    );
    run(conn, "UPDATE notes SET body = 'b'");
    assert_eq!(chain(conn, 1), "I, U, U 1, U 2, U 3");
    assert_eq!(chain(conn, 2), "I, U, U 1");
    assert_eq!(chain(conn, 3), "I, U, U 1");
    // Again in the same transaction.
    run(
        conn,
        "BEGIN; UPDATE notes SET body = 'c' WHERE id = 2; UPDATE notes SET body = 'd'; COMMIT",
    );
    for id in [1, 2, 3] {
        chain(conn, id);
    }
}

#[test]
fn changes_by_a_trigger_to_the_rows_of_a_merge_come_after_it() {
    let (_, conn) = &mut table(
        &(function(
            "more",
            "UPDATE notes SET n = n + 1 WHERE id = NEW.id AND n < 2; RETURN NULL;",
        ) + "AFTER INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION more()"),
    );
    let merge = "MERGE INTO notes USING (VALUES (1), (2), (3)) AS s (id) ON notes.id = s.id
         WHEN MATCHED AND s.id = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET body = 'b', n = 0 WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)";
    run(conn, merge);
    run(conn, "DELETE FROM notes WHERE id = 2");
    run(conn, merge);
    run(conn, &format!("BEGIN; {merge}; {merge}; COMMIT"));
    assert_eq!(
        chain(conn, 1),
        "I, U 1, U 2, U 0, U 1, U 2, U 0, U 1, U 2, U 0, U 1, U 2"
    );
    assert_eq!(
        chain(conn, 2),
        "I, U 1, U 2, D, I, U 1, U 2, U 0, U 1, U 2, U 0, U 1, U 2"
    );
    assert_eq!(chain(conn, 3), "I, U 1, U 2, D, I, U 1, U 2, D");
}

#[test]
fn deletions_by_a_trigger_before_an_insertion_come_before_it() {
    let (_, conn) = &mut table(
        &(function(
            "replace",
            "DELETE FROM notes WHERE id = NEW.id; RETURN NEW;",
        ) + "BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION replace()"),
    );
    run(
        conn,
        "INSERT INTO notes (id, body) VALUES (1, 'a'), (2, 'a')",
    );
    run(conn, "INSERT INTO notes (id, body) VALUES (1, 'b')");
    run(
        conn,
        "INSERT INTO notes (id, body) VALUES (1, 'c'), (2, 'b')",
    );
    assert_eq!(chain(conn, 1), "I, D, I, D, I");
    assert_eq!(chain(conn, 2), "I, D, I");
}

#[test]
fn a_key_that_carries_references_of_its_own_table_with_it() {
    let (_, conn) = &mut table(
        "ALTER TABLE notes ADD FOREIGN KEY (parent) REFERENCES notes ON UPDATE CASCADE ON DELETE SET NULL",
    );
    run(
        conn,
        "INSERT INTO notes SELECT k, nullif(k - 1, 0), 'a' FROM generate_series(1, 4) AS k",
    );
    run(conn, "UPDATE notes SET id = id + 10, body = 'b'");
    for id in 11..=14 {
        chain(conn, id);
    }
    run(conn, "DELETE FROM notes WHERE id IN (11, 12)");
    for id in 11..=14 {
        chain(conn, id);
    }
}

#[test]
fn a_row_trigger_alone_keeps_the_order_too() {
    let (_, conn) = &mut Database::with(include_str!("is_chain.sql"));
    run(
        conn,
        &("CREATE TABLE notes (id int PRIMARY KEY, parent int, body text, n int NOT NULL DEFAULT 0) PARTITION BY RANGE (id);
           CREATE TABLE notes_1 PARTITION OF notes FOR VALUES FROM (0) TO (100);
           SELECT threadline.audit('notes');"
            .to_owned()
            + &function(
                "tally",
                "UPDATE notes SET n = n + 1, body = body || '.' WHERE id <> NEW.id; RETURN NULL;",
            )
            + "AFTER UPDATE ON notes FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION tally()"),
    );
    run(
        conn,
        "INSERT INTO notes SELECT k, NULL, 'a' FROM generate_series(1, 3) AS k",
    );
    run(conn, "UPDATE notes SET body = 'b'");
    for id in [1, 2, 3] {
        assert_eq!(chain(conn, id), "I, U, U 1, U 2");
    }
}

/// TRUNCATE, CLUSTER and a rewrite give the places of rows to other rows.
#[test]
fn places_that_are_used_again_in_one_transaction_change_no_order() {
    let (_, conn) = &mut table(
        &(function(
            "count_again",
            "UPDATE notes SET n = n + 1 WHERE id = NEW.id; RETURN NULL;",
        ) + "AFTER INSERT OR UPDATE OF body ON notes FOR EACH ROW EXECUTE FUNCTION count_again()"),
    );
    run(
        conn,
        "BEGIN;
         INSERT INTO notes (id, body) VALUES (1, 'a'), (2, 'a'), (3, 'a');
         UPDATE notes SET body = 'b';
         TRUNCATE notes;
         INSERT INTO notes (id, body) VALUES (1, 'a'), (2, 'a');
         UPDATE notes SET body = 'd' WHERE id = 2; UPDATE notes SET body = 'd' WHERE id = 1;
         DELETE FROM notes WHERE id = 2;
         INSERT INTO notes (id, body) VALUES (2, 'e');
         COMMIT",
    );
    assert_eq!(chain(conn, 1), "I, U 1, U, U 2, T, I, U 1, U, U 2");
    assert_eq!(
        chain(conn, 2),
        "I, U 1, U, U 2, T, I, U 1, U, U 2, D, I, U 1"
    );
    assert_eq!(chain(conn, 3), "I, U 1, U, U 2, T");
    run(
        conn,
        "BEGIN;
         DELETE FROM notes WHERE id = 1; UPDATE notes SET body = 'f'; UPDATE notes SET body = 'g';
         INSERT INTO notes (id, body) VALUES (4, 'f'), (5, 'f');
         CLUSTER notes USING notes_pkey;
         UPDATE notes SET body = 'h' WHERE id = 5; UPDATE notes SET body = 'h' WHERE id = 2;
         ALTER TABLE notes ALTER n TYPE bigint;
         UPDATE notes SET body = 'i'; DELETE FROM notes WHERE id = 4; UPDATE notes SET body = 'k';
         INSERT INTO notes (id, body) VALUES (1, 'f'), (4, 'f');
         COMMIT",
    );
    for id in 1..=5 {
        chain(conn, id);
    }
}

#[test]
fn changes_by_a_function_that_the_statement_calls_come_after_it() {
    let (_, conn) = &mut table(
        "CREATE FUNCTION counted(note int) RETURNS int LANGUAGE plpgsql AS $$
         BEGIN UPDATE notes SET n = n + 1 WHERE id = note; RETURN note; END $$",
    );
    for statement in [
        "INSERT INTO notes (id) VALUES (1), (2) RETURNING counted(id)",
        "UPDATE notes SET n = 10 RETURNING counted(id)",
        "INSERT INTO notes (id, parent) SELECT k, counted(k - 1) FROM generate_series(3, 6) AS k",
        "BEGIN; INSERT INTO notes (id) VALUES (7) RETURNING counted(id), counted(id);
         UPDATE notes SET n = 20 WHERE id IN (1, 7) RETURNING counted(id); COMMIT",
    ] {
        run(conn, statement);
    }
    assert_eq!(chain(conn, 1), "I, U 1, U 10, U 11, U 20, U 21");
    assert_eq!(chain(conn, 2), "I, U 1, U 10, U 11, U 12");
    assert_eq!(chain(conn, 5), "I, U 1");
    assert_eq!(chain(conn, 7), "I, U 1, U 2, U 20, U 21");
}

#[test]
fn an_insertion_by_a_trigger_comes_after_the_deletion_under_its_key() {
    let (_, conn) = &mut table(
        &(function(
            "again",
            "INSERT INTO notes (id, body) SELECT k, 'again' FROM generate_series(2, 3) AS k WHERE OLD.id = 1; RETURN NULL;",
        ) + "AFTER DELETE ON notes FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION again()"),
    );
    run(
        conn,
        "INSERT INTO notes (id) SELECT generate_series(1, 3); DELETE FROM notes",
    );
    assert_eq!(chain(conn, 1), "I, D");
    assert_eq!(chain(conn, 2), "I, D, I");
    run(
        conn,
        "BEGIN; UPDATE notes SET n = 1; INSERT INTO notes (id) VALUES (1); DELETE FROM notes; UPDATE notes SET n = 2; COMMIT",
    );
    assert_eq!(chain(conn, 1), "I, D, I, D");
    assert_eq!(chain(conn, 3), "I, D, I, U 1, D, I, U 2");
}

#[test]
fn an_insertion_of_the_values_that_were_deleted_comes_after_the_deletion_too() {
    let (_, conn) = &mut table(
        &(function(
            "again",
            "INSERT INTO notes (id) VALUES (2), (3); RETURN NULL;",
        ) + "AFTER DELETE ON notes FOR EACH ROW WHEN (OLD.id = 1) EXECUTE FUNCTION again()"),
    );
    // In transactions of their own.
    run(conn, "INSERT INTO notes (id) VALUES (1), (2), (3)");
    run(conn, "DELETE FROM notes");
    assert_eq!(chain(conn, 2), "I, D, I");
    // The same row, in another place since the table was written anew.
    run(
        conn,
        "INSERT INTO notes (id) VALUES (1); DELETE FROM notes WHERE id > 1; COMMIT;
         BEGIN; DELETE FROM notes; CLUSTER notes USING notes_pkey; DELETE FROM notes WHERE id = 2; COMMIT",
    );
    assert_eq!(chain(conn, 2), "I, D, I, D, I, D");
    assert_eq!(chain(conn, 3), "I, D, I, D, I");
}

#[test]
fn a_forged_setting_changes_no_order_and_fails_nothing() {
    let (_, conn) = &mut table("");
    for forged in ["x", "9", "-1", "99999999999"] {
        run(
            conn,
            &format!(
                "SELECT set_config('threadline.nested_1', '{forged}', false);
                 INSERT INTO notes (id) VALUES (1), (2); UPDATE notes SET n = 1; UPDATE notes SET n = 2 WHERE id = 1;
                 DELETE FROM notes"
            ),
        );
    }
    assert_eq!(chain(conn, 1), ["I, U 1, U 2, D"; 4].join(", "));
}

/// With values that jsonb has no form for, and doubly nested writes.
#[test]
fn three_triggers_deep_each_change_follows_from_the_one_before() {
    for (of_type, values) in [
        ("text", ["'one'", "'two'", "'three'", "'four'"]),
        (
            "json",
            [r#"'"\ud800"'"#, r#"'"\u0000"'"#, r#"'"\ud801"'"#, "'5'"],
        ),
    ] {
        let [one, two, three, four] = values;
        let (_database, mut conn) = table(&format!(
            "ALTER TABLE notes ADD more {of_type};
             CREATE FUNCTION deeper() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF NEW.n < 3 THEN
                     UPDATE notes SET n = NEW.n + 1, more = CASE NEW.n WHEN 0 THEN {two}::{of_type} WHEN 1 THEN {three} ELSE {four} END
                     WHERE id = NEW.id AND n = NEW.n;
                 END IF;
                 RETURN NULL;
             END $$;
             CREATE TRIGGER deeper AFTER INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION deeper()"
        ));
        run(
            &mut conn,
            &format!(
                "INSERT INTO notes (id, more) VALUES (1, {one});
                 INSERT INTO notes (id, more) SELECT k, {one} FROM generate_series(2, 120) AS k;
                 UPDATE notes SET n = 1, body = 'again' WHERE id IN (1, 2)"
            ),
        );
        assert_eq!(
            chain(&mut conn, 1),
            "I, U 1, U 2, U 3, U 1, U 2, U 3",
            "{of_type}"
        );
        assert_eq!(
            chain(&mut conn, 2),
            "I, U 1, U 2, U 3, U 1, U 2, U 3",
            "{of_type}"
        );
        assert_eq!(chain(&mut conn, 120), "I, U 1, U 2, U 3", "{of_type}");
    }
}
