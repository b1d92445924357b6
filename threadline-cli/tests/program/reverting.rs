use diesel::PgConnection;
use threadline_tests::{assert_contains, assert_rows, run, value};

use super::Place;

fn place() -> (Place, PgConnection) {
    let place = Place::new();
    let mut conn = place.database.connect();
    run(
        &mut conn,
        "CREATE TABLE members (id bigint PRIMARY KEY, role text)",
    );
    place.file("[tables.members]\n");
    place.done(&["install"]);
    place.done(&["audit", "--yes"]);
    run(
        &mut conn,
        "INSERT INTO members VALUES (1, 'member'), (2, 'member')",
    );
    run(&mut conn, "UPDATE members SET role = 'admin'");
    run(&mut conn, "SELECT threadline.post()");
    (place, conn)
}

const ROLES: &str = "SELECT id, role FROM members ORDER BY id";

fn mistake(conn: &mut PgConnection) -> String {
    value(conn, "SELECT max(transaction_id) FROM threadline.changes").unwrap()
}

const WHO: [&str; 4] = ["--actor", "admin:grace", "--reason", "ticket 31"];

#[test]
fn a_transaction_is_undone_after_it_was_shown() {
    let (place, mut conn) = place();
    let conn = &mut conn;
    let id = mistake(conn);
    let arguments = [&["revert", "transaction", &id][..], &WHO].concat();

    let preview = [&arguments[..], &["--dry-run"]].concat();
    let changes = "SELECT count(*) FROM threadline.changes";
    let before = value(conn, changes);
    let shown = place.done(&preview);
    assert_contains(&shown, "update of members 1 by admin:grace");
    assert_contains(&shown, "role  admin -> member");
    assert!(shown.ends_with("2 changes revert it.\n"), "{shown}");
    assert_rows(conn, ROLES, ["1 | admin", "2 | admin"]);
    assert_eq!(value(conn, changes), before);
    assert!(place.refused(&arguments).contains("pass --yes"));

    place.done(&[&arguments[..], &["--yes"]].concat());
    assert_rows(conn, ROLES, ["1 | member", "2 | member"]);
    assert_rows(
        conn,
        "SELECT name, reason, actor_id FROM threadline.actions",
        ["incident.reverted | ticket 31 | grace"],
    );
}

#[test]
fn a_conflict_is_named_and_can_be_left_out() {
    let (place, mut conn) = place();
    let conn = &mut conn;
    let id = mistake(conn);
    run(conn, "UPDATE members SET role = 'owner' WHERE id = 1");
    let arguments = [&["revert", "transaction", &id, "--yes"][..], &WHO].concat();
    let refused = place.refused(&arguments);
    assert_contains(&refused, "changed since: role");
    let flag = refused.split("`--leave-out ").nth(1).unwrap();
    let change = flag.split('`').next().unwrap();
    assert_rows(conn, ROLES, ["1 | owner", "2 | admin"]);

    place.done(&[&arguments[..], &["--leave-out", change]].concat());
    assert_rows(conn, ROLES, ["1 | owner", "2 | member"]);
}

#[test]
fn a_record_is_reverted_to_an_instant() {
    let (place, mut conn) = place();
    let conn = &mut conn;
    let then = value(
        conn,
        "SELECT to_char(max(captured_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM threadline.changes WHERE op = 'insert'",
    )
    .unwrap();
    let arguments = [
        &["revert", "record", "members", "1", "--to", &then, "--yes"][..],
        &WHO,
    ]
    .concat();
    let done = place.done(&arguments);
    assert_contains(&done, "role  admin -> member");
    assert_rows(conn, ROLES, ["1 | member", "2 | admin"]);
    assert_eq!(place.done(&arguments), "There is nothing to revert.\n");
}
