//! Records that stay, are inserted, change and are deleted.

use diesel::prelude::*;
use serde_json::json;
use threadline::{ActorRef, AuditContext, Audited, ErrorKind, Operation, Unavailable};
use threadline_tests::{Database, now, run_under};

use crate::{Copy, after_each, each};

diesel::table! {
    members (id) {
        id -> Int4,
        name -> Text,
        note -> Nullable<Text>,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = members)]
struct Member {
    id: i32,
    name: String,
    note: Option<String>,
}

fn member(id: i32, name: &str, note: Option<&str>) -> Member {
    Member {
        id,
        name: name.into(),
        note: note.map(Into::into),
    }
}

const MEMBERS: &str = "CREATE TABLE members (id int PRIMARY KEY, name text NOT NULL, note text)";
const AUDIT: &str = "SELECT threadline.audit('members')";

/// Returns all of the table, by key.
fn all(conn: &mut PgConnection, at: chrono::DateTime<chrono::Utc>) -> Vec<Member> {
    let mut members: Vec<_> = Member::all_as_of(conn, at)
        .unwrap()
        .map(|past| past.unwrap().record.unwrap())
        .collect();
    members.sort_by_key(|member| member.id);
    members
}

#[test]
fn a_record_is_as_it_was_also_one_older_than_the_audit() {
    let (_, conn) = &mut Database::new().connected();
    let at_first = each(
        conn,
        &[
            MEMBERS,
            "INSERT INTO members VALUES (1, 'Ada', NULL), (2, 'Bob', 'b')",
            AUDIT,
        ],
    );
    let renamed = each(conn, &["UPDATE members SET name = 'Ada L.' WHERE id = 1"]);
    let noted = each(
        conn,
        &["UPDATE members SET name = 'Ada Lovelace', note = 'noted' WHERE id = 1"],
    );
    let cleared = each(conn, &["UPDATE members SET note = NULL WHERE id = 1"]);

    let bob = member(2, "Bob", Some("b"));
    for (at, ada) in [
        (at_first, member(1, "Ada", None)),
        (renamed, member(1, "Ada L.", None)),
        (noted, member(1, "Ada Lovelace", Some("noted"))),
        (cleared, member(1, "Ada Lovelace", None)),
    ] {
        assert_eq!(Member::as_of(conn, 1, at).unwrap().unwrap(), ada);
        assert_eq!(Member::as_of(conn, 2, at).unwrap().unwrap(), bob);
        assert_eq!(all(conn, at), [ada.clone(), bob.clone()]);
        assert_eq!(
            Member::as_of_json(conn, 1, at).unwrap().unwrap(),
            json!({"id": 1, "name": ada.name, "note": ada.note})
        );
    }
    let past: Vec<_> = Member::all_as_of(conn, renamed)
        .unwrap()
        .map(Result::unwrap)
        .filter(|past| past.key == json!({"id": 1}))
        .collect();
    assert_eq!(past.len(), 1);
    assert_eq!(
        past[0].image,
        json!({"id": 1, "name": "Ada L.", "note": null})
    );
    assert!(past[0].redacted.is_empty());
}

#[test]
fn a_change_counts_from_the_instant_of_its_capture_on() {
    let (_, conn) = &mut after_each(&[
        MEMBERS,
        AUDIT,
        "INSERT INTO members VALUES (1, 'Ada', NULL)",
    ]);
    each(conn, &["UPDATE members SET name = 'Ada L.'"]);
    let at = Member::history_of(conn, 1).unwrap()[0].captured_at;
    let before = at - chrono::TimeDelta::microseconds(1);
    let name = |conn: &mut PgConnection, at| Member::as_of(conn, 1, at).unwrap().unwrap().name;
    assert_eq!(name(conn, at), "Ada L.");
    assert_eq!(name(conn, before), "Ada");
    assert_eq!(all(conn, at)[0].name, "Ada L.");
    assert_eq!(all(conn, before)[0].name, "Ada");
}

