use std::borrow::Cow;

use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};

diesel::table! {
    users (id) {
        id -> Int4,
        name -> Text,
        email -> Text,
    }
}

#[derive(Queryable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
pub struct Generic<Id, Text = String>
where
    Id: Copy,
{
    pub id: Id,
    pub name: Text,
    pub email: Text,
}

#[derive(Queryable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
pub struct Shared<'a, const N: usize> {
    pub name: Cow<'a, str>,
    pub email: Cow<'a, str>,
}

#[derive(Insertable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
pub struct New<'a> {
    pub name: &'a str,
    pub email: &'a str,
}

fn main() {
    for spec in [
        Generic::<i32>::spec(),
        Shared::<0>::spec(),
        New::spec(),
    ] {
        assert_eq!(spec.table, r#""users""#);
        assert_eq!(spec.policy.columns_with(ColumnPolicy::Mask), ["email"]);
    }
}
