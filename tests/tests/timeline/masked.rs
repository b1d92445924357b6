//! Values that the policy hides now are hidden in every form, whenever they were
//! recorded.

use diesel::prelude::*;
use serde_json::json;
use threadline::{
    ActorRef, AuditContext, Audited, ErrorKind, Export, ExportFormat, Filter, timeline,
    transaction, unmasked,
};
use threadline_tests::{
    Database, assert_contains, assert_contains_all, assert_rows, error_of, rows, run, value,
};

mod plain {
    use diesel::prelude::*;

    diesel::table! {
        people (id) { id -> Int4, name -> Text, email -> Nullable<Text>, pin -> Nullable<Int4>, }
    }

    #[derive(Debug, Clone, Queryable, Selectable, Identifiable, threadline::Audited)]
    #[diesel(table_name = people)]
    #[audited(mask(email), exclude(pin))]
    pub struct Person {
        pub id: i32,
        pub name: String,
        pub email: Option<String>,
        pub pin: Option<i32>,
    }
}

mod left {
    use diesel::prelude::*;

    diesel::table! { people (id) { id -> Int4, name -> Text, } }

    #[derive(Debug, Clone, Queryable, Selectable, Identifiable, threadline::Audited)]
    #[diesel(table_name = people)]
    pub struct Person {
        pub id: i32,
        pub name: String,
    }
}

const PEOPLE: &str = "
    CREATE TABLE people (id int PRIMARY KEY, name text, email text, pin int);
    SELECT threadline.audit('people', plain => ARRAY['pin']);
    INSERT INTO people VALUES (1, 'Ada', 's3cret-1', 77700001);
    UPDATE people SET email = 's3cret-2', pin = 77700002;
    UPDATE people SET name = 'Ada L.', email = 's3cret-3', pin = 77700003;
    INSERT INTO people VALUES (2, 'Gone', 's3cret-4', 77700004);
    DELETE FROM people WHERE id = 2;";
const MASK: &str =
    "SELECT threadline.audit('people', mask => ARRAY['email'], exclude => ARRAY['pin'])";

/// Returns the changes in every form, as one text.
fn answers(conn: &mut PgConnection) -> String {
    let mut all = String::new();
    let page = timeline(Filter::new()).limit(1000).page(conn).unwrap();
    all += &serde_json::to_string(&page).unwrap();
    for entry in &page.entries {
        let change = &entry.change;
        all += &format!("{change}\n{change:?}\n{:?}\n", change.diff());
        let report = transaction(conn, change.transaction.id).unwrap();
        all += &serde_json::to_string(&report).unwrap();
    }
    for key in [1, 2] {
        for change in left::Person::history_of(conn, key).unwrap() {
            all += &format!(
                "{change}\n{change:?}\n{}\n",
                serde_json::to_string(&change).unwrap()
            );
        }
        all += &serde_json::to_string(&left::Person::blame_of(conn, key).unwrap()).unwrap();
        for version in left::Person::versions_of(conn, key).unwrap() {
            all += &format!(
                "{:?} {:?} {:?}\n",
                version.change, version.record, version.image
            );
        }
    }
    for format in [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Ndjson] {
        let mut out = vec![];
        Export::new(Filter::new())
            .with_actions()
            .write(conn, format, &mut out)
            .unwrap();
        all += &String::from_utf8(out).unwrap();
    }
    all += &rows(conn, "SELECT c FROM threadline.changes AS c").concat();
    all
}

fn found_by_value(conn: &mut PgConnection) -> u64 {
    [
        Filter::new().value("email", "s3cret-1"),
        Filter::new().value("pin", 77700002),
        Filter::new().changed_from("email", "s3cret-2"),
        Filter::new().changed_to("email", "s3cret-3"),
        Filter::new()
            .table("people")
            .record(1)
            .changed_to("email", "s3cret-3"),
    ]
    .into_iter()
    .map(|filter| timeline(filter).count(conn).unwrap())
    .sum()
}

#[track_caller]
fn no_secret(conn: &mut PgConnection) {
    let all = answers(conn);
    for secret in ["s3cret", "7770000"] {
        let at = all
            .find(secret)
            .map(|at| &all[at.saturating_sub(200)..at + 20]);
        assert_eq!(at, None, "{secret}");
    }
    assert!(all.contains("Ada L."));
    assert_eq!(found_by_value(conn), 0);
}