#[test]
fn a_record_that_was_not_there_says_why() {
    let (_, conn) = &mut Database::new().connected();
    let before = each(conn, &[MEMBERS, AUDIT]);
    let ada = AuditContext::new(ActorRef::user("ada").unwrap());
    let inserted = each(conn, &["INSERT INTO members VALUES (1, 'Ada', NULL)"]);
    run_under(conn, &ada, "DELETE FROM members WHERE id = 1");
    let deleted = now(conn);
    let again = each(conn, &["INSERT INTO members VALUES (1, 'Zoe', 'new')"]);
    let truncated = each(conn, &["TRUNCATE members"]);
    let last = each(conn, &["INSERT INTO members VALUES (1, 'Eve', NULL)"]);

    let at = |conn: &mut PgConnection, at| Member::as_of(conn, 1, at).unwrap();
    assert_eq!(at(conn, before), Err(Unavailable::NeverExisted));
    assert_eq!(at(conn, inserted), Ok(member(1, "Ada", None)));
    let Err(Unavailable::Deleted { change }) = at(conn, deleted) else {
        panic!("{:?}", at(conn, deleted))
    };
    assert_eq!(change.operation, Operation::Delete);
    assert_eq!(change.actor(), Some(&ActorRef::user("ada").unwrap()));
    assert!(change.captured_at > inserted && change.captured_at <= deleted);
    assert_eq!(at(conn, again), Ok(member(1, "Zoe", Some("new"))));
    let Err(Unavailable::Deleted { change }) = at(conn, truncated) else {
        panic!("{:?}", at(conn, truncated))
    };
    assert_eq!(change.operation, Operation::Truncate);
    assert_eq!(at(conn, last), Ok(member(1, "Eve", None)));

    assert_eq!(
        Member::as_of(conn, 2, last).unwrap(),
        Err(Unavailable::NeverExisted)
    );
    assert_eq!(
        Member::as_of_json(conn, 1, before).unwrap(),
        Err(Unavailable::NeverExisted)
    );
    let counts = [before, inserted, deleted, again, truncated, last]
        .map(|at| Member::all_as_of(conn, at).unwrap().count());
    assert_eq!(counts, [0, 1, 0, 1, 0, 1]);
}

#[test]
fn the_table_at_an_instant_equals_its_copy() {
    let (_, conn) = &mut after_each(&[
        MEMBERS,
        "INSERT INTO members SELECT i, 'old ' || i, NULL FROM generate_series(1, 9) AS i",
        AUDIT,
    ]);
    Copy::around_each(
        conn,
        "members",
        &[
            "UPDATE members SET note = 'x' WHERE id < 4",
            "DELETE FROM members WHERE id IN (2, 5)",
            "INSERT INTO members VALUES (2, 'again', 'y'), (10, 'new', NULL)",
            "UPDATE members SET name = name, note = note",
            "INSERT INTO members VALUES (1, 'upserted', NULL), (11, 'new', NULL)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name",
            "BEGIN; UPDATE members SET note = 'gone'; ROLLBACK",
            "BEGIN; DELETE FROM members WHERE id = 1; INSERT INTO members VALUES (1, 'a', NULL);
         UPDATE members SET note = 'b' WHERE id = 1; DELETE FROM members WHERE id = 1;
         INSERT INTO members VALUES (1, 'c', NULL); COMMIT",
            "BEGIN; INSERT INTO members VALUES (20, 'a', NULL); DELETE FROM members WHERE id = 20; COMMIT",
            "TRUNCATE members",
            "INSERT INTO members VALUES (3, 'after', NULL)",
            "WITH gone AS (DELETE FROM members RETURNING *) INSERT INTO members SELECT id + 1, name, 'moved' FROM gone",
            "DELETE FROM members",
        ],
    );
}

