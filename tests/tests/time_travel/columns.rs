//! Columns added, dropped, renamed and given other types since the instant.

use diesel::prelude::*;
use serde_json::{Value, json};
use threadline::{Audited, Unavailable};
use threadline_tests::{Database, exchange, now, run};

use crate::{after_each, each};

model_of!(people, with_age::Person: name Text => String, age Int4 => i32);
model_of!(people, with_some_age::Person: name Text => String, age Nullable<Int4> => Option<i32>);
model_of!(people, with_name::Person: name Text => String);
model_of!(people, with_full_name::Person: full_name Text => String);
model_of!(people, with_both::Person: full_name Text => String, name Nullable<Text> => Option<String>);
model_of!(people, with_code::Person: code Text => String);
model_of!(people, with_number::Person: code Int4 => i32);

const PEOPLE: &str = "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)";
const AUDIT: &str = "SELECT threadline.audit('people')";
const REFRESH: &str = "SELECT threadline.refresh('people')";

/// Returns the images of the table, one by one and all at once, in the order of keys.
#[track_caller]
fn images(conn: &mut PgConnection, at: chrono::DateTime<chrono::Utc>) -> Vec<Value> {
    use with_name::Person;
    let mut all: Vec<_> = Person::all_as_of(conn, at)
        .unwrap()
        .map(|past| past.unwrap().image)
        .collect();
    all.sort_by_key(|image| image["id"].as_i64());
    for image in &all {
        let id = i32::try_from(image["id"].as_i64().unwrap()).unwrap();
        assert_eq!(Person::as_of_json(conn, id, at).unwrap(), Ok(image.clone()));
    }
    all
}

