//! Instants around writes that were not recorded because capture was suspended.

use diesel::PgConnection;
use threadline_tests::{Database, assert_refused, assert_value, rows, run, value};

const WRITTEN: &str = "CREATE TABLE prices (id int PRIMARY KEY, price int, note text);
     INSERT INTO prices VALUES (9, 9, 'early');
     SELECT threadline.audit('prices');
     INSERT INTO prices VALUES (1, 1, 'a'), (2, 2, 'b');
     DELETE FROM prices WHERE id = 2";

fn now(conn: &mut PgConnection) -> String {
    value(conn, "SELECT clock_timestamp()::text").unwrap()
}

fn all(conn: &mut PgConnection, at: &str) -> Vec<String> {
    rows(
        conn,
        &format!(
            "SELECT image::text FROM threadline.rows_as_of('prices', '{at}') ORDER BY record_key"
        ),
    )
}

fn each(conn: &mut PgConnection, at: &str) -> Vec<String> {
    rows(
        conn,
        &format!(
            "SELECT k, r.state, r.image ->> 'price', r.image ->> 'note'
             FROM unnest('{{1,2,3,9}}'::text[]) AS k, threadline.record_as_of('prices', k, '{at}') AS r"
        ),
    )
}

const LOAD: &str =
    "UPDATE prices SET note = 'load'; INSERT INTO prices VALUES (2, 20, 'load'), (3, 30, 'load')";

#[test]
fn what_was_written_while_capture_was_suspended_is_shown_or_refused() {
    for for_session in [false, true] {
        let (database, conn) = &mut Database::with(WRITTEN);
        let before = now(conn);
        run(
            conn,
            &if for_session {
                format!(
                    "SELECT threadline.suspend('load', for_session => true); {LOAD}; SELECT threadline.resume()"
                )
            } else {
                format!("BEGIN; SELECT threadline.suspend('load'); {LOAD}; COMMIT")
            },
        );
        // When it ended is not known yet.
        let about_then = now(conn);
        for _ in 0..2 {
            assert_eq!(
                each(conn, &about_then),
                ["1", "2", "3", "9"].map(|k| format!("{k} | incomplete | NULL | NULL"))
            );
            assert_refused(
                conn,
                &format!("SELECT threadline.rows_as_of('prices', '{about_then}')"),
                "while capture was suspended",
            );
            run(&mut database.connect(), "SELECT threadline.post()");
        }
        let after = now(conn);
        let loaded = [
            r#"{"id": 1, "note": "load", "price": 1}"#,
            r#"{"id": 2, "note": "load", "price": 20}"#,
            r#"{"id": 3, "note": "load", "price": 30}"#,
            r#"{"id": 9, "note": "load", "price": 9}"#,
        ];
        let each_loaded = [
            "1 | there | 1 | load",
            "2 | there | 20 | load",
            "3 | there | 30 | load",
            "9 | there | 9 | load",
        ];
        assert_eq!(all(conn, &after), loaded);
        assert_eq!(each(conn, &after), each_loaded);
        run(conn, "UPDATE prices SET price = 5 WHERE id IN (1, 3)");
        let changed = now(conn);
        run(
            conn,
            "UPDATE prices SET note = 'c'; DELETE FROM prices WHERE id = 3",
        );
        assert_eq!(all(conn, &after), loaded);
        assert_eq!(each(conn, &after), each_loaded);
        assert_eq!(
            each(conn, &changed),
            [
                "1 | there | 5 | load",
                "2 | there | 20 | load",
                "3 | there | 5 | load",
                "9 | there | 9 | load",
            ]
        );
        // What was recorded before is known where it gives the whole row.
        assert_eq!(
            each(conn, &before),
            [
                "1 | there | 1 | a",
                "2 | deleted | NULL | NULL",
                "3 | incomplete | NULL | NULL",
                "9 | incomplete | NULL | NULL",
            ]
        );
        assert_refused(
            conn,
            &format!("SELECT threadline.rows_as_of('prices', '{before}')"),
            "while capture was suspended",
        );
    }
}

/// Nor is anything known to have been written if it was rolled back, or went elsewhere.
#[test]
fn a_suspension_without_writes_to_a_table_leaves_its_answers() {
    let (_, conn) = &mut Database::with(WRITTEN);
    run(
        conn,
        "CREATE TABLE others (id int PRIMARY KEY); SELECT threadline.audit('others')",
    );
    let before = now(conn);
    let shown = all(conn, &before);
    run(
        conn,
        "BEGIN; SELECT threadline.suspend('load'); INSERT INTO others VALUES (1);
         SAVEPOINT one; UPDATE prices SET note = 'load'; ROLLBACK TO one; COMMIT",
    );
    assert_eq!(all(conn, &before), shown);
    assert_eq!(shown.len(), 2);
    assert_refused(
        conn,
        &format!("SELECT threadline.rows_as_of('others', '{before}')"),
        "while capture was suspended",
    );
}

/// It may yet write before any instant from its first write on.
#[test]
fn no_instant_is_final_while_a_suspended_session_writes() {
    let (database, conn) = &mut Database::with(WRITTEN);
    let mut loader = database.connect();
    run(
        &mut loader,
        "SELECT threadline.suspend('load', for_session => true)",
    );
    run(&mut loader, "BEGIN; UPDATE prices SET note = 'load'");
    let at = now(conn);
    assert_value(
        conn,
        &format!("SELECT state FROM threadline.record_as_of('prices', '1', '{at}')"),
        "not_final",
    );
    run(&mut loader, "COMMIT");
    run(conn, "SELECT threadline.post()");
    let at = now(conn);
    assert_value(
        conn,
        &format!("SELECT image ->> 'note' FROM threadline.record_as_of('prices', '1', '{at}')"),
        "load",
    );
}