#[test]
fn versions_agree_with_what_was_at_each_change() {
    let (_, conn) = &mut after_each(&[
        MEMBERS,
        "INSERT INTO members VALUES (1, 'Ada', NULL)",
        AUDIT,
        "UPDATE members SET name = 'Ada L.'",
        "UPDATE members SET note = 'n'",
        "DELETE FROM members",
        "INSERT INTO members VALUES (1, 'Bob', 'b')",
        "UPDATE members SET note = NULL",
        "TRUNCATE members",
        "INSERT INTO members VALUES (1, 'Cy', 'c')",
        "UPDATE members SET name = 'Cyd', note = 'cc'",
    ]);
    let versions = Member::versions_of(conn, 1).unwrap();
    assert_eq!(versions.len(), 8);
    for version in versions {
        let then = Member::as_of(conn, 1, version.change.captured_at).unwrap();
        let image = Member::as_of_json(conn, 1, version.change.captured_at).unwrap();
        match version.change.operation {
            Operation::Delete | Operation::Truncate => {
                let Err(Unavailable::Deleted { change }) = then else {
                    panic!("{then:?}")
                };
                assert_eq!(*change, version.change);
            }
            _ => {
                assert_eq!(then, version.record);
                assert_eq!(image.ok(), version.image);
            }
        }
    }
}

#[test]
fn before_the_audit_nothing_is_known() {
    let (_, conn) = &mut Database::new().connected();
    let before = each(
        conn,
        &[MEMBERS, "INSERT INTO members VALUES (1, 'Ada', NULL)"],
    );
    let audited = each(conn, &[AUDIT]);
    let Err(Unavailable::BeforeAudit { since }) = Member::as_of(conn, 1, before).unwrap() else {
        panic!()
    };
    assert!(since > before && since < audited);
    let refused = Member::all_as_of(conn, before)
        .and_then(|mut rows| rows.next().expect("an error"))
        .unwrap_err();
    let ErrorKind::Unavailable(Unavailable::BeforeAudit { since: all_since }) = refused.kind()
    else {
        panic!("{refused:?}")
    };
    assert_eq!(*all_since, since);

    // Changes in between are unknown.
    let updated = each(conn, &["UPDATE members SET name = 'Ada L.'"]);
    assert_eq!(
        Member::as_of(conn, 1, audited).unwrap(),
        Ok(member(1, "Ada", None))
    );
    let resumed = each(
        conn,
        &[
            "SELECT threadline.unaudit('members')",
            "UPDATE members SET name = 'Eve', note = 'unseen'",
            AUDIT,
        ],
    );
    each(conn, &["UPDATE members SET name = 'Zoe'"]);
    assert_eq!(
        Member::as_of(conn, 1, resumed).unwrap(),
        Ok(member(1, "Eve", Some("unseen")))
    );
    for at in [audited, updated] {
        let Err(Unavailable::BeforeAudit { since: again }) = Member::as_of(conn, 1, at).unwrap()
        else {
            panic!()
        };
        assert!(again > updated && again < resumed);
    }
    // Versions do not invent them either.
    let versions = Member::versions_of(conn, 1).unwrap();
    assert_eq!(versions[0].record, Ok(member(1, "Zoe", Some("unseen"))));
    assert_eq!(versions[1].record, Err(Unavailable::Incomplete));
    assert_eq!(
        versions[1].image.as_ref().unwrap().get("note"),
        None,
        "{:?}",
        versions[1].image
    );
}

