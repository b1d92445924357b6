//! Masked and excluded columns: no result has a secret or an invented value.

use diesel::prelude::*;
use serde_json::json;
use threadline::{Audited, Unavailable};
use threadline_tests::{Database, assert_contains, now, rows, run};

use crate::{after_each, each};

model_of!(accounts, with_texts::Account: name Text => String, email Text => String, token Text => String);
model_of!(accounts, with_pin::Account: name Text => String, pin Int4 => i32);
model_of!(accounts, with_some_pin::Account: name Text => String, pin Nullable<Int4> => Option<i32>);
model_of!(accounts, with_code::Account: name Text => String, code Int4 => i32);
model_of!(accounts, with_born::Account: born Nullable<Date> => Option<chrono::NaiveDate>);

const ACCOUNTS: &str =
    "CREATE TABLE accounts (id int PRIMARY KEY, name text, email text, token text,
    pin int, code int, born date, prefs jsonb)";
const SECRETS: &str = "INSERT INTO accounts VALUES (1, 'Ada', 's3cret@example.com', 's3cret', 7777, 8888, '1777-07-07', '{\"k\": \"s3cret\"}')";
const AUDIT: &str = "SELECT threadline.audit('accounts', mask => ARRAY['email', 'pin', 'born', 'prefs'], exclude => ARRAY['token', 'code'])";

/// Asserts that no result of the audit for the record and the table contains a secret.
#[track_caller]
fn no_secret(conn: &mut PgConnection, at: chrono::DateTime<chrono::Utc>) {
    let mut answers = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        with_texts::Account::as_of(conn, 1, at),
        with_texts::Account::as_of_json(conn, 1, at),
        with_texts::Account::versions_of(conn, 1).map(|versions| versions
            .into_iter()
            .map(|version| (version.record, version.image))
            .collect::<Vec<_>>()),
        with_some_pin::Account::as_of(conn, 1, at),
        with_born::Account::as_of(conn, 1, at),
    );
    for past in with_texts::Account::all_as_of(conn, at).unwrap() {
        answers += &format!("{past:?}");
    }
    answers += &rows(
        conn,
        &format!(
            "SELECT * FROM threadline.rows_as_of('accounts', '{0}')",
            at.to_rfc3339()
        ),
    )
    .concat();
    answers += &rows(
        conn,
        &format!(
            "SELECT * FROM threadline.record_as_of('accounts', '1', '{0}')",
            at.to_rfc3339()
        ),
    )
    .concat();
    for secret in ["s3cret", "7777", "8888", "1777"] {
        assert!(!answers.contains(secret), "{secret} in {answers}");
    }
    assert_contains(&answers, "Ada");
}

#[test]
fn redacted_columns_are_placeholders_in_texts_and_errors_elsewhere() {
    let (_, conn) = &mut Database::new().connected();
    // Before and after a change, and after the row was deleted.
    let first = each(conn, &[ACCOUNTS, SECRETS, AUDIT]);
    let steps = [
        "UPDATE accounts SET name = 'Ada L.', email = 's3cret2', pin = 77777, code = 88888",
        "DELETE FROM accounts",
        SECRETS,
        "TRUNCATE accounts",
    ];
    for step in steps {
        no_secret(conn, first);
        let account = with_texts::Account::as_of(conn, 1, first).unwrap().unwrap();
        assert_eq!(
            (
                account.name.as_str(),
                account.email.as_str(),
                account.token.as_str()
            ),
            ("Ada", "***", "***")
        );
        for redacted in [
            with_pin::Account::as_of(conn, 1, first)
                .unwrap()
                .map(|_| ()),
            with_code::Account::as_of(conn, 1, first)
                .unwrap()
                .map(|_| ()),
        ] {
            let Err(Unavailable::Redacted { columns }) = redacted else {
                panic!("{redacted:?}")
            };
            assert_eq!(columns, ["born", "code", "email", "pin", "prefs", "token"]);
        }
        assert_eq!(
            with_some_pin::Account::as_of(conn, 1, first)
                .unwrap()
                .unwrap()
                .pin,
            None
        );
        assert_eq!(
            with_born::Account::as_of(conn, 1, first)
                .unwrap()
                .unwrap()
                .born,
            None
        );
        let past = with_pin::Account::all_as_of(conn, first)
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        assert!(matches!(past.record, Err(Unavailable::Redacted { .. })));
        assert_eq!(
            past.image,
            json!({"id": 1, "name": "Ada", "email": "***", "pin": 0, "born": "***", "prefs": {}})
        );
        assert_eq!(
            past.redacted,
            ["born", "code", "email", "pin", "prefs", "token"]
        );
        each(conn, &[step]);
    }
    no_secret(conn, first);
}

