//! The recorded data of a person: made unreadable, and shown to them.

#[path = "erasure/erase.rs"]
mod erase;
#[path = "erasure/forms.rs"]
mod forms;
#[path = "erasure/keys.rs"]
mod keys;
#[path = "erasure/kills.rs"]
mod kills;
#[path = "erasure/leftovers.rs"]
mod leftovers;
#[path = "erasure/names.rs"]
mod names;
#[path = "erasure/policy.rs"]
mod policy;
#[path = "erasure/random.rs"]
mod random;
#[path = "erasure/subject.rs"]
mod subject;

use chrono::NaiveDate;
use diesel::{Identifiable, PgConnection, Queryable, Selectable};
use threadline::Audited;
use threadline_tests::{Database, run, value};

diesel::table! {
    users (id) {
        id -> Integer,
        email -> Text,
        born -> Nullable<Date>,
        plan -> Text,
    }
}

diesel::table! {
    addresses (id) {
        id -> Integer,
        user_id -> Nullable<Integer>,
        street -> Text,
        city -> Text,
    }
}

#[derive(Queryable, Selectable, Identifiable, Debug, Clone, PartialEq, Audited)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
#[audited(personal(email, born))]
pub(crate) struct User {
    pub(crate) id: i32,
    pub(crate) email: String,
    pub(crate) born: Option<NaiveDate>,
    pub(crate) plan: String,
}

#[derive(Queryable, Selectable, Identifiable, Debug, Clone, PartialEq, Audited)]
#[diesel(table_name = addresses, check_for_backend(diesel::pg::Pg))]
#[audited(personal(street), subject(user_id = users))]
pub(crate) struct Address {
    pub(crate) id: i32,
    pub(crate) user_id: Option<i32>,
    pub(crate) street: String,
    pub(crate) city: String,
}

pub(crate) const TABLES: &str = "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, born date, plan text NOT NULL);
     CREATE TABLE addresses (id int PRIMARY KEY, user_id int, street text NOT NULL, city text NOT NULL);";

/// Creates the tables, audited as the models declare, and empty.
pub(crate) fn people() -> (Database, PgConnection) {
    people_in(Database::new())
}

/// Creates them, and runs statements that must succeed.
#[track_caller]
pub(crate) fn people_with(sql: &str) -> (Database, PgConnection) {
    let (database, mut conn) = people();
    run(&mut conn, sql);
    (database, conn)
}

/// Creates them in a given database.
pub(crate) fn people_in(database: Database) -> (Database, PgConnection) {
    let mut conn = database.connect();
    run(&mut conn, TABLES);
    threadline::models![User, Address]
        .install(&mut conn)
        .unwrap();
    (database, conn)
}

/// Writes Jane, who is users:42, and Bob, who is users:43, and their addresses.
pub(crate) fn jane_and_bob() -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(TABLES);
    // This one is older than the audit.
    run(
        &mut conn,
        "INSERT INTO addresses VALUES (1, 42, 'jane street 1', 'Bern')",
    );
    threadline::models![User, Address]
        .install(&mut conn)
        .unwrap();
    run(
        &mut conn,
        "INSERT INTO users VALUES (42, 'jane@a', '1990-01-01', 'free'), (43, 'bob@a', '1991-01-01', 'free');
         UPDATE users SET email = 'jane@b' WHERE id = 42;
         UPDATE users SET plan = 'paid' WHERE id = 42;
         UPDATE addresses SET street = 'jane street 2' WHERE id = 1;
         UPDATE addresses SET user_id = 43, street = 'bob street 3' WHERE id = 1;
         UPDATE addresses SET street = 'bob street 4' WHERE id = 1;
         INSERT INTO addresses VALUES (2, 42, 'jane street 5', 'Thun');
         UPDATE addresses SET city = 'Basel' WHERE id = 2;
         DELETE FROM addresses WHERE id = 2;
         UPDATE users SET email = 'gone', born = NULL WHERE id = 42",
    );
    (database, conn)
}

const DRIFT: &str = "SELECT code FROM threadline.erasure_drift()";

/// Erases with threadline.begin_erasure() and threadline.erase(), and returns the number.
#[track_caller]
pub(crate) fn erase(conn: &mut PgConnection, arguments: &str) -> String {
    let id = value(
        conn,
        &format!("SELECT threadline.begin_erasure({arguments}, reason => 'r')"),
    )
    .unwrap();
    complete(conn, &id);
    id
}

/// Calls threadline.erase() until it returns 0.
#[track_caller]
pub(crate) fn complete(conn: &mut PgConnection, id: &str) {
    while value(conn, &format!("SELECT threadline.erase({id})")).as_deref() != Some("0") {}
}

/// Returns whether any table of the audit's schema contains a text.
pub(crate) fn stores(database: &Database, text: &str) -> bool {
    audit_contents(database).contains(text)
}

/// Returns every row of every table of the audit as text.
pub(crate) fn audit_contents(database: &Database) -> String {
    let conn = &mut database.connect();
    let tables = threadline_tests::rows(
        conn,
        "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'threadline'::regnamespace",
    );
    tables
        .iter()
        .flat_map(|table| {
            threadline_tests::rows(conn, &format!("SELECT tl_row::text FROM {table} AS tl_row"))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns the codes of the findings of `verify`.
pub(crate) fn findings(conn: &mut PgConnection) -> Vec<String> {
    let found = threadline::models![User, Address]
        .verify()
        .run(conn)
        .unwrap();
    found
        .findings
        .iter()
        .map(|finding| finding.code.to_string())
        .filter(|code| code != "unattributed")
        .collect()
}

pub(crate) fn count(conn: &mut PgConnection, sql: &str) -> i64 {
    value(conn, sql).unwrap().parse().unwrap()
}
