//! Commands that altered the values of columns since the instant.

use diesel::prelude::*;
use serde_json::json;
use threadline::{Audited, ErrorKind, PastRecord, Unavailable, revert_transaction};
use threadline_tests::{Database, assert_rows, now, run, value};

use crate::{after_each, each};

model_of!(p, of_then::Product: name Nullable<Text> => Option<String>, price Nullable<Numeric> => Option<bigdecimal::BigDecimal>);

mod of_now {
    use super::*;

    diesel::table! {
        p (id) { id -> Int4, name -> Nullable<Text>, price -> Nullable<Int4>, }
    }

    #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = p)]
    pub struct Product {
        pub id: i32,
        pub name: Option<String>,
        pub price: Option<i32>,
    }

    #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = p)]
    pub struct Priced {
        pub id: i32,
        pub price: Option<i32>,
    }
}

const TABLE: &str =
    "CREATE TABLE p (id int PRIMARY KEY, name text, price numeric(10,2), gone text)";
const AUDIT: &str = "SELECT threadline.audit('p')";
const INSERT: &str = "INSERT INTO p VALUES (1, 'abcdefghijkl', 19.99, 'x')";
const ALTER: &str = "ALTER TABLE p ALTER name TYPE varchar(3) USING left(name, 3), ALTER price TYPE int USING price::int, DROP gone";
const REFRESH: &str = "SELECT threadline.refresh('p')";

#[test]
fn recorded_values_survive_later_alterations_of_their_columns() {
    for (alter, refresh) in [
        (ALTER.to_owned(), ""),
        (ALTER.to_owned(), REFRESH),
        (format!("BEGIN; {ALTER}; {REFRESH}; COMMIT"), ""),
    ] {
        let (_, conn) = &mut after_each(&[TABLE, AUDIT, INSERT]);
        let at = now(conn);
        each(conn, &[&alter, refresh]);
        let expected = json!({"id": 1, "name": "abcdefghijkl", "price": "19.99", "gone": "x"});
        for write in ["", "UPDATE p SET name = 'd', price = 7", "DELETE FROM p"] {
            each(conn, &[write]);
            assert_eq!(
                of_now::Product::as_of_json(conn, 1, at).unwrap(),
                Ok(expected.clone())
            );
            let all: Vec<_> = of_now::Product::all_as_of(conn, at)
                .unwrap()
                .map(|past| past.unwrap())
                .collect();
            assert_eq!(all.len(), 1);
            assert_eq!(all[0].image, expected);
            let version = of_now::Product::versions_of(conn, 1)
                .unwrap()
                .pop()
                .unwrap();
            assert_eq!(version.image, Some(expected.clone()));
            // Converted to the present type, the error names the columns that do not
            // match, and why.
            for record in [
                of_now::Product::as_of(conn, 1, at).unwrap(),
                all[0].record.clone(),
                version.record,
            ] {
                let Err(Unavailable::DoesNotFit { message }) = record else {
                    panic!("{record:?}")
                };
                assert_eq!(
                    message,
                    "column name: value too long for type character varying(3); column price: invalid input syntax for type integer: \"19.99\""
                );
            }
        }
    }
}

#[test]
fn the_values_after_an_alter_are_those_that_it_made() {
    let (_, conn) = &mut after_each(&[TABLE, AUDIT, INSERT]);
    let mut at = vec![];
    for multiplied in 1..4 {
        let sql = format!(
            "BEGIN; ALTER TABLE p ALTER price TYPE numeric(10,2) USING price * 10; {REFRESH}; COMMIT"
        );
        each(
            conn,
            &[
                if multiplied == 2 {
                    "UPDATE p SET price = 3"
                } else {
                    ""
                },
                &sql,
            ],
        );
        at.push(now(conn));
    }
    let images = |conn: &mut PgConnection| -> Vec<_> {
        at.iter()
            .map(|at| of_then::Product::as_of_json(conn, 1, *at).unwrap().unwrap()["price"].clone())
            .collect()
    };
    // 199.90 was there before the update; 30.00 was never written, and no write followed.
    assert_eq!(
        images(conn),
        [json!("199.90"), json!(null), json!("300.00")]
    );
    let record = of_then::Product::as_of(conn, 1, at[1]).unwrap();
    assert_eq!(
        record,
        Err(Unavailable::Converted {
            columns: vec!["price".into()]
        })
    );
    assert_rows(
        conn,
        &format!(
            "SELECT unrecorded::text FROM threadline.rows_as_of('p', '{}')",
            at[1].to_rfc3339()
        ),
        ["{price}"],
    );
    assert!(
        of_then::Product::versions_of(conn, 1)
            .unwrap()
            .iter()
            .all(|version| version.record.is_ok() && version.unrecorded.is_empty())
    );
}

