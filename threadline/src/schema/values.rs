//! Conversions of this crate's types for columns that are text in SQL.

use std::io::Write;

use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;

use crate::action::ActionStatus;
use crate::context::ActorType;
use crate::record::{ContextOrigin, Operation};

macro_rules! text {
    ($($type:ident: $recorded:expr;)+) => {
        $(
            impl FromSql<Text, Pg> for $type {
                fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                    let text = <String as FromSql<Text, Pg>>::from_sql(value)?;
                    Ok($recorded(text))
                }
            }

            impl ToSql<Text, Pg> for $type {
                fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                    write!(out, "{self}")?;
                    Ok(IsNull::No)
                }
            }
        )+
    };
}

text! {
    ActionStatus: ActionStatus::recorded;
    ActorType: ActorType::recorded;
    ContextOrigin: |text| ContextOrigin::recorded(Some(text));
    Operation: |text: String| match text.as_str() {
        "insert" => Operation::Insert,
        "update" => Operation::Update,
        "delete" => Operation::Delete,
        "truncate" => Operation::Truncate,
        _ => Operation::Unrecognized(text),
    };
}