/// The same for tables that have no column `name`.
#[track_caller]
fn images_of(
    conn: &mut PgConnection,
    table: &str,
    at: chrono::DateTime<chrono::Utc>,
) -> Vec<Value> {
    let at = at.to_rfc3339();
    let parse = |lines: Vec<String>| -> Vec<Value> {
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let all = threadline_tests::rows(
        conn,
        &format!("SELECT image FROM threadline.rows_as_of('{table}', '{at}') ORDER BY record_key"),
    );
    let one_by_one = threadline_tests::rows(
        conn,
        &format!(
            "SELECT one.image FROM threadline.rows_as_of('{table}', '{at}') AS r
             CROSS JOIN LATERAL threadline.record_as_of('{table}', r.record_key, '{at}') AS one
             ORDER BY r.record_key"
        ),
    );
    assert_eq!(one_by_one, all);
    parse(all)
}

#[test]
fn an_added_column_is_what_the_row_got_with_it() {
    for refresh in ["", REFRESH] {
        let (_, conn) = &mut after_each(&[
            PEOPLE,
            "INSERT INTO people VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cy')",
            AUDIT,
        ]);
        let at = now(conn);
        each(
            conn,
            &[
                "UPDATE people SET name = 'Ada L.' WHERE id = 1",
                "DELETE FROM people WHERE id = 3",
                &format!("ALTER TABLE people ADD age int NOT NULL DEFAULT 30; {refresh}"),
            ],
        );
        let with_it = each(conn, &["UPDATE people SET age = 36 WHERE id < 3"]);
        use with_age::Person;
        let person = |id, name: &str, age| Person {
            id,
            name: name.into(),
            age,
        };
        assert_eq!(
            Person::as_of(conn, 1, at).unwrap(),
            Ok(person(1, "Ada", 30))
        );
        assert_eq!(
            Person::as_of(conn, 2, at).unwrap(),
            Ok(person(2, "Bob", 30))
        );
        assert_eq!(
            Person::as_of(conn, 1, with_it).unwrap(),
            Ok(person(1, "Ada L.", 36))
        );
        // None if the row was deleted before.
        assert!(matches!(
            Person::as_of(conn, 3, at).unwrap(),
            Err(Unavailable::DoesNotFit { .. })
        ));
        assert_eq!(
            with_some_age::Person::as_of(conn, 3, at)
                .unwrap()
                .unwrap()
                .age,
            None
        );
        assert_eq!(
            Person::as_of_json(conn, 3, at).unwrap(),
            Ok(json!({"id": 3, "name": "Cy"}))
        );
        let misfits = Person::all_as_of(conn, at)
            .unwrap()
            .filter(|past| past.as_ref().unwrap().record.is_err())
            .count();
        assert_eq!(misfits, 1);
    }
}

#[test]
fn a_dropped_column_is_in_the_image_if_it_changed_or_went() {
    for refresh in ["", REFRESH] {
        let (_, conn) = &mut after_each(&[
            "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, age int)",
            "INSERT INTO people VALUES (1, 'Ada', 30), (2, 'Bob', 40), (3, 'Cy', 50)",
            AUDIT,
        ]);
        let at = now(conn);
        each(
            conn,
            &[
                "UPDATE people SET age = 31 WHERE id = 1",
                "DELETE FROM people WHERE id = 3",
                &format!("ALTER TABLE people DROP age; {refresh}"),
                "UPDATE people SET name = name || '!'",
            ],
        );
        assert_eq!(
            images(conn, at),
            [
                json!({"id": 1, "name": "Ada", "age": 30}),
                json!({"id": 2, "name": "Bob"}),
                json!({"id": 3, "name": "Cy", "age": 50}),
            ]
        );
        let names: Vec<_> = (1..=3)
            .map(|id| {
                with_name::Person::as_of(conn, id, at)
                    .unwrap()
                    .unwrap()
                    .name
            })
            .collect();
        assert_eq!(names, ["Ada", "Bob", "Cy"]);
    }
}

#[test]
fn a_renamed_column_has_its_value_then_under_its_name_now() {
    for refreshes in [["", ""], [REFRESH, ""], ["", REFRESH], [REFRESH, REFRESH]] {
        let (_, conn) = &mut after_each(&[
            PEOPLE,
            "INSERT INTO people VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cy')",
            AUDIT,
        ]);
        let at = now(conn);
        let changed = each(
            conn,
            &[
                "UPDATE people SET name = 'Ada L.' WHERE id = 1",
                "DELETE FROM people WHERE id = 3",
            ],
        );
        each(
            conn,
            &[&format!(
                "ALTER TABLE people RENAME name TO full_name; {}",
                refreshes[0]
            )],
        );
        let renamed = each(
            conn,
            &[
                "UPDATE people SET full_name = 'Ada Lovelace' WHERE id = 1",
                "INSERT INTO people VALUES (3, 'Cyd')",
            ],
        );
        each(
            conn,
            &[
                refreshes[1],
                "UPDATE people SET full_name = 'now'",
                "DELETE FROM people WHERE id = 3",
            ],
        );
        use with_full_name::Person;
        let names = |conn: &mut PgConnection, at| -> Vec<_> {
            (1..=3)
                .map(|id| Person::as_of(conn, id, at).unwrap())
                .map(|person| person.map(|person| person.full_name).unwrap_or_default())
                .collect()
        };
        assert_eq!(names(conn, at), ["Ada", "Bob", "Cy"]);
        assert_eq!(names(conn, changed), ["Ada L.", "Bob", ""]);
        assert_eq!(names(conn, renamed), ["Ada Lovelace", "Bob", "Cyd"]);
        let versions: Vec<_> = Person::versions_of(conn, 1)
            .unwrap()
            .into_iter()
            .map(|version| version.record.unwrap().full_name)
            .collect();
        assert_eq!(versions, ["now", "Ada Lovelace", "Ada L."]);
    }
}

/// A migration of a table with columns a, b, and the former row under the present names.
struct Alteration<'a> {
    /// In the transaction that alters.
    altered: &'a str,
    /// In transactions of its own, before the audit is refreshed.
    meanwhile: &'a str,
    then: Value,
}