#[test]
fn of_a_row_from_before_the_audit_only_what_is_left_is_not_given() {
    let (_, conn) = &mut after_each(&[TABLE, INSERT, AUDIT]);
    let at = now(conn);
    each(conn, &[&format!("BEGIN; {ALTER}; {REFRESH}; COMMIT")]);
    assert_eq!(
        of_now::Product::as_of_json(conn, 1, at).unwrap(),
        Ok(json!({"id": 1}))
    );
    assert_eq!(
        of_now::Priced::as_of(conn, 1, at).unwrap(),
        Err(Unavailable::Converted {
            columns: vec!["price".into()]
        })
    );
    let past = of_now::Product::all_as_of(conn, at)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(past.unrecorded, ["gone", "name", "price"]);
    assert!(matches!(past.record, Err(Unavailable::Converted { .. })));
    let later = now(conn);
    assert_eq!(
        of_now::Priced::as_of(conn, 1, later).unwrap(),
        Ok(of_now::Priced {
            id: 1,
            price: Some(20)
        })
    );
}

#[test]
fn a_column_that_comes_back_under_its_name_is_another() {
    let (_, conn) = &mut Database::new().connected();
    let first = each(conn, &[TABLE, AUDIT, INSERT]);
    let without = each(
        conn,
        &[&format!(
            "BEGIN; ALTER TABLE p DROP gone; {REFRESH}; COMMIT"
        )],
    );
    let again = each(
        conn,
        &[&format!(
            "BEGIN; ALTER TABLE p ADD gone text DEFAULT 'new'; {REFRESH}; COMMIT"
        )],
    );
    let last = each(conn, &["UPDATE p SET gone = 'last'"]);
    let gone = |conn: &mut PgConnection, at| {
        of_then::Product::as_of_json(conn, 1, at).unwrap().unwrap()["gone"].clone()
    };
    assert_eq!(gone(conn, first), "x");
    assert_ne!(gone(conn, without), "x");
    assert_eq!(gone(conn, again), "new");
    assert_eq!(gone(conn, last), "last");
}

/// Returns row 1 of an instant, which has one image alone and among all rows.
fn row_then(
    conn: &mut PgConnection,
    at: chrono::DateTime<chrono::Utc>,
) -> PastRecord<of_then::Product> {
    let alone = of_then::Product::as_of_json(conn, 1, at).unwrap().unwrap();
    let all: Vec<_> = of_then::Product::all_as_of(conn, at).unwrap().collect();
    let [past] = <[_; 1]>::try_from(all).unwrap();
    let past = past.unwrap();
    assert_eq!(past.image, alone);
    past
}

#[test]
fn a_converted_value_of_a_dropped_column_comes_from_the_last_image() {
    for write in ["DELETE FROM p", "UPDATE p SET gone = 'z'"] {
        let (_, conn) = &mut after_each(&[TABLE, AUDIT, INSERT]);
        let convert = "ALTER TABLE p ALTER gone TYPE varchar(9) USING gone || 'y'";
        each(conn, &[&format!("BEGIN; {convert}; {REFRESH}; COMMIT")]);
        let at = now(conn);
        each(
            conn,
            &[
                write,
                &format!("BEGIN; ALTER TABLE p DROP gone; {REFRESH}; COMMIT"),
            ],
        );
        assert_eq!(row_then(conn, at).image["gone"], "xy", "{write}");
    }
}

