use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};

diesel::table! {
    r#struct (r#type) {
        r#type -> Text,
        r#move -> Text,
        #[sql_name = "fn"]
        fn_ -> Text,
        #[sql_name = "e-mail"]
        email -> Text,
    }
}

#[derive(Queryable, Selectable, Audited)]
#[diesel(table_name = r#struct, primary_key(r#type))]
#[audited(mask(r#move, r#email), exclude(fn_))]
pub struct Raw {
    pub r#type: String,
    pub r#move: String,
    pub fn_: String,
    pub r#email: String,
}

#[derive(Audited)]
#[diesel(table_name = self::r#struct)]
#[audited(mask(move, email), exclude(fn_))]
pub struct r#Plain {
    pub r#move: String,
}

fn main() {
    let raw = Raw::spec();
    assert_eq!(raw.table, r#""struct""#);
    assert_eq!(raw.columns, ["type", "move", "fn", "e-mail"]);
    assert_eq!(Plain::spec().model, "Plain");
    for policy in [raw.policy, Plain::spec().policy] {
        assert_eq!(policy.columns_with(ColumnPolicy::Mask), ["move", "e-mail"]);
        assert_eq!(policy.columns_with(ColumnPolicy::Exclude), ["fn"]);
    }
}
