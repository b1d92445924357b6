//! A revert fires the application's own triggers like any other write.

use threadline::revert_transaction;
use threadline_tests::{Database, assert_rows, assert_value, rows, run, value};

use super::common::{last, refusal, revert_each, reverted, there_and_back, transaction};

/// As `diesel_manage_updated_at` creates it.
const UPDATED_AT: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text, pages int, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW IS DISTINCT FROM OLD AND NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
            NEW.updated_at := current_timestamp;
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER set_updated_at BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION set_updated_at();
    SELECT threadline.audit('notes');
    INSERT INTO notes VALUES (1, 'one'), (2, 'two');
";

#[test]
fn a_column_that_a_trigger_keeps_up_to_date_is_no_change_since() {
    let (_, conn) = &mut Database::with(UPDATED_AT);
    for sql in [
        "UPDATE notes SET body = 'x' WHERE id = 1",
        "UPDATE notes SET body = 'x' WHERE id = 1; UPDATE notes SET body = 'y' WHERE id = 1; UPDATE notes SET pages = 1",
        "INSERT INTO notes VALUES (3, 'three'); UPDATE notes SET body = 'x' WHERE id = 3; UPDATE notes SET body = 'y' WHERE id = 3",
        "UPDATE notes SET body = 'x'; UPDATE notes SET body = 'y'; DELETE FROM notes WHERE id = 1",
        "UPDATE notes SET body = 'x'; UPDATE notes SET id = id + 10; UPDATE notes SET body = 'y'",
    ] {
        let before = rows(conn, "SELECT id, body, pages FROM notes ORDER BY id");
        let mistake = transaction(conn, sql);
        revert_transaction(conn, mistake).unwrap();
        assert_eq!(
            rows(conn, "SELECT id, body, pages FROM notes ORDER BY id"),
            before,
            "{sql}"
        );
        for _ in 0..2 {
            let revert = last(conn);
            revert_transaction(conn, revert).unwrap();
        }
        assert_eq!(
            rows(conn, "SELECT id, body, pages FROM notes ORDER BY id"),
            before,
            "{sql}"
        );
    }
}

#[test]
fn a_time_that_a_trigger_always_sets_is_that_of_the_revert() {
    let (_, conn) = &mut Database::with(UPDATED_AT);
    run(
        conn,
        "CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$",
    );
    let mistake = transaction(
        conn,
        "UPDATE notes SET body = 'x'; UPDATE notes SET body = 'y'; INSERT INTO notes VALUES (3); UPDATE notes SET body = 'z'",
    );
    let before = value(conn, "SELECT max(updated_at) FROM notes");
    revert_transaction(conn, mistake).unwrap();
    assert_rows(
        conn,
        "SELECT id, body FROM notes ORDER BY id",
        ["1 | one", "2 | two"],
    );
    assert!(value(conn, "SELECT min(updated_at) FROM notes") > before);
}

#[test]
fn a_change_since_is_seen_beside_what_a_trigger_does() {
    let (_, conn) = &mut Database::with(UPDATED_AT);
    let mistake = transaction(
        conn,
        "UPDATE notes SET body = 'x', updated_at = '2026-01-01Z'; UPDATE notes SET body = 'y', updated_at = '2026-01-02Z'",
    );
    run(
        conn,
        "UPDATE notes SET body = 'other', updated_at = '2026-01-03Z' WHERE id = 2",
    );
    insta::assert_snapshot!(refusal(conn, &["notes"], mistake));
}

#[test]
fn counts_that_triggers_keep_are_what_they_were() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE shelves (id int PRIMARY KEY, books int NOT NULL);
         CREATE TABLE books (id int PRIMARY KEY, shelf int NOT NULL REFERENCES shelves);
         CREATE FUNCTION count_books() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF TG_OP <> 'INSERT' THEN UPDATE shelves SET books = books - 1 WHERE id = OLD.shelf; END IF;
             IF TG_OP <> 'DELETE' THEN UPDATE shelves SET books = books + 1 WHERE id = NEW.shelf; END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER count_books AFTER INSERT OR UPDATE OR DELETE ON books FOR EACH ROW EXECUTE FUNCTION count_books();
         SELECT threadline.audit('shelves'), threadline.audit('books');
         INSERT INTO shelves VALUES (1, 0), (2, 0);
         INSERT INTO books VALUES (1, 1), (2, 1), (3, 2);",
    );
    for sql in [
        "INSERT INTO books VALUES (4, 1)",
        "DELETE FROM books WHERE id = 1",
        "UPDATE books SET shelf = 2",
        "INSERT INTO books VALUES (4, 1), (5, 2); DELETE FROM books WHERE id = 1; UPDATE books SET shelf = 1",
    ] {
        reverted(conn, &["shelves", "books"], sql);
    }
}