#[test]
fn a_column_that_came_and_went_since_is_not_in_an_earlier_row() {
    let (_, conn) = &mut after_each(&[TABLE, AUDIT, INSERT, "UPDATE p SET price = 20"]);
    let at = now(conn);
    each(
        conn,
        &[
            &format!("BEGIN; ALTER TABLE p ADD late int; {REFRESH}; COMMIT"),
            "DELETE FROM p",
            &format!("BEGIN; ALTER TABLE p DROP late; {REFRESH}; COMMIT"),
        ],
    );
    assert_eq!(
        row_then(conn, at).image,
        json!({"id": 1, "name": "abcdefghijkl", "price": "20.00", "gone": "x"})
    );
    let updated = of_then::Product::versions_of(conn, 1).unwrap();
    assert_eq!(updated[1].image.as_ref().unwrap().get("late"), None);
}

/// The key of a record stays its key.
#[test]
fn a_row_older_than_the_audit_keeps_its_key_when_the_type_of_the_key_is_altered() {
    let (_, conn) = &mut after_each(&[TABLE, INSERT, AUDIT]);
    let at = now(conn);
    each(
        conn,
        &[
            "UPDATE p SET name = 'b'",
            &format!("BEGIN; ALTER TABLE p ALTER id TYPE bigint; {REFRESH}; COMMIT"),
        ],
    );
    let past = row_then(conn, at);
    assert_eq!(
        past.image,
        json!({"id": 1, "name": "abcdefghijkl", "price": "19.99", "gone": "x"})
    );
    assert!(past.unrecorded.is_empty());
    let versions = of_then::Product::versions_of(conn, 1).unwrap();
    let version = versions[0].image.as_ref().unwrap();
    assert_eq!((&version["id"], &version["name"]), (&json!(1), &json!("b")));
    assert!(versions[0].unrecorded.is_empty());
}

