use super::*;

#[tokio::test]
async fn every_answer_says_that_nothing_runs_and_nothing_is_kept() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    for path in [
        "/audit/timeline",
        "/audit/missing",
        "/audit/timeline?after=x",
    ] {
        let answer = get(&router, path).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert_eq!(header("x-content-type-options"), "nosniff");
        // The policy refuses inline code; the pages contain none either.
        assert!(!answer.body.contains(" style=") && !answer.body.contains(" onclick="));
        assert!(!answer.body.contains("<script>") && !answer.body.contains("<style>"));
    }
}

#[tokio::test]
async fn whoever_is_denied_sees_nothing() {
    let database = with_invoices();
    let router = mounted(&database, Access::denied());
    for route in threadline_web::__tests::ROUTES {
        let method: Method = route.method.parse().unwrap();
        let path = format!("/audit{}", route.path);
        let answer = send(&router, request(method, path.trim_end_matches('/'))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!answer.body.contains("Acme") && !answer.body.contains("grace"));
    }
}

#[tokio::test]
async fn assets_have_names_that_change_with_them_and_are_kept() {
    let database = Database::new();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/timeline").await);
    let (_, style) = page.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let style = style.split('"').next().unwrap();
    let answer = get(&router, &format!("/audit/{style}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.headers["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let answer = get(&router, "/audit/assets/0000000000000000-explorer.css").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_explorer_is_found_with_and_without_a_slash_under_any_prefix() {
    let database = Database::new();
    let leads = |answer: Answer| answer.headers["location"].to_str().unwrap().to_owned();
    let router = mounted(&database, operator());
    assert_eq!(leads(get(&router, "/audit").await), "./audit/home");
    let deep = Router::new().nest("/a/b", router.clone());
    assert_eq!(leads(get(&deep, "/a/b/audit").await), "./audit/home");
    let alone = Explorer::new(database.pool(1))
        .authorize(async |_| operator())
        .into_router();
    assert_eq!(leads(get(&alone, "/").await), "home");
    let behind = Explorer::new(database.pool(1))
        .prefix("/tools/audit/")
        .authorize(async |_| operator())
        .into_router();
    assert_eq!(leads(get(&behind, "/").await), "/tools/audit/home");
}

#[tokio::test]
async fn a_mounted_explorer_is_found_with_and_without_a_slash() {
    let database = Database::new();
    let explorer = Explorer::new(database.pool(1)).authorize(async |_| operator());
    let app: Router = explorer.mount(Router::new(), "/tools/audit");
    let leads = |answer: Answer| answer.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(leads(get(&app, "/tools/audit").await), "./audit/home");
    assert_eq!(leads(get(&app, "/tools/audit/").await), "home");
    shown(get(&app, "/tools/audit/timeline").await);
    let missing = get(&app, "/tools/audit/missing").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.body.contains("this page does not exist"));
    // What is not the explorer's stays the host's.
    let hosts = get(&app, "/tools/audits").await;
    assert_eq!(
        (hosts.status, hosts.body),
        (StatusCode::NOT_FOUND, String::new())
    );
}

#[tokio::test]
async fn what_was_recorded_cannot_write_the_page() {
    let database = with_invoices();
    let attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let quoted = attack.replace('\'', "''");
    let conn = &mut database.connect();
    run(
        conn,
        "CREATE TABLE \"<b>t\" (id text PRIMARY KEY, \"<i>c\" text)",
    );
    run(conn, "SELECT threadline.audit('\"<b>t\"')");
    written(
        conn,
        &format!("user:{attack}"),
        attack,
        &format!("INSERT INTO \"<b>t\" VALUES ('{quoted}', '{quoted}')"),
    );
    let router = mounted(&database, operator());
    let escaped: String = form_urlencoded::byte_serialize(attack.as_bytes()).collect();
    for path in [
        "/audit/timeline".to_owned(),
        format!("/audit/timeline?q={escaped}"),
        format!("/audit/timeline?q=source%3A{escaped}"),
        format!("/audit/timeline?after={escaped}"),
        format!("/audit/{escaped}"),
    ] {
        let body = get(&router, &path).await.body;
        for tag in ["<script>", "<img src=x", "<b>", "<i>"] {
            assert!(!body.contains(tag), "{tag} in {path}: {body}");
        }
    }
}
