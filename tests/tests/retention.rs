//! Retention: what is kept, what is removed.

#[path = "retention/cost.rs"]
mod cost;
#[path = "retention/gaps.rs"]
mod gaps;
#[path = "retention/holds.rs"]
mod holds;
#[path = "retention/kills.rs"]
mod kills;
#[path = "retention/policy.rs"]
mod policy;
#[path = "retention/purge.rs"]
mod purge;
#[path = "retention/random.rs"]
mod random;

use threadline_tests::age;

diesel::table! {
    orders (id) {
        id -> Integer,
        amount -> Integer,
    }
}

#[derive(diesel::Queryable, diesel::Selectable, Debug, Clone, PartialEq, threadline::Audited)]
#[diesel(table_name = orders, check_for_backend(diesel::pg::Pg))]
#[audited(keep = "3 years")]
pub(crate) struct Order {
    pub(crate) id: i32,
    pub(crate) amount: i32,
}

/// Orders that are audited and kept for three years.
pub(crate) const KEPT: &str = "CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
     SELECT threadline.audit('orders', keep => '3 years')";