#[test]
fn masked_nulls_stay_visible_as_null() {
    let (_, conn) = &mut after_each(&[
        ACCOUNTS,
        "INSERT INTO accounts (id, name) VALUES (1, 'Ada')",
        AUDIT,
    ]);
    let at = now(conn);
    each(conn, &["UPDATE accounts SET pin = 7777, email = 's3cret'"]);
    no_secret(conn, at);
    let image = with_pin::Account::as_of_json(conn, 1, at).unwrap().unwrap();
    assert_eq!(
        (&image["pin"], &image["email"]),
        (&json!(null), &json!(null))
    );
}

#[test]
fn a_column_redacted_since_is_redacted_for_the_past_too() {
    let (_, conn) = &mut after_each(&[
        ACCOUNTS,
        SECRETS,
        "SELECT threadline.audit('accounts', plain => ARRAY['token', 'pin'])",
    ]);
    let at = now(conn);
    each(
        conn,
        &[
            "UPDATE accounts SET email = 'x', token = 'x', pin = 1, code = 1, born = NULL, prefs = '[]'",
            AUDIT,
        ],
    );
    let later = each(
        conn,
        &["UPDATE accounts SET email = 's3cret', token = 's3cret'"],
    );
    for step in [
        "UPDATE accounts SET name = 'Ada!'",
        "DELETE FROM accounts",
        "",
    ] {
        no_secret(conn, at);
        no_secret(conn, later);
        let account = with_texts::Account::as_of(conn, 1, at).unwrap().unwrap();
        assert_eq!(
            (account.email.as_str(), account.token.as_str()),
            ("***", "***")
        );
        assert!(matches!(
            with_pin::Account::as_of(conn, 1, at).unwrap(),
            Err(Unavailable::Redacted { .. })
        ));
        each(conn, &[step]);
    }
}

#[test]
fn a_column_that_was_redacted_then_is_not_filled_from_today() {
    let (_, conn) = &mut Database::new().connected();
    let then = each(conn, &[ACCOUNTS, SECRETS, AUDIT]);
    each(
        conn,
        &["UPDATE accounts SET pin = 1, code = 2, token = 'new', email = 'new'"],
    );
    let clear = each(
        conn,
        &["SELECT threadline.audit('accounts', plain => ARRAY['token', 'pin'])"],
    );
    for step in [
        "UPDATE accounts SET pin = 3, code = 4, token = 'newer', email = 'newer'",
        "SELECT threadline.refresh('accounts')",
        "DELETE FROM accounts",
        "",
    ] {
        let account = with_texts::Account::as_of(conn, 1, then).unwrap().unwrap();
        assert_eq!(
            (account.email.as_str(), account.token.as_str()),
            ("***", "***")
        );
        for redacted in [
            with_pin::Account::as_of(conn, 1, then).unwrap().map(|_| ()),
            with_code::Account::as_of(conn, 1, then)
                .unwrap()
                .map(|_| ()),
        ] {
            assert!(
                matches!(redacted, Err(Unavailable::Redacted { .. })),
                "{redacted:?}"
            );
        }
        let image = with_pin::Account::as_of_json(conn, 1, then)
            .unwrap()
            .unwrap();
        assert_eq!(image.get("code"), None);
        assert_eq!(
            with_pin::Account::as_of(conn, 1, clear)
                .unwrap()
                .unwrap()
                .pin,
            1
        );
        assert_eq!(
            with_code::Account::as_of(conn, 1, clear)
                .unwrap()
                .unwrap()
                .code,
            2
        );
        each(conn, &[step]);
    }
    let versions = with_code::Account::versions_of(conn, 1).unwrap();
    let codes: Vec<_> = versions
        .iter()
        .map(|version| version.record.as_ref().map(|account| account.code).ok())
        .collect();
    assert_eq!(codes, [Some(4), Some(4), None]);
}

