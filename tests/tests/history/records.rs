//! History and versions of an ordinary table.

use diesel::prelude::*;
use serde_json::json;
use threadline::{ActorRef, AuditContext, Audited, Operation, Unavailable};
use threadline_tests::{Database, rolled_back_with, run, run_under, value};

mod schema {
    diesel::table! {
        users (id) {
            id -> Int4,
            name -> Text,
            email -> Nullable<Text>,
            password_hash -> Text,
            balance -> Numeric,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = schema::users)]
#[audited(mask(email), exclude(password_hash))]
struct User {
    id: i32,
    name: String,
    email: Option<String>,
    password_hash: String,
}

const USERS: &str = "
    CREATE TABLE users (
        id int PRIMARY KEY, name text NOT NULL, email text,
        password_hash text NOT NULL, balance numeric NOT NULL DEFAULT 0);
    SELECT threadline.audit('users', mask => ARRAY['email'], exclude => ARRAY['password_hash']);
";

fn as_user(id: i32) -> AuditContext {
    AuditContext::new(ActorRef::user(id).unwrap())
}

fn load(conn: &mut PgConnection, id: i32) -> User {
    schema::users::table
        .find(id)
        .select(User::as_select())
        .first(conn)
        .unwrap()
}

#[test]
fn a_history_is_newest_first_with_actor_and_redacted_values() {
    let conn = &mut rolled_back_with(USERS);
    run_under(
        conn,
        &as_user(1),
        "INSERT INTO users VALUES (1, 'Ada', 'ada@example.com', 's3cret', 1.10)",
    );
    let user = load(conn, 1);
    run_under(
        conn,
        &as_user(2),
        "UPDATE users SET name = 'Ada L.', email = 'l@example.com', balance = 12.50",
    );
    run_under(conn, &as_user(3), "DELETE FROM users");

    let history = user.history(conn).unwrap();
    assert_eq!(history, threadline::history(conn, &user).unwrap());
    assert_eq!(history, User::history_of(conn, 1).unwrap());
    let [deleted, updated, inserted] = &history[..] else {
        panic!("{history:?}")
    };

    assert_eq!(inserted.operation, Operation::Insert);
    assert_eq!(inserted.actor(), Some(&ActorRef::user(1).unwrap()));
    assert_eq!(inserted.key, Some(json!({"id": 1})));
    assert_eq!(inserted.changed_from, None);
    assert_eq!(
        inserted.row_data,
        Some(json!({"id": 1, "name": "Ada", "email": "***", "balance": "1.10"}))
    );
    assert_eq!(inserted.table.as_deref(), Some("users"));
    assert_eq!(inserted.schema.as_deref(), Some("public"));

    assert_eq!(updated.operation, Operation::Update);
    assert_eq!(updated.actor(), Some(&ActorRef::user(2).unwrap()));
    assert_eq!(updated.changed_fields(), ["balance", "email", "name"]);
    assert_eq!(
        updated.changed_from,
        Some(json!({"name": "Ada", "email": "***", "balance": "1.10"}))
    );
    assert_eq!(
        updated.changed_to,
        Some(json!({"name": "Ada L.", "email": "***", "balance": "12.50"}))
    );
    assert_eq!(updated.row_data, None);

    assert_eq!(deleted.operation, Operation::Delete);
    assert_eq!(deleted.actor(), Some(&ActorRef::user(3).unwrap()));
    assert_eq!(deleted.changed_from, None);
    assert_eq!(
        deleted.row_data,
        Some(json!({"id": 1, "name": "Ada L.", "email": "***", "balance": "12.50"}))
    );
}

#[test]
fn versions_are_the_models_own_type_and_never_hold_a_secret() {
    let conn = &mut rolled_back_with(USERS);
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada', 'ada@example.com', 's3cret')",
    );
    run(conn, "UPDATE users SET name = 'Ada L.'");
    run(conn, "UPDATE users SET name = 'Ada Lovelace', email = NULL");

    let versions = load(conn, 1).versions(conn).unwrap();
    let records: Vec<_> = versions
        .iter()
        .map(|version| version.record.clone().unwrap())
        .collect();
    let user = |name: &str, email: Option<&str>| User {
        id: 1,
        name: name.into(),
        email: email.map(str::to_owned),
        password_hash: "***".into(),
    };
    assert_eq!(
        records,
        [
            user("Ada Lovelace", None),
            user("Ada L.", Some("***")),
            user("Ada", Some("***")),
        ]
    );
    assert_eq!(versions[0].redacted, ["email", "password_hash"]);
    assert_eq!(versions[0].change.changed_fields(), ["email", "name"]);
}

