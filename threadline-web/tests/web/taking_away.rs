//! Exports, reports and reverts.

use super::*;
use threadline_tests::{assert_contains, assert_contains_all, rows};

pub(super) fn form(path: &str, fields: &str) -> Request<Body> {
    Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(fields.to_owned()))
        .unwrap()
}

/// The formats of an export, with the types of their files.
pub(super) const KINDS: [(&str, &str); 3] = [
    ("csv", "text/csv; charset=utf-8"),
    ("json", "application/json"),
    ("ndjson", "application/x-ndjson"),
];

#[tokio::test]
async fn an_export_has_what_the_search_finds_and_is_recorded() {
    let database = with_invoices();
    let router = mounted(&database, operator().allow_export());
    let page = shown(get(&router, "/audit/export?q=table%3Ainvoices").await);
    assert_contains(&page, "5 changes");
    for (format, kind) in KINDS {
        let fields = format!("q=table%3Ainvoices&format={format}");
        let answer = send(&router, form("/audit/export", &fields)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], kind);
        assert_eq!(answer.body.matches("1200.00").count(), 2, "{}", answer.body);
        assert!(!answer.body.contains("Acme"));
    }
    let recorded = rows(
        &mut database.connect(),
        "SELECT name, actor_id, meta FROM threadline.actions ORDER BY id LIMIT 1",
    );
    assert_eq!(
        recorded,
        [r#"audit.exported | grace | {"query": "table:invoices", "format": "csv"}"#]
    );
}

#[tokio::test]
async fn a_long_export_comes_whole_and_in_order() {
    let database = with_customers(1000..3001);
    let router = mounted(&database, operator().allow_export());
    let answer = send(&router, form("/audit/export", "q=&format=ndjson")).await;
    let lines: Vec<serde_json::Value> = answer
        .body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<i64> = lines
        .iter()
        .filter_map(|line| line["id"].as_i64())
        .collect();
    assert_eq!(ids.len(), 2001 + 7);
    assert!(ids.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn a_report_says_how_it_was_found() {
    let database = with_invoices();
    let router = mounted(&database, operator().allow_export());
    let fields = "q=actor%3Auser%3A57&title=%3Cb%3EDivided%3C%2Fb%3E";
    let page = shown(send(&router, form("/audit/report", fields)).await);
    assert_contains_all(
        &page,
        &[
            "&lt;b&gt;Divided",
            "admin:grace",
            "actor:user:57",
            "1200.00",
        ],
    );
}

#[tokio::test]
async fn whoever_may_not_export_gets_nothing() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/timeline").await);
    assert!(!page.contains("Export"));
    for (path, fields) in [
        ("export", "q=&format=csv"),
        ("export-job", "id=1-2&step=cancel"),
        ("report", "q="),
        ("report.json", "q="),
    ] {
        let answer = send(&router, form(&format!("/audit/{path}"), fields)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(
        get(&router, "/audit/export").await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let database = with_invoices();
    let router = mounted(&database, operator().allow_export().allow_revert());
    let forms = threadline_web::__tests::ROUTES
        .iter()
        .filter(|route| route.method == "POST");
    for route in forms {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://elsewhere.example"),
        ] {
            let request = Request::post(format!("/audit{}", route.path))
                .header("content-type", "application/x-www-form-urlencoded")
                .header("host", "here.example")
                .header(name, value)
                .body(Body::from(
                    "q=&format=csv&transaction=1&step=apply&reason=x",
                ))
                .unwrap();
            let answer = send(&router, request).await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{} {name}: {value}",
                route.path
            );
        }
    }
    let recorded = rows(
        &mut database.connect(),
        "SELECT name FROM threadline.actions",
    );
    assert!(recorded.is_empty(), "{recorded:?}");
}

#[tokio::test]
async fn a_revert_is_shown_confirmed_and_recorded() {
    let database = with_invoices();
    let router = mounted(&database, operator().allow_revert());
    let conn = &mut database.connect();
    let id = threadline_tests::value(
        conn,
        "SELECT transaction_id FROM threadline.changes WHERE actor_id = '57' LIMIT 1",
    )
    .unwrap();
    let page = shown(get(&router, &format!("/audit/revert?transaction={id}")).await);
    assert!(page.contains("name=\"reason\" required"));

    let amounts = "SELECT string_agg(trim_scale(amount)::text, ' ' ORDER BY id) FROM invoices";
    let fields = |step: &str| format!("transaction={id}&step={step}&reason=divided+by+mistake");
    let page = shown(send(&router, form("/audit/revert", &fields("preview"))).await);
    assert_contains(&page, "2 changes would be made");
    assert!(page.contains("1200.00"));
    assert_eq!(threadline_tests::value(conn, amounts).unwrap(), "12 8");

    let answer = send(&router, form("/audit/revert", &fields("apply"))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(threadline_tests::value(conn, amounts).unwrap(), "1200 800");
    let recorded = rows(
        conn,
        "SELECT name, actor_id, reason, source FROM threadline.actions",
    );
    assert_eq!(
        recorded,
        ["audit.reverted | grace | divided by mistake | explorer"]
    );
    // A repeated revert reports conflicts.
    let page = shown(
        send(&router, form("/audit/revert", &fields("preview")))
            .await
            .conflict(),
    );
    assert_contains(&page, "Nothing was changed");
}

impl Answer {
    /// Returns the page about a conflict as a successful response.
    fn conflict(mut self) -> Self {
        assert_eq!(self.status, StatusCode::CONFLICT);
        self.status = StatusCode::OK;
        self
    }
}

#[tokio::test]
async fn a_record_is_reverted_to_an_earlier_state() {
    let database = with_invoices();
    let router = mounted(&database, operator().allow_revert());
    let page = shown(get(&router, "/audit/record?table=invoices&key=1").await);
    let (_, oldest) = page.rsplit_once("<option value=\"").unwrap();
    let at = oldest.split('"').next().unwrap();
    let page = shown(
        get(
            &router,
            &format!("/audit/record?table=invoices&key=1&at={at}"),
        )
        .await,
    );
    assert!(page.contains("Revert to here"));
    let fields = format!("table=invoices&key=1&at={at}&step=apply&reason=complaint");
    let answer = send(&router, form("/audit/revert", &fields)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let invoice = rows(
        &mut database.connect(),
        "SELECT trim_scale(amount), status FROM invoices WHERE id = 1",
    );
    assert_eq!(invoice, ["1200 | open"]);
}

#[tokio::test]
async fn a_revert_needs_a_reason_and_the_right_to_it() {
    let database = with_invoices();
    let fields = "transaction=1&step=apply&reason=+";
    let router = mounted(&database, operator().allow_revert());
    let answer = send(&router, form("/audit/revert", fields)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let router = mounted(&database, operator());
    let answer = send(
        &router,
        form("/audit/revert", "transaction=1&step=apply&reason=x"),
    )
    .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