#[test]
fn a_redacted_column_stays_so_under_whatever_name() {
    let exchange = |one: &str, two: &str| {
        format!(
            "ALTER TABLE accounts RENAME {one} TO x; ALTER TABLE accounts RENAME {two} TO {one};
             ALTER TABLE accounts RENAME x TO {two}"
        )
    };
    for renamed in [
        exchange("name", "email"),
        exchange("name", "token"),
        exchange("email", "token"),
        "ALTER TABLE accounts RENAME name TO x; ALTER TABLE accounts RENAME email TO name; ALTER TABLE accounts ADD email text".to_owned(),
    ] {
        for refresh in ["", "SELECT threadline.refresh('accounts')"] {
            let (_, conn) = &mut after_each(&[
                    ACCOUNTS,
                    SECRETS,
                    AUDIT,
                ]);
            let at = now(conn);
            each(conn, &[&format!("{renamed}; {refresh}")]);
            let check = |conn: &mut PgConnection| {
                let answers = [
                    rows(
                        conn,
                        &format!(
                            "SELECT image FROM threadline.rows_as_of('accounts', '{}')",
                            at.to_rfc3339()
                        ),
                    )
                    .concat(),
                    rows(
                        conn,
                        &format!(
                            "SELECT image FROM threadline.record_as_of('accounts', '1', '{}')",
                            at.to_rfc3339()
                        ),
                    )
                    .concat(),
                    format!(
                        "{:?}",
                        with_texts::Account::versions_of(conn, 1)
                            .unwrap()
                            .into_iter()
                            .map(|v| v.image)
                            .collect::<Vec<_>>()
                    ),
                ];
                for secret in ["s3cret", "7777", "8888", "1777"] {
                    assert!(
                        !answers.concat().contains(secret),
                        "{secret} in {answers:?} after {renamed}; {refresh}"
                    );
                }
                assert!(!answers[0].is_empty());
                assert_eq!(answers[0], answers[1]);
                if !refresh.is_empty() && !renamed.starts_with(&exchange("email", "token")) {
                    assert!(answers[0].contains("Ada"), "{answers:?}");
                }
            };
            check(conn);
            for change in [
                "UPDATE accounts SET pin = 77770",
                "UPDATE accounts SET name = name || '!', email = email || '!', token = token || '!'",
                "DELETE FROM accounts",
            ] {
                run(conn, change);
                check(conn);
            }
        }
    }
}

#[test]
fn a_renamed_secret_stays_secret_under_an_old_snapshot() {
    let database = Database::alone();
    let (conn, migration) = (&mut database.connect(), &mut database.connect());
    let at = each(conn, &[ACCOUNTS, SECRETS, AUDIT]);
    // Shows the old snapshot that no earlier writer is still open.
    each(conn, &["UPDATE accounts SET pin = 1"]);
    run(
        conn,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM threadline.audit_changes",
    );
    run(
        migration,
        "ALTER TABLE accounts RENAME name TO x; ALTER TABLE accounts RENAME email TO name;
         ALTER TABLE accounts RENAME x TO email",
    );
    let answers = [
        format!(
            "SELECT image FROM threadline.rows_as_of('accounts', '{}')",
            at.to_rfc3339()
        ),
        format!(
            "SELECT image FROM threadline.record_as_of('accounts', '1', '{}')",
            at.to_rfc3339()
        ),
    ]
    .map(|query| rows(conn, &query).concat());
    assert!(!answers[0].is_empty());
    assert!(!answers.concat().contains("s3cret"), "{answers:?}");
}

mod with_plan {
    use diesel::prelude::*;

    diesel::table! {
        members (id) { id -> Int4, plan -> Nullable<Text>, }
    }

    #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, threadline::Audited)]
    #[diesel(table_name = members)]
    pub struct Member {
        pub id: i32,
        pub plan: Option<String>,
    }
}

