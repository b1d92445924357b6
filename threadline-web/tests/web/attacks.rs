//! Attacks on the explorer.

use super::taking_away::form;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn slow_questions_are_broken_off_and_do_not_keep_others_for_long() {
    let database = with_invoices();
    let explorer = Explorer::new(database.pool(2))
        .timeout(Duration::from_millis(200))
        .parallel(2)
        .authorize(async |_| operator());
    let router = explorer.into_router();
    let holder = &mut database.hold_ledger();
    let asked: Vec<_> = (0..60)
        .map(|_| {
            let router = router.clone();
            tokio::spawn(async move { get(&router, "/timeline").await })
        })
        .collect();
    let mut statuses = std::collections::BTreeMap::new();
    for asked in asked {
        let answer = asked.await.unwrap();
        let says =
            answer.body.contains("took too long") || answer.body.contains("Too many parallel");
        assert!(says, "{}", answer.body);
        *statuses.entry(answer.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(
        statuses.keys().collect::<Vec<_>>(),
        [&503, &504],
        "{statuses:?}"
    );
    run(holder, "ROLLBACK");
    shown(get(&router, "/timeline").await);
}

#[tokio::test]
async fn forged_cursors_numbers_and_names_are_refused_or_find_nothing() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let long = "9".repeat(400);
    for path in [
        "timeline?after=tl1-timeline-7fffffffffffffff-7fffffffffffffff-7fffffffffffffff",
        "timeline?after=tl1-timeline-ffffffffffffffff-1-ffffffffffffffff",
        "timeline?after=tl1-timeline-0-0-8000000000000000",
        "timeline?after=tl9-timeline-1-1-1",
        "timeline?q=from%3A9999999999d",
        "timeline?q=from%3A%2B262142-12-31T00:00:00Z",
        "timeline?q=table%3A%22%3B+DROP+TABLE+invoices%22",
        "timeline?q=value%3Aa%3D%00",
        "timeline?q=%ff%fe",
        "transaction?id=9223372036854775807",
        "transaction?id=-1",
        &format!("transaction?id={long}"),
        "record?table=invoices&key=%27",
        "record?table=invoices&key=%5B1%2C2%5D",
        "record?table=pg_class&key=1",
        "record?table=threadline.audit_actions&key=1",
        "record?table=invoices&key=1&at=-infinity",
        "value?transaction=1&change=9223372036854775807&column=x",
        "value?transaction=1&change=-9223372036854775808&column=x",
        "actor?actor=user:",
        "correlation?id=%00",
        "api/changes?limit=999999",
        "assets/..%2f..%2fCargo.toml",
    ] {
        let answer = get(&router, &format!("/audit/{path}")).await;
        let status = answer.status.as_u16();
        assert!(
            (200..500).contains(&status),
            "{path}: {status} {}",
            answer.body
        );
        assert!(!answer.body.contains("panicked"), "{path}");
    }
    let invoices =
        threadline_tests::value(&mut database.connect(), "SELECT count(*) FROM invoices");
    assert_eq!(invoices.as_deref(), Some("2"));
}

#[tokio::test]
async fn headers_that_a_client_makes_up_change_nothing() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let request = Request::get("/audit/timeline")
        .header("x-forwarded-prefix", "//evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("host", "evil.example")
        .header("x-original-url", "/audit/export");
    let page = shown(send(&router, request.body(Body::empty()).unwrap()).await);
    assert!(!page.contains("evil.example"));
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused() {
    let database = with_invoices();
    let router = mounted(&database, operator().allow_revert());
    let reason = "x".repeat(100_000);
    let fields = format!("transaction=1&step=preview&reason={reason}");
    let answer = send(&router, form("/audit/revert", &fields)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_get_changes_nothing() {
    let database = with_invoices();
    let access = operator().allow_export().allow_revert();
    let router = mounted(&database, access);
    let before = database.contents();
    for route in threadline_web::__tests::ROUTES
        .iter()
        .filter(|route| route.method == "GET")
    {
        let path = format!(
            "/audit{}?id=1&table=invoices&key=1&transaction=1&change=1&column=id&actor=user:7&step=apply&reason=x&format=csv&at=2100-01-01",
            route.path.trim_end_matches('/')
        );
        get(&router, &path).await;
    }
    // Positions of the journal may move; records and tables may not change.
    assert_eq!(database.contents(), before);
}