/// Asserts the former rows as of an instant before, whenever the audit is refreshed.
#[track_caller]
fn is_as_then(alteration: &Alteration<'_>) {
    let Alteration {
        altered,
        meanwhile,
        then,
    } = alteration;
    for told in ["in the migration", "later", "never"] {
        let (_, conn) = &mut after_each(&[
            "CREATE TABLE t (id int PRIMARY KEY, a text, b text)",
            "INSERT INTO t VALUES (1, 'a1', 'b1'), (2, 'a1', 'b1'), (3, 'a1', 'b1')",
            "SELECT threadline.audit('t')",
        ]);
        let at = now(conn);
        each(
            conn,
            &[
                "UPDATE t SET a = 'a2' WHERE id = 1",
                "UPDATE t SET b = 'b2' WHERE id = 1",
                "DELETE FROM t WHERE id = 3",
            ],
        );
        let refresh = "SELECT threadline.refresh('t')";
        let commit = format!("BEGIN; {altered}; COMMIT");
        match told {
            "in the migration" => {
                each(
                    conn,
                    &[&format!("BEGIN; {altered}; {refresh}; COMMIT"), meanwhile],
                );
            }
            "later" => {
                each(conn, &[&commit, meanwhile, refresh]);
            }
            _ => {
                each(conn, &[&commit, meanwhile]);
            }
        }
        let images = images_of(conn, "t", at);
        assert_eq!(images.len(), 3);
        for image in images {
            for (column, value) in then.as_object().unwrap() {
                let got = &image[column.as_str()];
                // A row that was deleted earlier lacks later columns.
                if image["id"] != 3 || !got.is_null() {
                    assert_eq!(got, value, "{column} of {image}, told {told}\n{altered}");
                }
            }
        }
    }
}

#[test]
fn names_exchanged_between_two_columns_keep_values_apart() {
    let exchanged = &exchange("t", "a", "b");
    for meanwhile in [
        "",
        "UPDATE t SET a = 'new'",
        "UPDATE t SET b = 'new'",
        "UPDATE t SET a = 'new', b = 'new'",
        "DELETE FROM t",
    ] {
        is_as_then(&Alteration {
            altered: exchanged,
            meanwhile,
            then: json!({"a": "b1", "b": "a1"}),
        });
    }
    is_as_then(&Alteration {
        altered: &format!("{exchanged} UPDATE t SET a = 'migrated'"),
        meanwhile: "UPDATE t SET b = 'new'",
        then: json!({"a": "b1", "b": "a1"}),
    });
}

#[test]
fn a_name_given_to_a_new_column_stays_with_the_old_one_for_the_past() {
    for (altered, meanwhile) in [
        ("", ""),
        ("; UPDATE t SET a = 'migrated'", ""),
        ("; UPDATE t SET a = 'migrated'", "UPDATE t SET c = 'new'"),
        ("", "UPDATE t SET a = 'new'"),
        ("", "UPDATE t SET a = 'new', c = 'new'"),
        ("; UPDATE t SET c = 'migrated'", "DELETE FROM t"),
    ] {
        is_as_then(&Alteration {
            altered: &format!("ALTER TABLE t RENAME a TO c; ALTER TABLE t ADD a text{altered}"),
            meanwhile,
            then: json!({"c": "a1", "b": "b1", "a": null}),
        });
    }
}

#[test]
fn a_name_taken_over_from_a_dropped_column_is_that_of_the_renamed_one() {
    for (altered, meanwhile) in [
        ("", ""),
        ("", "UPDATE t SET a = 'new'"),
        ("", "DELETE FROM t"),
        ("", "UPDATE t SET a = 'new'; UPDATE t SET a = 'newer'"),
    ] {
        is_as_then(&Alteration {
            altered: &format!("ALTER TABLE t DROP a; ALTER TABLE t RENAME b TO a{altered}"),
            meanwhile,
            then: json!({"a": "b1"}),
        });
    }
}