/// A new column of a table with redaction is recorded only after a decision about it.
#[test]
fn a_new_column_of_a_table_with_redaction_has_no_value_from_before_it_was_recorded() {
    use with_plan::Member;
    for policy in ["mask => ARRAY['email']", "exclude => ARRAY['email']"] {
        let (_, conn) = &mut after_each(&[
            "CREATE TABLE members (id int PRIMARY KEY, email text, note text)",
            &format!("SELECT threadline.audit('members', {policy})"),
            "INSERT INTO members SELECT k, 'a', 'n' FROM generate_series(1, 4) AS k",
        ]);
        let before = now(conn);
        each(conn, &["ALTER TABLE members ADD plan text"]);
        let between = each(
            conn,
            &[
                "UPDATE members SET plan = 'gold'",
                "UPDATE members SET note = 'm' WHERE id = 2",
            ],
        );
        each(conn, &["DELETE FROM members WHERE id = 4"]);
        let recorded = each(conn, &["SELECT threadline.refresh('members')"]);
        each(conn, &["UPDATE members SET plan = 'silver' WHERE id = 1"]);
        let images = |conn: &mut PgConnection, at: chrono::DateTime<chrono::Utc>| {
            let at = at.to_rfc3339();
            let all = rows(
                conn,
                &format!(
                    "SELECT record_key, image ->> 'plan', image ? 'plan', unrecorded
                     FROM threadline.rows_as_of('members', '{at}') ORDER BY record_key"
                ),
            );
            let each = rows(
                conn,
                &format!(
                    "SELECT k, image ->> 'plan', image ? 'plan', unrecorded
                     FROM generate_series(1, 4) AS k
                     CROSS JOIN LATERAL threadline.record_as_of('members', k::text, '{at}')
                     WHERE state = 'there' ORDER BY k"
                ),
            );
            assert_eq!(all, each);
            all
        };
        let without = |unrecorded: &str, keys: std::ops::RangeInclusive<i32>| -> Vec<String> {
            keys.map(|key| format!("{key} | NULL | false | {unrecorded}"))
                .collect()
        };
        for _ in 0..2 {
            assert_eq!(images(conn, before), without("[]", 1..=4));
            assert_eq!(images(conn, between), without("[\"plan\"]", 1..=4));
            assert_eq!(
                images(conn, recorded),
                [
                    "1 | gold | true | []",
                    "2 | gold | true | []",
                    "3 | gold | true | []"
                ]
            );
            // Also if the rows were deleted with the value.
            run(
                conn,
                "BEGIN; DELETE FROM members; INSERT INTO members VALUES (1, 'c', 'n', 'other'); COMMIT",
            );
        }
        let member = |conn: &mut PgConnection, at| Member::as_of(conn, 3, at).unwrap();
        assert_eq!(member(conn, before), Ok(Member { id: 3, plan: None }));
        assert_eq!(
            member(conn, between),
            Err(Unavailable::Converted {
                columns: vec!["plan".into()]
            })
        );
        assert_eq!(
            member(conn, recorded).map(|member| member.plan),
            Ok(Some("gold".into()))
        );
        let versions = Member::versions_of(conn, 2).unwrap();
        let plans: Vec<_> = versions
            .iter()
            .map(|version| version.image.as_ref().unwrap().get("plan").cloned())
            .collect();
        let unrecorded: Vec<_> = versions.iter().map(|v| v.unrecorded.len()).collect();
        let updates = versions.len() - 2;
        assert_eq!(plans[0], Some(json!("gold")));
        assert_eq!(plans[1..], vec![None; updates + 1]);
        assert_eq!(unrecorded.first(), Some(&0));
        assert_eq!(unrecorded.last(), Some(&0));
        // A revert does not leave or invent what it does not know.
        let reason = |conn: &mut PgConnection, key: i32, at: chrono::DateTime<chrono::Utc>| {
            let at = at.to_rfc3339();
            threadline_tests::value(
                conn,
                &format!("SELECT threadline.revert_record('members', '{key}', '{at}')"),
            )
        };
        run(conn, "UPDATE members SET email = NULL");
        for key in [1, 4] {
            let reason = reason(conn, key, between).unwrap();
            assert!(reason.contains("plan"), "{key}: {reason}");
        }
    }
}