#[test]
fn values_masked_later_are_hidden_in_every_form() {
    for posted in [false, true] {
        let (_, conn) = &mut Database::with(PEOPLE);
        assert!(answers(conn).contains("s3cret-1"));
        assert!(found_by_value(conn) > 4);
        if posted {
            run(conn, "SELECT threadline.post()");
        }
        run(conn, MASK);
        no_secret(conn);
        let history = plain::Person::history_of(conn, 1).unwrap();
        assert_eq!(
            history[0].changed_from,
            Some(json!({"name": "Ada", "email": "***", "pin": 0}))
        );
        assert_eq!(history[0].masked, ["email", "pin"]);
        assert!(
            history[0].to_string().contains("pin    *** -> ***"),
            "{}",
            history[0]
        );
        // A NULL stays visible.
        run(conn, "UPDATE people SET email = NULL");
        let last = &plain::Person::history_of(conn, 1).unwrap()[0];
        assert_eq!(last.changed_to, Some(json!({"email": null})));
        for step in [
            "ALTER TABLE people RENAME email TO mail",
            "SELECT threadline.refresh('people')",
            "UPDATE people SET mail = 's3cret-5'",
            "ALTER TABLE people RENAME name TO email; ALTER TABLE people RENAME mail TO name; ALTER TABLE people RENAME email TO mail",
            "ALTER TABLE people RENAME mail TO email; ALTER TABLE people RENAME name TO mail; ALTER TABLE people RENAME email TO name",
        ] {
            run(conn, step);
            no_secret(conn);
        }
    }
}

#[test]
fn values_of_a_dropped_redacted_column_stay_hidden() {
    let (_, conn) = &mut Database::with(PEOPLE);
    run(conn, MASK);
    for step in [
        "ALTER TABLE people DROP email, DROP pin",
        "SELECT threadline.refresh('people')",
        "UPDATE people SET name = 'Ada L. again'",
        "SELECT threadline.refresh('people')",
        "ALTER TABLE people ADD remark text",
        "SELECT threadline.refresh('people')",
        "DELETE FROM people",
    ] {
        run(conn, step);
        no_secret(conn);
    }
    // Another column of the name is different, and shows its own values.
    run(
        conn,
        "ALTER TABLE people ADD email text; SELECT threadline.refresh('people')",
    );
    no_secret(conn);
    run(
        conn,
        "INSERT INTO people (id, name, email) VALUES (3, 'Ada L.', 'in the open')",
    );
    for _ in 0..2 {
        no_secret(conn);
        assert!(answers(conn).contains("in the open"));
        run(
            conn,
            "ALTER TABLE people ADD IF NOT EXISTS note text; SELECT threadline.refresh('people')",
        );
    }
    // A column of the same table that is redacted later keeps its own policy.
    run(
        conn,
        "SELECT threadline.audit('people', mask => ARRAY['email'])",
    );
    assert!(!answers(conn).contains("in the open"));
    run(conn, "SELECT threadline.audit('people')");
    no_secret(conn);
    assert!(answers(conn).contains("in the open"));
}

#[test]
fn a_column_that_is_plain_again_shows_what_was_recorded_plain() {
    let (_, conn) = &mut Database::with(PEOPLE);
    run(conn, MASK);
    no_secret(conn);
    run(
        conn,
        "SELECT threadline.audit('people', plain => ARRAY['pin'])",
    );
    assert!(answers(conn).contains("s3cret-1"));
}

#[test]
fn a_keyed_hash_stays_to_be_seen_and_what_was_before_it_does_not() {
    let (_, conn) = &mut Database::with(PEOPLE);
    run(
        conn,
        "SELECT threadline.audit('people', hash => ARRAY['email'], exclude => ARRAY['pin']);
         UPDATE people SET email = 's3cret-6'",
    );
    no_secret(conn);
    let last = &plain::Person::history_of(conn, 1).unwrap()[0];
    let hash = last.changed_to.as_ref().unwrap()["email"].as_str().unwrap();
    assert!(hash.starts_with("hash:"), "{hash}");
}

#[test]
fn reading_unmasked_values_is_recorded() {
    let (_, conn) = &mut Database::with(PEOPLE);
    run(conn, MASK);
    let grace = AuditContext::builder(ActorRef::admin("grace").unwrap())
        .source("support")
        .request_id("r-1")
        .remote_ip([203, 0, 113, 9].into())
        .build()
        .unwrap();
    let all = grace
        .scope(|| unmasked(conn, "ticket 4711", |conn| Ok(answers(conn))))
        .unwrap();
    assert_contains_all(&all, &["s3cret-1", "s3cret-4", "77700001"]);
    let count = unmasked(conn, "again", |conn| Ok(found_by_value(conn))).unwrap();
    assert!(count > 4);
    let image = unmasked(conn, "the past", |conn| {
        plain::Person::as_of_json(conn, 1, chrono::Utc::now())
    });
    assert!(format!("{image:?}").contains("s3cret-3"), "{image:?}");
    no_secret(conn);
    assert_rows(
        conn,
        "SELECT concat_ws(' ', actor_type, actor_id, source, request_id, host(remote_ip), reason)
         FROM threadline.audit_actions WHERE name = 'audit.unmasked' ORDER BY id",
        [
            "admin grace support r-1 203.0.113.9 ticket 4711",
            "anonymous again",
            "anonymous the past",
        ],
    );
    let before = "SELECT count(*) FROM threadline.audit_actions";
    let recorded = value(conn, before);
    let error = unmasked(conn, " ", |_| Ok(())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "threadline: reading values that are masked now needs a reason: SELECT threadline.unmask('why')"
    );
    let inside = conn.transaction(|conn| unmasked(conn, "ticket", |_| Ok(())));
    assert!(matches!(inside.unwrap_err().kind(), ErrorKind::Action(_)));
    assert_eq!(value(conn, before), recorded);
}