#[test]
fn labels_and_attributes_of_other_names_are_no_alteration_of_rows() {
    let (_, conn) = &mut after_each(&[
        "CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TYPE size AS (w int, h int)",
        "CREATE TABLE m (id int PRIMARY KEY, mood mood, moods mood[], size size)",
        "SELECT threadline.audit('m')",
        "INSERT INTO m VALUES (1, 'happy', '{happy,sad}', '(1,2)'), (2, 'sad', '{}', '(3,4)')",
    ]);
    let at = now(conn);
    let mistake = run_mistake(
        conn,
        "UPDATE m SET mood = 'sad', size = '(5,6)' WHERE id = 1",
    );
    let deletion = run_mistake(conn, "DELETE FROM m WHERE id = 2");
    each(
        conn,
        &[
            "ALTER TYPE mood RENAME VALUE 'happy' TO 'glad'; ALTER TYPE size RENAME ATTRIBUTE w TO width",
        ],
    );
    for refresh in ["", "SELECT threadline.refresh('m')"] {
        each(conn, &[refresh]);
        assert_rows(
            conn,
            "SELECT code, record_key FROM threadline.chain_drift('m')",
            [],
        );
        assert_eq!(
            value(
                conn,
                &format!(
                    "SELECT image FROM threadline.record_as_of('m', '1', '{}')",
                    at.to_rfc3339()
                )
            )
            .unwrap(),
            r#"{"id": 1, "mood": "happy", "size": {"h": 2, "w": 1}, "moods": ["happy", "sad"]}"#
        );
    }
    revert_transaction(conn, mistake).unwrap();
    revert_transaction(conn, deletion).unwrap();
    assert_rows(
        conn,
        "SELECT m::text FROM m ORDER BY id",
        [r#"(1,glad,"{glad,sad}","(1,2)")"#, r#"(2,sad,{},"(3,4)")"#],
    );
    assert_rows(
        conn,
        "SELECT code, record_key FROM threadline.chain_drift('m')",
        [],
    );
}

fn run_mistake(conn: &mut PgConnection, sql: &str) -> i64 {
    run(conn, sql);
    value(conn, "SELECT max(id) FROM threadline.audit_transactions")
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn a_value_in_another_unit_is_not_reverted() {
    let (_, conn) = &mut after_each(&[
        TABLE,
        AUDIT,
        INSERT,
        "INSERT INTO p VALUES (2, 'two', 2, NULL)",
    ]);
    let at = now(conn);
    each(
        conn,
        &[
            "UPDATE p SET price = 5 WHERE id = 1",
            "UPDATE p SET name = 'wrong' WHERE id = 2",
            &format!(
                "BEGIN; ALTER TABLE p ALTER price TYPE numeric(10,2) USING price * 100; {REFRESH}; COMMIT"
            ),
        ],
    );
    let revert = |conn: &mut PgConnection, id| {
        value(
            conn,
            &format!(
                "SELECT threadline.revert_record('p', '{id}', '{}')",
                at.to_rfc3339()
            ),
        )
    };
    insta::assert_snapshot!(revert(conn, 1).unwrap(), @"an ALTER TABLE changed the values of price since, and what was there before it is of another type or unit");
    assert_eq!(revert(conn, 2), None);
    assert_rows(
        conn,
        "SELECT id, name, price FROM p ORDER BY id",
        ["1 | abcdefghijkl | 500.00", "2 | two | 200.00"],
    );
    assert_rows(
        conn,
        "SELECT code, record_key FROM threadline.chain_drift('p')",
        [],
    );
}

#[test]
fn an_ignored_column_is_what_was_recorded_of_it_next_or_is_there() {
    let (_, conn) = &mut after_each(&[
        TABLE,
        "SELECT threadline.audit('p', ignore => ARRAY['price'])",
        INSERT,
    ]);
    let at = each(conn, &["UPDATE p SET price = 50"]);
    for write in ["", "UPDATE p SET name = 'b'"] {
        each(conn, &[write]);
        assert_eq!(
            of_then::Product::as_of_json(conn, 1, at).unwrap().unwrap()["price"],
            "50.00"
        );
        let past = of_then::Product::all_as_of(conn, at).unwrap().next();
        assert_eq!(past.unwrap().unwrap().image["price"], "50.00");
    }
}

/// A model with a value in its select clause.
mod bound {
    use super::*;
    use diesel::dsl;
    use diesel::expression::SqlLiteral;
    use diesel::expression::UncheckedBind;
    use diesel::sql_types::Text;

    diesel::table! {
        p (id) { id -> Int4, name -> Nullable<Text>, }
    }
    diesel::table! {
        shop.goods (id) { id -> Int4, name -> Nullable<Text>, }
    }

    type Suffixed = UncheckedBind<SqlLiteral<Text>, dsl::AsExprOf<&'static str, Text>>;
    fn suffixed() -> Suffixed {
        dsl::sql::<Text>("name || ").bind::<Text, _>("$1!")
    }

    #[derive(Debug, PartialEq, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = p)]
    pub struct Product {
        pub id: i32,
        #[diesel(select_expression = suffixed(), select_expression_type = Suffixed)]
        pub name: String,
        #[diesel(select_expression = p::id + 100, select_expression_type = dsl::Add<p::id, i32>)]
        pub more: i32,
    }

    #[derive(Debug, PartialEq, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = goods)]
    pub struct Good {
        pub id: i32,
        #[diesel(select_expression = suffixed(), select_expression_type = Suffixed)]
        pub name: String,
    }
}

#[test]
fn a_value_bound_in_the_select_clause_stays_its_own() {
    let (_, conn) = &mut after_each(&[TABLE, AUDIT, INSERT]);
    let at = now(conn);
    each(
        conn,
        &[
            "UPDATE p SET name = 'now'",
            "CREATE SCHEMA shop; CREATE TABLE shop.goods (id int PRIMARY KEY, name text); SELECT threadline.audit('shop.goods')",
        ],
    );
    let product = |name: &str| bound::Product {
        id: 1,
        name: name.into(),
        more: 101,
    };
    assert_eq!(
        bound::Product::as_of(conn, 1, at).unwrap(),
        Ok(product("abcdefghijkl$1!"))
    );
    let all: Vec<_> = bound::Product::all_as_of(conn, at)
        .unwrap()
        .map(|past| past.unwrap().record.unwrap())
        .collect();
    assert_eq!(all, [product("abcdefghijkl$1!")]);
    let versions: Vec<_> = bound::Product::versions_of(conn, 1)
        .unwrap()
        .into_iter()
        .map(|version| version.record.unwrap())
        .collect();
    assert_eq!(versions, [product("now$1!"), product("abcdefghijkl$1!")]);

    let refused = bound::Good::as_of(conn, 1, at).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::BoundSelection { .. }));
    insta::assert_snapshot!(refused, @r#"a select_expression of the model of "shop"."goods" has a bound value, which cannot be read from the past of a table in a schema; write the value into the SQL, or read the image"#);
}

mod moody {
    use diesel::deserialize::{self, FromSql};
    use diesel::pg::{Pg, PgValue};
    use diesel::prelude::*;
    use threadline::Audited;

    #[derive(Debug, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
    #[diesel(postgres_type(name = "mood"))]
    pub struct MoodSql;

    diesel::table! {
        use diesel::sql_types::*;
        use super::MoodSql;

        m (id) { id -> Int4, mood -> MoodSql, }
    }

    /// Under its present names.
    #[derive(
        Debug,
        Clone,
        Copy,
        PartialEq,
        diesel::deserialize::FromSqlRow,
        diesel::expression::AsExpression,
    )]
    #[diesel(sql_type = MoodSql)]
    pub enum Mood {
        Glad,
        Sad,
    }

    impl FromSql<MoodSql, Pg> for Mood {
        fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
            match value.as_bytes() {
                b"glad" => Ok(Self::Glad),
                b"sad" => Ok(Self::Sad),
                other => Err(String::from_utf8_lossy(other).into()),
            }
        }
    }

    #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = m)]
    pub struct Moody {
        pub id: i32,
        pub mood: Mood,
    }
}

