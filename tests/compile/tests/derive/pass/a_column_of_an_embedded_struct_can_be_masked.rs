use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};

diesel::table! {
    users (id) {
        id -> Int4,
        street -> Text,
        town -> Text,
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct Address {
    pub street: String,
    pub town: String,
}

#[derive(Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(street))]
pub struct User {
    pub id: i32,
    #[diesel(embed)]
    pub address: Address,
}

fn main() {
    let spec = User::spec();
    assert_eq!(spec.columns, ["id", "street", "town"]);
    assert_eq!(spec.policy.columns_with(ColumnPolicy::Mask), ["street"]);
}
