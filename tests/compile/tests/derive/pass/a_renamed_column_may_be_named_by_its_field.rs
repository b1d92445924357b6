use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};

diesel::table! {
    users (id) {
        id -> Int4,
        email -> Text,
        phone -> Text,
        r#type -> Text,
        users_ -> Text,
    }
}

#[derive(Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(mail, mobile), exclude(kind, users))]
pub struct ByField {
    pub id: i32,
    #[diesel(column_name = email)]
    pub mail: String,
    #[diesel(column_name = "phone")]
    pub mobile: String,
    #[diesel(column_name = "type")]
    pub kind: String,
    #[diesel(column_name = users_)]
    pub users: String,
}

#[derive(Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(email, phone), exclude(r#type, users_))]
pub struct ByColumn {
    pub id: i32,
    #[diesel(column_name = email)]
    pub mail: String,
    #[diesel(column_name = "phone")]
    pub mobile: String,
    #[diesel(column_name = "type")]
    pub kind: String,
    #[diesel(column_name = users_)]
    pub users: String,
}

// A name given twice to the same thing is unambiguous.
#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
pub struct Same {
    #[diesel(column_name = email)]
    pub email: String,
}

fn main() {
    for policy in [ByField::spec().policy, ByColumn::spec().policy] {
        assert_eq!(policy.columns_with(ColumnPolicy::Mask), ["email", "phone"]);
        assert_eq!(policy.columns_with(ColumnPolicy::Exclude), ["type", "users_"]);
    }
    assert_eq!(Same::spec().policy.columns_with(ColumnPolicy::Mask), ["email"]);
}