#[test]
fn versions_cover_a_row_older_than_the_audit_and_a_deleted_one() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, email text,
             password_hash text NOT NULL, balance numeric NOT NULL DEFAULT 0);
         INSERT INTO users VALUES (1, 'Ada', NULL, 'x'), (2, 'Bob', NULL, 'x');
         SELECT threadline.audit('users', exclude => ARRAY['password_hash']);
         UPDATE users SET name = 'Ada L.' WHERE id = 1;
         UPDATE users SET balance = 5 WHERE id = 1;
         UPDATE users SET name = 'Rob' WHERE id = 2;
         DELETE FROM users WHERE id = 2;
         INSERT INTO users VALUES (2, 'Zoe', NULL, 'x');
         UPDATE users SET name = 'Zoë' WHERE id = 2;",
    );
    let names = |conn: &mut PgConnection, id: i32| -> Vec<String> {
        let versions = User::versions_of(conn, id).unwrap();
        versions
            .into_iter()
            .map(|v| v.record.unwrap().name)
            .collect()
    };
    assert_eq!(names(conn, 1), ["Ada L.", "Ada L."]);
    assert_eq!(names(conn, 2), ["Zoë", "Zoe", "Rob", "Rob"]);
    assert!(names(conn, 3).is_empty());
}

mod wide {
    use super::*;

    diesel::table! {
        accounts (id) {
            id -> Int4,
            pin -> Int4,
        }
    }

    #[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = accounts)]
    #[audited(exclude(pin))]
    pub(super) struct Account {
        id: i32,
        #[allow(dead_code)]
        pin: i32,
    }

    #[test]
    fn a_version_that_lacks_an_excluded_number_says_so() {
        let conn = &mut rolled_back_with(
            "CREATE TABLE accounts (id int PRIMARY KEY, pin int NOT NULL);
             SELECT threadline.audit('accounts', exclude => ARRAY['pin']);
             INSERT INTO accounts VALUES (1, 1234)",
        );
        let versions = Account::versions_of(conn, 1).unwrap();
        assert_eq!(
            versions[0].record.as_ref().unwrap_err(),
            &Unavailable::Redacted {
                columns: vec!["pin".into()]
            }
        );
        assert_eq!(versions[0].image, Some(json!({"id": 1})));
    }
}

#[test]
fn history_follows_a_record_through_a_change_of_its_key() {
    let conn = &mut rolled_back_with(USERS);
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada', NULL, 'x');
         UPDATE users SET name = 'Ada L.' WHERE id = 1;
         UPDATE users SET id = 7 WHERE id = 1;
         UPDATE users SET name = 'Ada Lovelace' WHERE id = 7;
         -- Somebody else under the old key.
         INSERT INTO users VALUES (1, 'Bob', NULL, 'x');
         DELETE FROM users WHERE id = 7;",
    );
    let history = User::history_of(conn, 7).unwrap();
    let ops: Vec<_> = history
        .iter()
        .map(|c| (c.operation.as_str(), c.changed_fields()))
        .collect();
    let all = vec!["balance", "email", "id", "name"];
    assert_eq!(
        ops,
        [
            ("delete", all.clone()),
            ("update", vec!["name"]),
            ("update", vec!["id"]),
            ("update", vec!["name"]),
            ("insert", all),
        ]
    );
    assert_eq!(history[2].previous_key, Some(json!({"id": 1})));
    assert_eq!(history[2].key, Some(json!({"id": 7})));
    let names: Vec<_> = User::versions_of(conn, 7)
        .unwrap()
        .into_iter()
        .map(|v| v.record.unwrap())
        .map(|u| (u.id, u.name))
        .collect();
    assert_eq!(
        names,
        [
            (7, "Ada Lovelace"),
            (7, "Ada Lovelace"),
            (7, "Ada L."),
            (1, "Ada L."),
            (1, "Ada")
        ]
        .map(|(id, name)| (id, name.to_owned()))
    );
}

#[test]
fn keys_shifted_in_bulk_keep_each_records_own_history() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id int, name text NOT NULL, email text, password_hash text NOT NULL, balance numeric NOT NULL DEFAULT 0, PRIMARY KEY (id) DEFERRABLE)",
    );
    run(
        conn,
        "SELECT threadline.audit('users', plain => ARRAY['password_hash'])",
    );
    run(
        conn,
        "INSERT INTO users SELECT i, 'user ' || i, NULL, 'x' FROM generate_series(1, 5) AS i",
    );
    run(conn, "UPDATE users SET id = id + 1");
    run(conn, "UPDATE users SET id = id - 1");
    run(conn, "UPDATE users SET id = 7 - id WHERE id IN (3, 4)");
    for id in 1..=5 {
        let name = value(conn, &format!("SELECT name FROM users WHERE id = {id}")).unwrap();
        let history = User::history_of(conn, id).unwrap();
        let insert = history.last().unwrap();
        assert_eq!(insert.operation, Operation::Insert, "{history:#?}");
        assert_eq!(insert.row_data.as_ref().unwrap()["name"], json!(name));
        let moves = if id == 3 || id == 4 { 4 } else { 3 };
        assert_eq!(history.len(), moves, "of {name}: {history:#?}");
    }
}

