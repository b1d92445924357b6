use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};
use threadline_compile_tests::users;

macro_rules! model {
    ($name:ident, $table:path, $key:ident, [$($field:ident = $column:ident),*]) => {
        #[derive(Queryable, Selectable, Identifiable, Audited)]
        #[diesel(table_name = $table, primary_key($key))]
        #[audited(mask($($field),*), require_actor)]
        pub struct $name {
            pub $key: i32,
            $(#[diesel(column_name = $column)] pub $field: String),*
        }
    };
}

model!(User, crate::users, id, [mail = email, phone = phone]);

fn main() {
    let policy = User::spec().policy;
    assert_eq!(policy.columns_with(ColumnPolicy::Mask), ["email", "phone"]);
    assert!(policy.require_actor);
}
