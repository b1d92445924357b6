//! What a history does not have, and where to find it.

use threadline_tests::{assert_contains, run, value};

use super::Place;

#[test]
fn a_history_names_the_primary_key_of_before_and_the_truncate_that_is_not_in_it() {
    let (place, conn) = &mut Place::new().connected();
    // No insertion of the third row is on record.
    run(
        conn,
        "CREATE TABLE members (id bigint PRIMARY KEY, email text, placed date NOT NULL DEFAULT '2026-01-02');
         INSERT INTO members VALUES (3, 'c')",
    );
    place.file("[tables.members]\n");
    place.done(&["install"]);
    place.done(&["audit", "--yes"]);
    run(conn, "INSERT INTO members VALUES (1, 'a'), (2, 'b')");
    run(conn, "UPDATE members SET email = email || '@example.org'");
    run(
        conn,
        "BEGIN; ALTER TABLE members DROP CONSTRAINT members_pkey, ADD PRIMARY KEY (id, placed);
         SELECT threadline.refresh('members'); COMMIT",
    );
    run(conn, "UPDATE members SET email = upper(email)");

    let history = |id: &str| place.run(&["history", "members", id, "2026-01-02"]);
    let whole = history("1");
    assert_eq!(whole.code, 0);
    assert_eq!(whole.error, "");
    assert_eq!(whole.out.matches("members").count(), 3, "{}", whole.out);
    let part = history("3");
    assert_eq!(part.code, 0);
    assert!(
        part.error
            .contains("the primary key of members was (id). Changes of that time are found by its columns: timeline --table members --key id=…"),
        "{}",
        part.error
    );
    let before = place.done(&["timeline", "--table", "members", "--key", "id=3"]);
    assert_eq!(before.matches("members").count(), 2, "{before}");
    let nothing = place.refused(&["history", "members", "9", "2026-01-02"]);
    assert!(
        nothing
            .contains("no row with this key was written since the primary key became (id, placed)")
            && nothing.contains("the primary key of members was (id)"),
        "{nothing}"
    );

    run(
        conn,
        "UPDATE threadline.audited_tables SET truncate_limit = 1",
    );
    run(conn, "TRUNCATE members");
    let removed = history("1");
    assert!(
        removed.error.contains("A TRUNCATE at ")
            && removed
                .error
                .contains(" removed it: only the number of rows is on record, see transaction "),
        "{}",
        removed.error
    );
    let now = value(
        conn,
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    )
    .unwrap();
    let gone = place.refused(&["as-of", "members", "1", "2026-01-02", "--at", &now]);
    assert_contains(&gone, "the record had been deleted by then");
    // It began again.
    run(
        conn,
        "INSERT INTO members VALUES (1, 'd'); DELETE FROM members",
    );
    assert!(history("1").error.contains(" removed it: "));
    run(conn, "TRUNCATE members");
    assert_eq!(history("1").error.matches("A TRUNCATE at ").count(), 1);
}
