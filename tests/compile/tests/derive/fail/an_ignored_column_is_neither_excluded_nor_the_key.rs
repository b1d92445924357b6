use diesel::prelude::*;
use threadline::Audited;

diesel::table! {
    posts (id) {
        id -> BigInt,
        score -> Integer,
    }
}

#[derive(Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = posts, primary_key(id))]
#[audited(exclude(score), ignore(score, id))]
struct Post {
    id: i64,
    score: i32,
}

fn main() {}
