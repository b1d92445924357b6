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

use diesel::PgConnection;
use threadline_tests::run;

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

/// Posts all entries and makes everything on record older by a given time.
pub(crate) fn age(conn: &mut PgConnection, by: &str) {
    run(conn, "SELECT threadline.post()");
    run(
        conn,
        &format!(
            "UPDATE threadline.ledger_changes SET captured_at = captured_at - interval '{by}';
             UPDATE threadline.ledger_transactions
             SET occurred_at = occurred_at - interval '{by}', opened_at = opened_at - interval '{by}';
             UPDATE threadline.audit_actions SET occurred_at = occurred_at - interval '{by}';
             UPDATE threadline.audited_tables SET audited_since = audited_since - interval '{by}'"
        ),
    );
}