/// JSON has the label of the time, and a model the present one.
#[test]
fn a_label_that_was_renamed_is_read_as_the_present_one_by_a_model() {
    use moody::{Mood, Moody};
    for refresh in ["", "SELECT threadline.refresh('m')"] {
        let (_, conn) = &mut after_each(&[
            "CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TABLE m (id int PRIMARY KEY, mood mood, n int)",
            "INSERT INTO m VALUES (1, 'happy')",
            "SELECT threadline.audit('m')",
            "INSERT INTO m VALUES (2, 'happy'), (3, 'sad')",
        ]);
        let happy = now(conn);
        each(conn, &["UPDATE m SET n = 1"]);
        // There and back, and there again.
        for (from, to) in [("happy", "glad"), ("glad", "happy")] {
            let rename = format!("ALTER TYPE mood RENAME VALUE '{from}' TO '{to}'");
            each(
                conn,
                &[
                    &rename,
                    "SELECT threadline.refresh('m')",
                    "UPDATE m SET n = n + 1",
                ],
            );
        }
        let again = now(conn);
        each(
            conn,
            &[
                "UPDATE m SET n = n + 1",
                "ALTER TYPE mood RENAME VALUE 'happy' TO 'glad'",
                refresh,
                "UPDATE m SET n = n + 1",
            ],
        );
        for gone in ["", "DELETE FROM m"] {
            each(conn, &[gone]);
            for at in [happy, again] {
                for (id, mood, label) in [
                    (1, Mood::Glad, "happy"),
                    (2, Mood::Glad, "happy"),
                    (3, Mood::Sad, "sad"),
                ] {
                    assert_eq!(
                        Moody::as_of(conn, id, at).unwrap(),
                        Ok(Moody { id, mood }),
                        "{refresh} {gone}"
                    );
                    let json = Moody::as_of_json(conn, id, at).unwrap().unwrap();
                    assert_eq!(json["mood"], json!(label), "{refresh} {gone} {id}");
                }
                let all: Vec<_> = Moody::all_as_of(conn, at)
                    .unwrap()
                    .map(|past| past.unwrap())
                    .collect();
                assert_eq!(all.len(), 3);
                for past in all {
                    assert!(
                        past.record.is_ok() && past.unrecorded.is_empty(),
                        "{past:?}"
                    );
                }
            }
        }
        let versions = Moody::versions_of(conn, 2).unwrap();
        for version in &versions {
            assert_eq!(
                version.record.as_ref().map(|record| record.mood),
                Ok(Mood::Glad)
            );
        }
        assert_eq!(
            versions.last().unwrap().image.as_ref().unwrap()["mood"],
            json!("happy")
        );
    }
}
