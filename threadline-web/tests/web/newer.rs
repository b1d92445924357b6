//! What is newer than a timeline on the screen.

use threadline::{Scope, TableScope};

use super::*;

/// Returns the link to newer changes, and the link to their number.
fn links(page: &str) -> (String, String) {
    let (_, link) = page.split_once("id=\"newer\" href=\"").expect(page);
    let (link, rest) = link.split_once("\" data-count=\"").unwrap();
    let count = rest.split('"').next().unwrap();
    let plain = |link: &str| format!("/audit/{}", link.replace("&amp;", "&"));
    (plain(link.strip_suffix("#seen").unwrap()), plain(count))
}

#[tokio::test]
async fn newer_changes_are_counted_within_scope_and_search_up_to_a_limit() {
    let (database, conn) = &mut with_invoices().connected();
    let own = Scope::new().table(TableScope::new("invoices").rows("customer_id", 7));
    let viewer = Access::within(ActorRef::user(7).unwrap(), own);
    let all = mounted(database, operator());
    let scoped = mounted(database, viewer);
    let page = shown(get(&all, "/audit/timeline").await);
    let (link, count) = links(&page);
    let (_, paid) = links(&shown(
        get(&all, "/audit/timeline?q=became%3Astatus%3Dpaid").await,
    ));
    let (_, within) = links(&shown(get(&scoped, "/audit/timeline").await));
    assert_eq!(
        shown(get(&all, &count).await),
        r#"{"changes":0,"more":false}"#
    );

    for sql in [
        "UPDATE invoices SET status = 'paid' WHERE id = 2",
        "UPDATE invoices SET status = 'paid' WHERE id = 1",
        "UPDATE customers SET name = 'Bolts' WHERE id = 8",
    ] {
        written(conn, "user:7", "web", sql);
    }
    assert_eq!(
        shown(get(&all, &count).await),
        r#"{"changes":3,"more":false}"#
    );
    assert_eq!(
        shown(get(&all, &paid).await),
        r#"{"changes":2,"more":false}"#
    );
    assert_eq!(
        shown(get(&scoped, &within).await),
        r#"{"changes":1,"more":false}"#
    );

    // The link marks the changes of the page before.
    let page = shown(get(&all, &link).await);
    let (new, old) = page.split_once("id=\"seen\"").unwrap();
    assert_eq!(new.matches("<article").count(), 3);
    assert_eq!(old.matches("<article").count(), 7);

    let sql = "INSERT INTO customers SELECT n, 'C', NULL FROM generate_series(100, 170) AS n";
    written(conn, "user:7", "web", sql);
    assert_eq!(
        shown(get(&all, &count).await),
        r#"{"changes":50,"more":true}"#
    );
    let page = shown(get(&all, &link).await);
    assert!(!page.contains("id=\"seen\""));
}

#[tokio::test]
async fn a_timeline_that_ends_in_the_past_has_nothing_newer() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/timeline?q=to%3A2100-01-01").await);
    assert!(page.contains("<article") && !page.contains("id=\"newer\""));
    // An empty timeline waits for its first change.
    let page = shown(get(&router, "/audit/timeline?q=request%3Anone").await);
    let (_, count) = links(&page);
    assert_eq!(
        shown(get(&router, &count).await),
        r#"{"changes":0,"more":false}"#
    );
    for seen in ["1", "a-b", "1-2-3", "-"] {
        let answer = get(&router, &format!("/audit/newer?seen={seen}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{seen}");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}