#[test]
fn writes_of_a_migration_before_and_after_a_rename_are_distinguished() {
    is_as_then(&Alteration {
        altered: "UPDATE t SET a = 'before'; ALTER TABLE t RENAME a TO c; UPDATE t SET c = 'after'",
        meanwhile: "UPDATE t SET c = 'new'",
        then: json!({"c": "a1", "b": "b1"}),
    });
    is_as_then(&Alteration {
        altered: "SAVEPOINT s; ALTER TABLE t RENAME a TO c; RELEASE s; UPDATE t SET c = 'after'",
        meanwhile: "UPDATE t SET c = 'new'",
        then: json!({"c": "a1", "b": "b1"}),
    });
}

/// A person who was renamed once.
fn ada() -> (Database, PgConnection) {
    after_each(&[
        PEOPLE,
        "INSERT INTO people VALUES (1, 'Ada')",
        AUDIT,
        "UPDATE people SET name = 'Ada L.'",
    ])
}

#[test]
fn a_name_that_comes_back_is_followed_there_and_back() {
    let (_, conn) = &mut ada();
    let at = now(conn);
    each(
        conn,
        &[
            "UPDATE people SET name = 'one'",
            "ALTER TABLE people RENAME name TO full_name",
            REFRESH,
            "UPDATE people SET full_name = 'two'",
            "ALTER TABLE people RENAME full_name TO called",
            "UPDATE people SET called = 'three'",
            REFRESH,
            "ALTER TABLE people RENAME called TO name",
            REFRESH,
            "UPDATE people SET name = 'four'",
        ],
    );
    assert_eq!(images(conn, at), [json!({"id": 1, "name": "Ada L."})]);
    let names: Vec<_> = with_name::Person::versions_of(conn, 1)
        .unwrap()
        .into_iter()
        .map(|version| version.record.unwrap().name)
        .collect();
    assert_eq!(names, ["four", "three", "two", "one", "Ada L."]);
}

#[test]
fn names_are_followed_after_a_dump_and_restore() {
    let (database, conn) = &mut after_each(&[
        "CREATE TABLE gone (id int)",
        "CREATE TABLE people (x int, id int PRIMARY KEY, name text NOT NULL)",
        "ALTER TABLE people DROP x",
        "INSERT INTO people VALUES (1, 'Ada')",
        AUDIT,
    ]);
    let at = now(conn);
    each(
        conn,
        &[
            "UPDATE people SET name = 'Ada L.'",
            "ALTER TABLE people RENAME name TO full_name",
            REFRESH,
            "UPDATE people SET full_name = 'Ada Lovelace'",
            "DROP TABLE gone",
        ],
    );
    let (_, conn) = &mut database.restored().connected();
    let ada = json!({"id": 1, "full_name": "Ada"});
    assert_eq!(images_of(conn, "people", at), std::slice::from_ref(&ada));
    each(
        conn,
        &[
            "UPDATE people SET full_name = 'restored'",
            REFRESH,
            "UPDATE people SET full_name = 'refreshed'",
        ],
    );
    assert_eq!(images_of(conn, "people", at), [ada]);
    let between = each(conn, &["ALTER TABLE people RENAME full_name TO name"]);
    each(conn, &["UPDATE people SET name = 'renamed again'"]);
    assert_eq!(images(conn, at), [json!({"id": 1, "name": "Ada"})]);
    assert_eq!(
        images(conn, between),
        [json!({"id": 1, "name": "refreshed"})]
    );
}