#[test]
fn nothing_that_a_session_sets_for_itself_unmasks() {
    let (database, conn) = &mut Database::with(PEOPLE);
    run(conn, MASK);
    let action = unmasked(conn, "ticket", |conn| {
        Ok(value(conn, "SELECT current_setting('threadline.unmasked')").unwrap())
    })
    .unwrap();
    let other = &mut database.connect();
    for forged in [action.as_str(), "1", "yes", "'; --", "99999999999999999999"] {
        run(
            other,
            &format!("SELECT set_config('threadline.unmasked', $x${forged}$x$, false)"),
        );
        no_secret(other);
    }
    run(
        conn,
        "CREATE ROLE unmask_nobody; GRANT USAGE ON SCHEMA threadline TO unmask_nobody;
         SET ROLE unmask_nobody",
    );
    let error = unmasked(conn, "ticket", |_| Ok(())).unwrap_err();
    run(
        conn,
        "RESET ROLE; DROP OWNED BY unmask_nobody; DROP ROLE unmask_nobody",
    );
    assert_eq!(error.to_string(), "permission denied for function unmask");
    let error = error_of(
        conn,
        "SELECT threadline.record_action('audit.unmasked', 'user', '1')",
    );
    assert_eq!(
        error,
        "threadline: the action 'audit.unmasked' is recorded by threadline.unmask() alone"
    );
}

#[test]
fn unmasked_the_past_shows_what_is_on_record_and_never_the_live_row() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE people (id int PRIMARY KEY, name text, email text, pin int);
         INSERT INTO people VALUES (3, 'Old', 's3cret-live', 77700009)",
    );
    run(
        conn,
        &PEOPLE.replace(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text, pin int);",
            "",
        ),
    );
    let before = chrono::Utc::now();
    run(conn, MASK);
    run(
        conn,
        "UPDATE people SET email = 's3cret-new', pin = 77700008 WHERE id = 1; UPDATE people SET name = 'Older' WHERE id = 3",
    );
    run(conn, "SELECT pg_sleep(0.01)");
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post_all()");
        }
        let now = chrono::Utc::now();
        let all = unmasked(conn, "the past", |conn| {
            let mut all = String::new();
            for at in [before, now] {
                for key in [1, 3] {
                    all += &format!("{:?}\n", plain::Person::as_of_json(conn, key, at)?);
                    all += &format!("{:?}\n", plain::Person::as_of(conn, key, at)?);
                }
                for past in plain::Person::all_as_of(conn, at)? {
                    all += &format!("{:?}\n", past?);
                }
            }
            Ok(all)
        })
        .unwrap();
        assert_contains(&all, "s3cret-3");
        for hidden in ["s3cret-live", "s3cret-new", "777000"] {
            assert!(!all.contains(hidden), "{hidden} in {all}");
        }
        let typed = |conn: &mut PgConnection, at| plain::Person::as_of(conn, 1, at);
        let then = unmasked(conn, "typed", |conn| typed(conn, before))
            .unwrap()
            .unwrap();
        assert_eq!(then.email.as_deref(), Some("s3cret-3"));
        let after = unmasked(conn, "typed", |conn| typed(conn, now))
            .unwrap()
            .unwrap();
        assert_eq!(after.email.as_deref(), Some("***"));
        assert_eq!(after.pin, None);
        assert_eq!(
            typed(conn, before).unwrap().unwrap().email.as_deref(),
            Some("***")
        );
        no_secret(conn);
    }
    // A revert uses values that reading hides.
    let revert = |conn: &mut PgConnection| plain::Person::revert_to(conn, 1, before);
    let plainly = revert(conn).unwrap_err().to_string();
    let unmasked = unmasked(conn, "a revert", revert).unwrap_err().to_string();
    assert_eq!(unmasked, plainly);
}
