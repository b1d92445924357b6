use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};
use threadline_compile_tests::users;

#[derive(Queryable, Selectable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
pub struct User(
    #[diesel(column_name = id)] pub i32,
    #[diesel(column_name = email)] pub String,
);

// Only a place to declare what is audited.
#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
struct Users;

fn main() {
    assert_eq!(User::spec().policy.columns_with(ColumnPolicy::Mask), ["email"]);
    assert_eq!(Users::spec().policy.columns_with(ColumnPolicy::Mask), ["email"]);
}
