//! Fragments for pages of the host.

use threadline_tests::assert_contains;

use super::*;
use threadline_web::FragmentError;

#[tokio::test]
async fn a_fragment_shows_what_the_request_may_see_with_links_to_the_explorer() {
    let database = with_invoices();
    let explorer = Explorer::new(database.pool(2)).authorize(async |parts| {
        match parts.headers.contains_key("signed-in") {
            true => operator(),
            false => Access::denied(),
        }
    });
    let fragments = explorer.fragments("/audit/");
    let router = Router::new().nest("/audit", explorer.into_router());

    let (parts, ()) = Request::new(()).into_parts();
    let denied = fragments.record(&parts, "invoices", 1, 2).await;
    assert_eq!(denied, Err(FragmentError::Denied));

    let request = Request::get("/")
        .header("signed-in", "yes")
        .body(())
        .unwrap();
    let (parts, ()) = request.into_parts();
    let html = fragments.record(&parts, "invoices", 1, 2).await.unwrap();
    assert!(html.contains("written off") && !html.contains("1200.00 </td>"));
    assert_eq!(html.matches("<article").count(), 2);
    assert_contains(&html, "href=\"/audit/record?table=invoices&amp;key=1\"");
    assert_eq!(
        html.matches(" href=\"").count(),
        html.matches(" href=\"/audit/").count()
    );

    let style = get(&router, &fragments.style_path()).await;
    assert!(shown(style).contains(".threadline-history"));
    let missing = fragments.record(&parts, "missing", 1, 2).await.unwrap_err();
    assert!(missing.to_string().contains("missing"), "{missing}");
}
