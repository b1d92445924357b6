//! What a command did to types and names is not taken for a write that bypassed the
//! triggers, and a real one is still found.

use threadline_tests::{Database, exchange, run};

use super::found;

const TABLES: &str = "
    CREATE TYPE level AS ENUM ('low', 'high');
    CREATE TYPE grades AS RANGE (subtype = level);
    CREATE TYPE place AS (street text, no int, grade level);
    CREATE TYPE trip AS (start place, stops place[]);
    CREATE DOMAIN home AS place;
    CREATE TABLE of_types (id int PRIMARY KEY, n int, at place, many place[], home home, trip trip, grade level, levels level[], grades grades);
    SELECT threadline.audit('of_types');
    INSERT INTO of_types
    SELECT k, 1, p, ARRAY[p, p], p, (p, ARRAY[p])::trip, 'low', '{low,high}', '[low,high]'
    FROM generate_series(1, 3) AS k, (SELECT ROW('here', 1, 'low')::place AS p) AS one;
    UPDATE of_types SET n = 2 WHERE id = 1;";

const COMMANDS: [&str; 9] = [
    "ALTER TYPE place ADD ATTRIBUTE zip text",
    "ALTER TYPE place RENAME ATTRIBUTE street TO road",
    "ALTER TYPE place DROP ATTRIBUTE no",
    // A type that is in use is changed like this.
    "ALTER TYPE place DROP ATTRIBUTE no; ALTER TYPE place ADD ATTRIBUTE no text",
    "ALTER TYPE trip ADD ATTRIBUTE days int; ALTER TYPE trip DROP ATTRIBUTE start",
    "ALTER TYPE level RENAME VALUE 'low' TO 'small'; ALTER TYPE level ADD VALUE 'more'",
    "ALTER DOMAIN home ADD CHECK (true); ALTER DOMAIN home RENAME TO house",
    "ALTER TABLE of_types ALTER n TYPE bigint, ALTER grade TYPE text, ALTER at TYPE text",
    "ALTER TYPE place RENAME TO spot; ALTER TABLE of_types ALTER grade TYPE text COLLATE \"C\"",
];

#[test]
fn a_command_that_changes_a_type_is_no_bypass_of_the_triggers() {
    for command in COMMANDS {
        let (_, conn) = &mut Database::with(TABLES);
        run(conn, command);
        let broken = |found: Vec<String>| -> Vec<String> {
            let of_rows = |code: &String| code.starts_with("row-") || code.starts_with("chain-b");
            found.into_iter().filter(of_rows).collect()
        };
        assert_eq!(broken(found(conn)), [""; 0], "after {command}");
        run(conn, "UPDATE of_types SET n = 3 WHERE id = 2");
        assert_eq!(broken(found(conn)), [""; 0], "written after {command}");
        run(
            conn,
            "SELECT threadline.refresh('of_types'), threadline.post()",
        );
        assert_eq!(found(conn), [""; 0], "refreshed after {command}");
        run(
            conn,
            "UPDATE of_types SET n = 4; DELETE FROM of_types WHERE id = 3",
        );
        assert_eq!(found(conn), [""; 0], "continued after {command}");
        run(
            conn,
            "ALTER TABLE of_types DISABLE TRIGGER ALL; UPDATE of_types SET n = 9 WHERE id = 1; ALTER TABLE of_types ENABLE TRIGGER ALL",
        );
        let found = broken(found(conn));
        assert_eq!(found, ["row-altered public.of_types"], "after {command}");
    }
}

/// A value within a composite one is compared, also of an attribute that came since.
#[test]
fn a_bypass_is_found_within_a_type_that_was_changed() {
    for (command, bypass) in [
        ("ADD ATTRIBUTE zip text", "at.street = 'else'"),
        ("ADD ATTRIBUTE zip text", "at.zip = 'new'"),
        ("ADD ATTRIBUTE zip text", "many[2].grade = 'high'"),
        (
            "ADD ATTRIBUTE zip text",
            "trip.start = ROW('else', 1, 'low', NULL)",
        ),
        (
            "RENAME ATTRIBUTE street TO road",
            "trip.start = ROW('here', 2, 'low')",
        ),
    ] {
        let (_, conn) = &mut Database::with(TABLES);
        run(conn, &format!("ALTER TYPE place {command}"));
        assert_eq!(found(conn), [""; 0], "after {command}");
        run(
            conn,
            &format!(
                "ALTER TABLE of_types DISABLE TRIGGER ALL; UPDATE of_types SET {bypass} WHERE id = 1;
                 ALTER TABLE of_types ENABLE TRIGGER ALL; SELECT threadline.refresh('of_types')"
            ),
        );
        assert_eq!(found(conn), ["row-altered public.of_types"], "{bypass}");
    }
}

/// Until a refresh, a plain column under the name of a masked one is masked.
#[test]
fn names_that_columns_exchanged_are_no_bypass_of_the_triggers() {
    for policy in ["mask", "exclude", "hash"] {
        for swap in [
            &*exchange("users", "email", "nick"),
            "ALTER TABLE users DROP email; ALTER TABLE users RENAME nick TO email",
            "ALTER TABLE users RENAME email TO mail; ALTER TABLE users RENAME nick TO email",
        ] {
            let (_, conn) = &mut Database::with(&format!(
                "CREATE TABLE users (id int PRIMARY KEY, email text, nick text, n int);
                 SELECT threadline.audit('users', {policy} => ARRAY['email']);
                 INSERT INTO users VALUES (1, 'secret', 'a', 1), (2, 'secret', 'b', 1);
                 UPDATE users SET nick = 'c', n = 2 WHERE id = 1"
            ));
            run(conn, swap);
            run(conn, "UPDATE users SET email = 'd', n = 3 WHERE id = 1");
            run(conn, "SELECT threadline.refresh('users')");
            assert_eq!(found(conn), [""; 0], "{policy}: {swap}");
            run(
                conn,
                "UPDATE users SET email = 'e', n = 4; DELETE FROM users WHERE id = 2",
            );
            assert_eq!(found(conn), [""; 0], "{policy}: {swap}");
            run(
                conn,
                "ALTER TABLE users DISABLE TRIGGER ALL; UPDATE users SET email = 'f'; ALTER TABLE users ENABLE TRIGGER ALL;
                 SELECT threadline.refresh('users')",
            );
            assert_eq!(
                found(conn),
                ["row-altered public.users"],
                "{policy}: {swap}"
            );
        }
    }
}