#[test]
fn rows_that_triggers_make_with_others_are_as_they_were() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE members (id int PRIMARY KEY, name text);
         CREATE TABLE settings (member int PRIMARY KEY REFERENCES members ON DELETE CASCADE, theme text DEFAULT 'light');
         CREATE FUNCTION make_settings() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO settings VALUES (NEW.id);
             RETURN NULL;
         END $$;
         CREATE TRIGGER make_settings AFTER INSERT ON members FOR EACH ROW EXECUTE FUNCTION make_settings();
         SELECT threadline.audit('members'), threadline.audit('settings');
         INSERT INTO members VALUES (1, 'ada'), (2, 'bob');
         UPDATE settings SET theme = 'dark' WHERE member = 1;",
    );
    for sql in [
        "DELETE FROM members",
        "INSERT INTO members VALUES (3, 'eve')",
        "INSERT INTO members VALUES (3, 'eve'); UPDATE settings SET theme = 'dark'; DELETE FROM members WHERE id < 3",
    ] {
        there_and_back(conn, &["members", "settings"], sql);
    }
}

#[test]
fn triggers_run_under_the_callers_search_path() {
    let (_, conn) = &mut Database::with(
        "CREATE SCHEMA tenant;
         CREATE TABLE public.log (line text); CREATE TABLE tenant.log (line text);
         CREATE TABLE tenant.notes (id int PRIMARY KEY, body text);
         CREATE FUNCTION tenant.log_it() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO log SELECT TG_OP || ' ' || current_setting('search_path');
             RETURN NULL;
         END $$;
         CREATE TRIGGER log_it AFTER INSERT OR UPDATE OR DELETE ON tenant.notes FOR EACH ROW EXECUTE FUNCTION tenant.log_it();
         SELECT threadline.audit('tenant.notes');
         SET search_path = tenant;
         INSERT INTO notes VALUES (1, 'one'), (2, 'two');",
    );
    let updated = transaction(conn, "UPDATE notes SET body = 'x' WHERE id = 1");
    let deleted = transaction(conn, "DELETE FROM notes WHERE id = 2");
    let inserted = transaction(conn, "INSERT INTO notes VALUES (3)");
    run(conn, "TRUNCATE log");
    revert_each(conn, [inserted, deleted, updated]);
    assert_rows(
        conn,
        "SELECT line FROM log",
        ["DELETE tenant", "INSERT tenant", "UPDATE tenant"],
    );
    assert_value(conn, "SELECT count(*) FROM public.log", "0");
}

#[test]
fn a_trigger_that_refuses_is_a_reason_beside_the_others() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text); SELECT threadline.audit('notes');
         INSERT INTO notes VALUES (1, 'one'), (2, 'two');",
    );
    let mistake = transaction(
        conn,
        "UPDATE notes SET body = 'x'; INSERT INTO notes VALUES (3)",
    );
    run(
        conn,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'notes are closed on Sundays'; END $$;
         UPDATE notes SET body = 'changed' WHERE id = 2;
         CREATE TRIGGER refuse BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    insta::assert_snapshot!(refusal(conn, &["notes"], mistake));
}

#[test]
fn a_trigger_that_swallows_the_write_is_no_success() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text); SELECT threadline.audit('notes');
         INSERT INTO notes VALUES (1, 'one'), (2, 'two');
         CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;",
    );
    let updated = transaction(conn, "UPDATE notes SET body = 'x' WHERE id = 1");
    let deleted = transaction(conn, "DELETE FROM notes WHERE id = 2");
    let inserted = transaction(conn, "INSERT INTO notes VALUES (3)");
    run(
        conn,
        "CREATE TRIGGER swallow BEFORE INSERT OR UPDATE OR DELETE ON notes FOR EACH ROW EXECUTE FUNCTION swallow()",
    );
    let all: Vec<_> = [updated, deleted, inserted]
        .into_iter()
        .map(|mistake| refusal(conn, &["notes"], mistake))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}
