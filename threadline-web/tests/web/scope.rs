use threadline_tests::{assert_contains, assert_contains_all};

use super::*;
use threadline::{Scope, TableScope};

/// Returns the access of a customer to their own rows.
fn of_customer(id: i64) -> Access {
    let scope = Scope::new()
        .table(
            TableScope::new("invoices")
                .rows("customer_id", id)
                .hide(["margin"]),
        )
        .table(TableScope::new("customers").rows("id", id));
    Access::within(ActorRef::user(id).unwrap(), scope)
}

#[tokio::test]
async fn a_customer_sees_their_own_rows_and_columns() {
    let database = with_invoices();
    let router = mounted(&database, of_customer(7));
    let page = shown(get(&router, "/audit/timeline").await);
    assert_contains_all(&page, &["Acme", "1200.00", "written off", "small-amounts"]);
    for hidden in ["Bolt", "800.00", "margin", "3117", "key=2"] {
        assert!(!page.contains(hidden), "{hidden} is in {page}");
    }
    // One of two invoices and one of two customers, inserted; two updates.
    assert_contains(&page, "4 changes in 4 transactions");
}
