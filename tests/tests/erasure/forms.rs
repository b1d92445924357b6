//! Every form of a change shows that a value was erased.

use chrono::NaiveDate;
use threadline::{
    Audited, AuditedModel, Erasure, Export, ExportFormat, Filter, Unavailable, revert_transaction,
};
use threadline_tests::{assert_contains, assert_rows, assert_value, now, run, value};

use crate::{Address, User, findings, jane_and_bob, people_with, users};

#[derive(
    diesel::Queryable, diesel::Selectable, diesel::Identifiable, Debug, Clone, PartialEq, Audited,
)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
#[audited(personal(email, born))]
struct Born {
    id: i32,
    #[diesel(select_expression = users::born.assume_not_null())]
    #[diesel(select_expression_type = diesel::dsl::AssumeNotNull<users::born>)]
    born: NaiveDate,
}

use diesel::NullableExpressionMethods;

#[test]
fn text_csv_json_and_blame_show_it() {
    let (_, conn) = &mut jane_and_bob();
    run(conn, "UPDATE users SET email = 'jane@last' WHERE id = 42");
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();

    let shown = User::history_of(conn, 42).unwrap();
    let shown: Vec<_> = shown.iter().map(ToString::to_string).collect();
    assert!(
        shown.last().unwrap().contains("email  erased:1"),
        "{shown:?}"
    );
    assert!(shown[0].contains("erased:1 -> erased:1"), "{shown:?}");

    for format in [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Ndjson] {
        let mut out = vec![];
        Export::new(Filter::new())
            .write(conn, format, &mut out)
            .unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.contains("erased:1") && !out.contains("jane"),
            "{format:?}: {out}"
        );
        assert!(out.contains("bob street 3"), "{format:?}: {out}");
    }
    let blamed = User::blame_of(conn, 42).unwrap();
    let email = blamed.iter().find(|blame| blame.column == "email").unwrap();
    assert_eq!(email.value, "erased:1");
    assert!(findings(conn).is_empty());
}

#[test]
fn filters_do_not_find_what_was_erased() {
    let (_, conn) = &mut jane_and_bob();
    let asked = |conn: &mut diesel::PgConnection| {
        let filter = Filter::new().table("users").changed_to("email", "jane@b");
        threadline::timeline(filter)
            .page(conn)
            .unwrap()
            .entries
            .len()
    };
    assert_eq!(asked(conn), 1);
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    assert_eq!(asked(conn), 0);
}

#[test]
fn the_past_says_that_a_value_was_erased() {
    let (_, conn) =
        &mut people_with("INSERT INTO users VALUES (42, 'jane@a', '1990-01-01', 'free')");
    let then = now(conn);
    run(conn, "UPDATE users SET email = 'jane@b', plan = 'paid'");
    let later = now(conn);
    run(conn, "UPDATE users SET email = 'gone', born = NULL");
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();

    let past = |email: &str, plan: &str| User {
        id: 42,
        email: email.to_owned(),
        born: None,
        plan: plan.to_owned(),
    };
    assert_eq!(
        User::as_of(conn, 42, then).unwrap().unwrap(),
        past("erased:1", "free")
    );
    assert_eq!(
        User::as_of(conn, 42, later).unwrap().unwrap(),
        past("erased:1", "paid")
    );
    assert_eq!(
        User::as_of_json(conn, 42, then).unwrap().unwrap()["born"],
        "erased:1"
    );
    assert_eq!(
        User::all_as_of(conn, then)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .record
            .unwrap(),
        past("erased:1", "free")
    );
    assert_eq!(
        Born::as_of(conn, 42, then).unwrap().unwrap_err(),
        Unavailable::Erased {
            columns: vec!["born".to_owned(), "email".to_owned()]
        }
    );
    let versions = User::versions_of(conn, 42).unwrap();
    assert_eq!(
        versions[1].record.as_ref().unwrap(),
        &past("erased:1", "paid")
    );
    assert_rows(
        conn,
        &format!(
            "SELECT image FROM threadline.rows_as_of('users', '{}')",
            then.to_rfc3339()
        ),
        [r#"{"id": 42, "born": "erased:1", "plan": "free", "email": "erased:1"}"#],
    );
}

/// In a masked column too, an erased value differs from a masked one.
#[test]
fn erased_values_differ_from_masked_ones() {
    let (_, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', '1990-01-01', 'free'), (43, 'bob@a', '1990-01-01', 'free');
         SELECT threadline.audit('users', mask => ARRAY['email'], hash => ARRAY['born'], personal => ARRAY['email', 'born']);
         UPDATE users SET email = email || 'x', born = '1991-01-01'",
    );
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    assert_rows(
        conn,
        "SELECT coalesce(row_data, changed_to) - 'id' - 'plan' #- '{born}' FROM threadline.changes ORDER BY id",
        [
            r#"{"email": "erased:1"}"#,
            r#"{"email": "***"}"#,
            r#"{"email": "erased:1"}"#,
            r#"{"email": "***"}"#,
        ],
    );
    assert_value(
        conn,
        "SELECT changed_to ->> 'born' FROM threadline.changes WHERE op = 'update' AND key ->> 'id' = '42'",
        "erased:1",
    );
    assert!(findings(conn).iter().all(|code| *code == "policy-differs"));
}

#[test]
fn a_revert_writes_no_mark() {
    let (_, conn) = &mut people_with("INSERT INTO users VALUES (42, 'jane@a', NULL, 'free')");
    let then = now(conn);
    run(conn, "UPDATE users SET email = 'jane@b', plan = 'paid'");
    let mistake: i64 = value(conn, "SELECT max(id) FROM threadline.audit_transactions")
        .unwrap()
        .parse()
        .unwrap();
    run(
        conn,
        "INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern')",
    );
    run(conn, "DELETE FROM addresses");
    let deletion: i64 = value(conn, "SELECT max(id) FROM threadline.audit_transactions")
        .unwrap()
        .parse()
        .unwrap();
    run(conn, "UPDATE users SET plan = 'other'");
    let plan: i64 = value(conn, "SELECT max(id) FROM threadline.audit_transactions")
        .unwrap()
        .parse()
        .unwrap();
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();

    let error = revert_transaction(conn, mistake).unwrap_err().to_string();
    assert_contains(&error, "plan");
    let error = revert_transaction(conn, deletion).unwrap_err().to_string();
    assert_contains(&error, "the audit does not have the values of street");
    let error = User::revert_to(conn, 42, then).unwrap_err().to_string();
    assert_contains(&error, "the audit does not have the values of email");
    // Plain values are restored.
    revert_transaction(conn, plan).unwrap();
    let error = revert_transaction(conn, mistake).unwrap_err().to_string();
    assert_contains(&error, "the audit does not have the values of email");
    assert_rows(conn, "SELECT * FROM users", ["42 | jane@b | NULL | paid"]);
    assert_rows(conn, "SELECT count(*) FROM addresses", ["0"]);
    let _ = Address::spec();
}
