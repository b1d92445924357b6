use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};

diesel::table! {
    users (id) {
        id -> Int4,
        name -> Text,
        password_hash -> Text,
    }
}

#[derive(Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = users)]
#[audited(exclude(password_hash))]
pub struct User {
    pub id: i32,
    pub name: String,
}

fn main() {
    let spec = User::spec();
    assert_eq!(spec.columns, ["id", "name", "password_hash"]);
    assert_eq!(spec.policy.columns_with(ColumnPolicy::Exclude), ["password_hash"]);
}
