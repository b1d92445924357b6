//! The helpers for tests of an application.

#[path = "testing/differences.rs"]
mod differences;
#[path = "testing/matching.rs"]
mod matching;
#[path = "testing/recording.rs"]
mod recording;
#[path = "testing/unattributed.rs"]
mod unattributed;

use diesel::prelude::*;

diesel::table! {
    users (id) { id -> BigInt, name -> Text, email -> Text, password -> Text, }
}

diesel::table! {
    roles (user_id, role) { user_id -> BigInt, role -> Text, }
}

/// Creates `users`, with masked addresses and unrecorded passwords, and `roles`, which
/// refuses writes without an actor.
const TABLES: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, password text NOT NULL DEFAULT 'secret');
         CREATE TABLE roles (user_id bigint, role text, PRIMARY KEY (user_id, role));
         SELECT threadline.audit('users', mask => ARRAY['email'], exclude => ARRAY['password']),
                threadline.audit('roles', require_actor => true)";

fn add_user(conn: &mut PgConnection, id: i64, name: &str) -> QueryResult<usize> {
    diesel::insert_into(users::table)
        .values((
            users::id.eq(id),
            users::name.eq(name),
            users::email.eq(format!("{name}@example.com")),
            users::password.eq("secret"),
        ))
        .execute(conn)
}

fn rename(conn: &mut PgConnection, id: i64, name: &str) -> QueryResult<usize> {
    diesel::update(users::table.find(id))
        .set(users::name.eq(name))
        .execute(conn)
}