#[test]
fn a_query_object_is_a_query_like_any_other() {
    let conn = &mut rolled_back_with(USERS);
    run(conn, "INSERT INTO users VALUES (1, 'Ada', NULL, 'x')");
    let query = threadline::History::<User, _>::of_key(1);
    let changes: Vec<threadline::AuditChange> = RunQueryDsl::load(query, conn).unwrap();
    assert_eq!(changes.len(), 1);
}

#[test]
fn a_record_without_changes_has_an_empty_history() {
    let conn = &mut rolled_back_with(USERS);
    assert!(User::history_of(conn, 99).unwrap().is_empty());
}

#[test]
fn a_history_can_be_read_after_its_table_is_audited_no_longer() {
    let conn = &mut rolled_back_with(USERS);
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada', NULL, 'x'); SELECT threadline.unaudit('users')",
    );
    assert_eq!(User::history_of(conn, 1).unwrap().len(), 1);
    assert_eq!(User::versions_of(conn, 1).unwrap().len(), 1);
    // A new table under the name of a renamed one has a history of its own, if it is
    // audited.
    run(
        conn,
        "SELECT threadline.audit('users', plain => ARRAY['password_hash']); ALTER TABLE users RENAME TO former_users;
         CREATE TABLE users (LIKE former_users INCLUDING ALL)",
    );
    let error = User::history_of(conn, 1).unwrap_err();
    assert!(
        matches!(error.kind(), threadline::ErrorKind::NotAudited { .. }),
        "{error}"
    );
    run(
        conn,
        "SELECT threadline.audit('users', plain => ARRAY['password_hash'])",
    );
    assert!(User::history_of(conn, 1).unwrap().is_empty());
}

#[test]
fn a_version_of_which_only_changes_are_known_is_not_made_up() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, email text,
             password_hash text NOT NULL, balance numeric NOT NULL DEFAULT 0);
         INSERT INTO users VALUES (1, 'Ada', 'a@example.com', 'x');
         SELECT threadline.audit('users', plain => ARRAY['password_hash']);
         UPDATE users SET name = 'Ada L.';
         UPDATE users SET id = 2;",
    );
    let of_old_key = User::versions_of(conn, 1).unwrap();
    assert_eq!(of_old_key.len(), 2);
    for version in of_old_key {
        assert_eq!(version.record.unwrap_err(), Unavailable::Incomplete);
    }
    let emails: Vec<_> = User::versions_of(conn, 2)
        .unwrap()
        .into_iter()
        .map(|version| version.record.unwrap().email)
        .collect();
    assert_eq!(
        emails,
        [
            Some("a@example.com".to_owned()),
            Some("a@example.com".to_owned())
        ]
    );
}

#[test]
fn a_key_that_moved_away_is_whole_as_far_back_as_its_insertion() {
    let conn = &mut rolled_back_with(USERS);
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada', 'a@example.com', 'x');
         UPDATE users SET name = 'Ada L.';
         UPDATE users SET id = 2;
         INSERT INTO users VALUES (1, 'Bob', NULL, 'x');",
    );
    let names: Vec<_> = User::versions_of(conn, 1)
        .unwrap()
        .into_iter()
        .map(|version| version.record.unwrap().name)
        .collect();
    assert_eq!(names, ["Bob", "Ada L.", "Ada L.", "Ada"]);
}

mod dated {
    use super::*;

    diesel::table! {
        people (code) {
            code -> Bpchar,
            born -> Nullable<Date>,
            name -> Text,
        }
    }

    #[derive(Debug, PartialEq, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = people, primary_key(code))]
    #[audited(mask(born))]
    struct Person {
        code: String,
        born: Option<chrono::NaiveDate>,
        name: String,
    }

    #[test]
    fn a_mask_that_its_type_does_not_take_reads_as_nothing() {
        let conn = &mut rolled_back_with(
            "CREATE TABLE people (code char(5) PRIMARY KEY, born date, name text NOT NULL);
             SELECT threadline.audit('people', mask => ARRAY['born']);
             INSERT INTO people VALUES ('ab', '1815-12-10', 'Ada'); UPDATE people SET born = NULL, name = 'Ada L.'",
        );
        let versions = Person::versions_of(conn, "ab").unwrap();
        let person = |name: &str| Person {
            code: "ab   ".into(),
            born: None,
            name: name.into(),
        };
        let records: Vec<_> = versions
            .into_iter()
            .map(|version| version.record.unwrap())
            .collect();
        assert_eq!(records, [person("Ada L."), person("Ada")]);
        // A loaded model holds the blanks that PostgreSQL pads with.
        assert_eq!(records[0].history(conn).unwrap().len(), 2);
    }
}
