//! The home page and the page about tables.

use threadline_tests::{assert_contains, assert_contains_all};

use super::*;

#[tokio::test]
async fn the_first_page_has_three_ways_in_and_says_whether_all_is_well() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/home").await);
    assert_contains_all(
        &page,
        &[
            "action=\"record\"",
            "action=\"actor\"",
            "action=\"timeline\"",
            "healthy",
            "Without an actor",
            "0.0 %",
        ],
    );
    // The forms lead somewhere.
    let page = shown(get(&router, "/audit/timeline?from=2020-01-01T00%3A00&to=").await);
    assert!(page.contains("from:2020-01-01T00:00"));
}

#[tokio::test]
async fn tables_are_listed_with_what_is_done_to_their_columns() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/tables").await);
    assert!(page.contains("customers") && page.contains("masked"));
    assert!(page.contains("There are no legal holds."));
}

#[tokio::test]
async fn a_finding_comes_with_its_fix() {
    let database = with_invoices();
    run(
        &mut database.connect(),
        "ALTER TABLE invoices DISABLE TRIGGER ALL; UPDATE invoices SET status = 'paid' WHERE id = 2;
         ALTER TABLE invoices ENABLE TRIGGER ALL",
    );
    let router = mounted(&database, operator());
    let request = Request::post("/audit/verify")
        .header("sec-fetch-site", "same-origin")
        .body(Body::empty())
        .unwrap();
    let page = shown(send(&router, request).await);
    assert!(
        page.contains("id=\"verified\"") && page.contains("invoices"),
        "{page}"
    );
    assert_contains(&page, "<pre class=\"copied\">");
}