#[test]
fn rows_that_do_not_match_affect_no_others_among_thousands() {
    let (_, conn) = &mut Database::new().connected();
    // The type of a masked date accepts no placeholder.
    let at = each(
        conn,
        &[
            "CREATE TABLE people (id int PRIMARY KEY, code text, note text, born date)",
            "SELECT threadline.audit('people', mask => ARRAY['born'])",
            "INSERT INTO people
             SELECT k, CASE WHEN k % 700 = 3 THEN 'seven' ELSE k::text END, repeat('note ', 30), CASE WHEN k > 2500 THEN date '1815-12-10' END
             FROM generate_series(1, 3000) AS k",
        ],
    );
    each(
        conn,
        &[
            "UPDATE people SET code = '8'",
            "ALTER TABLE people ALTER code TYPE int USING code::int",
        ],
    );
    let mut seen = 0;
    let mut misfits = 0;
    for past in with_number::Person::all_as_of(conn, at).unwrap() {
        let past = past.unwrap();
        seen += 1;
        match past.record {
            Ok(person) => {
                assert_eq!(past.key, json!({ "id": person.id }));
                assert_eq!(past.image["id"], json!(person.id));
                assert_eq!(person.code, person.id);
            }
            Err(Unavailable::DoesNotFit { message }) => {
                assert_eq!(past.image["code"], json!("seven"));
                assert_eq!(
                    message,
                    "column code: invalid input syntax for type integer: \"seven\""
                );
                misfits += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((seen, misfits), (3000, 5));
}

#[test]
fn a_former_value_has_the_present_type_or_the_error_says_that_it_does_not_match() {
    let (_, conn) = &mut after_each(&[
        "CREATE TABLE people (id int PRIMARY KEY, code text NOT NULL)",
        "INSERT INTO people VALUES (1, '0007'), (2, 'seven'), (3, '9')",
        AUDIT,
    ]);
    let at = now(conn);
    each(conn, &["UPDATE people SET code = '8'"]);
    for refresh in ["", REFRESH] {
        each(
            conn,
            &[&format!(
                "ALTER TABLE people ALTER code TYPE int USING code::int; {refresh}"
            )],
        );
        use with_number::Person;
        assert_eq!(
            Person::as_of(conn, 1, at).unwrap(),
            Ok(Person { id: 1, code: 7 })
        );
        let Err(Unavailable::DoesNotFit { .. }) = Person::as_of(conn, 2, at).unwrap() else {
            panic!()
        };
        assert_eq!(
            Person::as_of_json(conn, 2, at).unwrap(),
            Ok(json!({"id": 2, "code": "seven"}))
        );
        let mut fit: Vec<_> = Person::all_as_of(conn, at)
            .unwrap()
            .map(|past| past.unwrap().record.map(|person| person.code).ok())
            .collect();
        fit.sort();
        assert_eq!(fit, [None, Some(7), Some(9)]);

        each(
            conn,
            &[&format!(
                "ALTER TABLE people ALTER code TYPE text; {refresh}"
            )],
        );
        assert_eq!(
            with_code::Person::as_of(conn, 1, at).unwrap().unwrap().code,
            "0007"
        );
    }
    run(conn, "DELETE FROM people");
    assert_eq!(
        with_code::Person::as_of(conn, 2, at).unwrap().unwrap().code,
        "seven"
    );
}

#[test]
fn a_column_replaced_by_its_successor_is_what_was_under_its_name() {
    let (_, conn) = &mut ada();
    let at = now(conn);
    each(
        conn,
        &[
            "UPDATE people SET name = 'Ada Lovelace'",
            "ALTER TABLE people RENAME name TO full_name; ALTER TABLE people ADD name text;
             UPDATE people SET name = 'Ada'; SELECT threadline.refresh('people')",
            "UPDATE people SET name = 'A.', full_name = 'now'",
        ],
    );
    assert_eq!(
        with_both::Person::as_of(conn, 1, at).unwrap(),
        Ok(with_both::Person {
            id: 1,
            full_name: "Ada L.".into(),
            name: None,
        })
    );
    let versions: Vec<_> = with_both::Person::versions_of(conn, 1)
        .unwrap()
        .into_iter()
        .map(|version| version.record.unwrap())
        .map(|person| (person.full_name, person.name))
        .collect();
    let expected = [
        ("now", Some("A.")),
        ("Ada Lovelace", Some("Ada")),
        ("Ada Lovelace", None),
        ("Ada L.", None),
    ];
    assert_eq!(
        versions,
        expected.map(|(full, name)| (full.to_owned(), name.map(str::to_owned)))
    );
}
