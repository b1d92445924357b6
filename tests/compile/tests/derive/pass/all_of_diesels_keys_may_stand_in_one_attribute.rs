use diesel::dsl;
use diesel::pg::Pg;
use diesel::prelude::*;
use threadline::{Audited, AuditedModel, ColumnPolicy};
use threadline_compile_tests::users;

diesel::table! {
    orders (tenant, number) {
        tenant -> Text,
        number -> Int4,
        user_id -> Int4,
        comment -> Nullable<Text>,
    }
}

#[derive(Identifiable)]
pub struct User {
    pub id: i32,
}

#[rustfmt::skip]
#[derive(Queryable, Selectable, Identifiable, Associations, AsChangeset, Audited)]
#[diesel(table_name = orders, primary_key(tenant,number), check_for_backend(diesel::pg::Pg))]
#[diesel(belongs_to(User, foreign_key = user_id), treat_none_as_null = true,)]
#[audited(mask(note))]
pub struct Order {
    pub tenant: String,
    #[diesel(deserialize_as = i32, column_name = number)]
    pub running_number: i32,
    pub user_id: i32,
    #[diesel(column_name = comment, serialize_as = Option<String>)]
    pub note: Option<String>,
}

#[derive(HasQuery, Audited)]
#[diesel(
    base_query = orders::table.order_by(orders::number),
    base_query_type = dsl::Order<orders::table, orders::number>,
    table_name = orders,
    primary_key(tenant, number),
)]
#[audited(exclude(comment))]
pub struct Sum {
    #[diesel(
        select_expression = orders::user_id.eq(1).and(orders::number.gt(2)),
        select_expression_type = dsl::And<dsl::Eq<orders::user_id, i32>, dsl::Gt<orders::number, i32>>,
    )]
    pub first: bool,
}

fn main() {
    assert_eq!(Order::spec().policy.columns_with(ColumnPolicy::Mask), ["comment"]);
    assert_eq!(Sum::spec().policy.columns_with(ColumnPolicy::Exclude), ["comment"]);
    let sql = diesel::debug_query::<Pg, _>(&Sum::query()).to_string();
    assert!(sql.contains(&Sum::spec().table), "{sql}");
}
