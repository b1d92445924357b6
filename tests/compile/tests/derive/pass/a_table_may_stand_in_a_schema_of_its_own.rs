use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};

diesel::table! {
    app.users (id) {
        id -> Int4,
        email -> Text,
    }
}

diesel::table! {
    #[sql_name = "Odd \"Name\""]
    odd (id) {
        id -> Int4,
    }
}

#[derive(Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
pub struct User {
    pub id: i32,
    pub email: String,
}

#[derive(Audited)]
#[diesel(table_name = odd)]
struct Odd;

fn main() {
    let spec = User::spec();
    assert_eq!(spec.model, "User");
    assert_eq!(spec.table, r#""app"."users""#);
    assert_eq!(spec.columns, ["id", "email"]);
    assert_eq!(spec.policy.columns_with(ColumnPolicy::Mask), ["email"]);
    assert_eq!(Odd::spec().table, r#""Odd ""Name""""#);
}