#[test]
fn versions_from_before_an_interruption_are_whole_if_the_insertion_is_known() {
    let (_, conn) = &mut after_each(&[
        MEMBERS,
        AUDIT,
        "INSERT INTO members VALUES (1, 'Ada', 'seen')",
        "UPDATE members SET name = 'Ada L.'",
        "SELECT threadline.unaudit('members')",
        "UPDATE members SET note = 'unseen'",
    ]);
    let known = [
        member(1, "Ada L.", Some("seen")),
        member(1, "Ada", Some("seen")),
    ];
    let versions = |conn: &mut PgConnection| -> Vec<_> {
        let versions = Member::versions_of(conn, 1).unwrap();
        versions.into_iter().map(|v| v.record.unwrap()).collect()
    };
    assert_eq!(versions(conn), known);
    each(conn, &[AUDIT, "UPDATE members SET name = 'Ada Lovelace'"]);
    let [now, then @ ..] = &versions(conn)[..] else {
        panic!()
    };
    assert_eq!(*now, member(1, "Ada Lovelace", Some("unseen")));
    assert_eq!(then, known);
}

#[test]
fn versions_do_not_mix_what_was_recorded_around_a_suspended_write() {
    let (_, conn) = &mut after_each(&[
        MEMBERS,
        "INSERT INTO members VALUES (2, 'Eve', 'before')",
        AUDIT,
        "INSERT INTO members VALUES (1, 'Ada', 'seen')",
        "UPDATE members SET name = name || '!'",
        "BEGIN; SELECT threadline.suspend('load'); UPDATE members SET note = 'unseen'; COMMIT",
        "UPDATE members SET name = 'about then'",
        "SELECT threadline.post()",
        "UPDATE members SET name = 'after'",
    ]);
    let versions = |conn: &mut PgConnection, id| -> Vec<_> {
        let versions = Member::versions_of(conn, id).unwrap();
        versions.into_iter().map(|v| v.record).collect()
    };
    assert_eq!(
        versions(conn, 1),
        [
            Ok(member(1, "after", Some("unseen"))),
            Err(Unavailable::Incomplete),
            Ok(member(1, "Ada!", Some("seen"))),
            Ok(member(1, "Ada", Some("seen"))),
        ]
    );
    assert_eq!(
        versions(conn, 2),
        [
            Ok(member(2, "after", Some("unseen"))),
            Err(Unavailable::Incomplete),
            Err(Unavailable::Incomplete),
        ]
    );
}

#[test]
fn a_table_that_is_not_audited_is_named() {
    let (_, conn) = &mut after_each(&[MEMBERS]);
    let at = now(conn);
    let one = Member::as_of(conn, 1, at).unwrap_err();
    let json = Member::as_of_json(conn, 1, at).unwrap_err();
    let all = Member::all_as_of(conn, at)
        .and_then(|mut rows| rows.next().expect("an error"))
        .unwrap_err();
    for error in [one, json, all] {
        let ErrorKind::NotAudited { table } = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(table, r#""members""#);
    }
}

#[test]
fn a_partitioned_table_is_one_table() {
    let (_, conn) = &mut after_each(&[
        "CREATE TABLE members (id int PRIMARY KEY, name text NOT NULL, note text) PARTITION BY RANGE (id)",
        "CREATE TABLE members_low PARTITION OF members FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE members_high PARTITION OF members FOR VALUES FROM (100) TO (1000)",
        "INSERT INTO members VALUES (1, 'old', NULL), (101, 'old', NULL)",
        AUDIT,
    ]);
    let copies = Copy::around_each(
        conn,
        "members",
        &[
            "UPDATE members_low SET name = 'direct'",
            "UPDATE members SET note = 'both'",
            "UPDATE members SET id = 102 WHERE id = 1",
            "INSERT INTO members_high VALUES (200, 'direct', NULL)",
            "CREATE TABLE members_top PARTITION OF members FOR VALUES FROM (1000) TO (2000)",
            "INSERT INTO members VALUES (1001, 'top', NULL)",
            "TRUNCATE members_high",
            "DELETE FROM members",
        ],
    );
    assert_eq!(
        Member::as_of(conn, 1, copies[0].at).unwrap(),
        Ok(member(1, "old", None))
    );
    assert_eq!(
        Member::as_of(conn, 102, copies[3].at).unwrap(),
        Ok(member(102, "direct", Some("both")))
    );
}
