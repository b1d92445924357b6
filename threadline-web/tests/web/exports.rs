//! Exports in the background.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use threadline::{Scope, TableScope};
use threadline_tests::{assert_contains, assert_contains_all, assert_rows, rows};
use threadline_web::Exports;

use super::taking_away::KINDS;
use super::*;

/// Every export runs in the background.
fn all_in_background() -> Exports {
    Exports::new().stream_up_to(0)
}

fn form(path: &str, fields: &str) -> Request<Body> {
    Request::post(format!("/audit/{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(fields.to_owned()))
        .unwrap()
}

/// A viewer whose access the host may change.
#[derive(Clone)]
struct Viewer(Arc<Mutex<Access>>);

impl Viewer {
    fn with(access: Access) -> Self {
        Self(Arc::new(Mutex::new(access)))
    }

    fn becomes(&self, access: Access) {
        *self.0.lock().unwrap() = access;
    }

    fn mounted(&self, database: &Database, exports: Exports) -> Router {
        let viewer = self.clone();
        let explorer = Explorer::new(database.pool(4))
            .timeout(PATIENCE)
            .exports(exports)
            .authorize(move |_| {
                let access = viewer.0.lock().unwrap().clone();
                async { access }
            });
        Router::new().nest("/audit", explorer.into_router())
    }
}

fn exporting() -> Access {
    operator().allow_export()
}

/// Begins an export, and returns its id.
pub(super) async fn begun(router: &Router, fields: &str) -> String {
    let answer = send(router, form("export", fields)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = answer.headers["location"].to_str().unwrap();
    page.strip_prefix("export-job?id=").unwrap().to_owned()
}

async fn status(router: &Router, id: &str) -> Value {
    let answer = shown(get(router, &format!("/audit/api/export-job?id={id}")).await);
    serde_json::from_str(&answer).unwrap()
}

async fn status_of(router: &Router, id: &str) -> String {
    let status = status(router, id).await;
    status["state"].as_str().unwrap().to_owned()
}

/// Waits until an export runs. Its count gives up after a while, and its changes follow.
pub(super) async fn until_running(router: &Router, id: &str) {
    loop {
        match status_of(router, id).await.as_str() {
            "counting" | "writing" => return,
            "waiting" => tokio::time::sleep(Duration::from_millis(5)).await,
            ended => panic!("the export is {ended}"),
        }
    }
}

/// Waits until an export is in a state.
pub(super) async fn until(router: &Router, id: &str, state: &str) -> Value {
    loop {
        let status = status(router, id).await;
        if status["state"] == state {
            return status;
        }
        let open = ["waiting", "counting", "writing"];
        assert!(
            open.iter().any(|open| status["state"] == *open),
            "{status} is not {state}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn file(router: &Router, id: &str) -> Answer {
    get(router, &format!("/audit/export-file?id={id}")).await
}

/// Returns the files without a name that this process has open in a directory.
fn nameless_files(directory: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let is_inside = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(directory))
    };
    open.filter_map(Result::ok).filter(is_inside).count()
}

#[tokio::test]
async fn a_file_has_what_a_streamed_export_has() {
    let database = with_invoices();
    let scope = Scope::new()
        .table(
            TableScope::new("invoices")
                .rows("customer_id", 7)
                .hide(["margin"]),
        )
        .table(TableScope::new("customers").rows("id", 7));
    let heidi = Access::within(ActorRef::user("heidi").unwrap(), scope).allow_export();
    for access in [exporting(), heidi] {
        let viewer = Viewer::with(access);
        let streams = viewer.mounted(&database, Exports::new());
        let background = viewer.mounted(&database, all_in_background());
        for (format, kind) in KINDS {
            let fields = format!("q=table%3Ainvoices&format={format}");
            let streamed = send(&streams, form("export", &fields)).await;
            let id = begun(&background, &fields).await;
            let done = until(&background, &id, "done").await;
            let answer = file(&background, &id).await;
            assert_eq!(answer.headers["content-type"], kind);
            let disposition = answer.headers["content-disposition"].to_str().unwrap();
            assert_eq!(
                disposition,
                format!("attachment; filename=\"changes.{format}\"")
            );
            let body = shown(answer);
            assert_eq!(done["bytes"], body.len());
            assert_eq!(done["changes"], done["total"]);
            let lines = |text: &str| -> Vec<String> {
                let comparable = text.split(['\n', ',']);
                let is_time = |part: &&str| !part.contains("generated_at");
                comparable.filter(is_time).map(str::to_owned).collect()
            };
            assert_eq!(lines(&body), lines(&shown(streamed)), "{format}");
            assert!(body.contains("1200.00") && !body.contains("@acme"));
        }
    }
}

#[tokio::test]
async fn exports_in_the_background_may_have_a_pool_of_their_own() {
    let database = Database::new();
    let replica = with_invoices();
    let explorer = Explorer::new(database.pool(2))
        .timeout(PATIENCE)
        .export_pool(replica.pool(1))
        .exports(all_in_background())
        .authorize(async |_| exporting());
    let router = explorer.mount(Router::new(), "/audit");
    let id = begun(&router, "q=&format=csv").await;
    assert_eq!(until(&router, &id, "done").await["changes"], 7);
    let recorded = "SELECT name FROM threadline.actions";
    assert_rows(&mut database.connect(), recorded, ["audit.exported"]);
    assert_eq!(rows(&mut replica.connect(), recorded), [] as [&str; 0]);
}

#[tokio::test]
async fn a_time_of_zero_is_no_permission_to_run_forever() {
    let database = with_invoices();
    let exports = all_in_background().timeout(Duration::ZERO);
    let router = Viewer::with(exporting()).mounted(&database, exports);
    let holder = database.hold_ledger();
    let id = begun(&router, "q=&format=csv").await;
    until(&router, &id, "failed").await;
    drop(holder);
}

#[tokio::test]
async fn the_page_of_an_export_says_only_what_it_counted() {
    let database = with_invoices();
    run(
        &mut database.connect(),
        "INSERT INTO customers SELECT n, 'row ' || n FROM generate_series(100, 6000) AS n",
    );
    let page = async |search: &str, streamed: usize| {
        let exports = Exports::new().stream_up_to(streamed);
        let router = Viewer::with(exporting()).mounted(&database, exports);
        // Counting is given up after a time, which a busy machine can need for anything.
        for _ in 0..100 {
            let page = shown(get(&router, &format!("/audit/export?q={search}")).await);
            if !page.contains("The changes were not counted") {
                return page;
            }
        }
        panic!("never counted: {search}")
    };
    // All were counted.
    let few = page("table%3Ainvoices", 50_000).await;
    assert!(
        few.contains("5 changes. ") && !few.contains("background"),
        "{few}"
    );
    // More than are counted, so the way depends on their number.
    let many = page("table%3Acustomers", 50_000).await;
    assert_contains(&many, "More than 5,000 changes. ");
    assert_contains(&many, "If there are more than 50,000 changes");
    assert!(
        !many.contains("The export runs in the background"),
        "{many}"
    );
    // Certainly more than are streamed.
    let background = page("table%3Acustomers", 5_000).await;
    assert_contains(&background, "The export runs in the background");
    // Whatever the number is, the way is known.
    let always = page("table%3Acustomers", 0).await;
    assert_contains(&always, "More than 5,000 changes. ");
    let never = page("table%3Acustomers", usize::MAX).await;
    assert!(
        never.contains("More than 5,000") && !never.contains("background"),
        "{never}"
    );
}

#[tokio::test]
async fn an_export_is_recorded_and_its_page_shows_what_it_does() {
    let database = with_invoices();
    let router = Viewer::with(exporting()).mounted(&database, Exports::new().stream_up_to(4));
    let page = shown(get(&router, "/audit/export?q=table%3Ainvoices").await);
    assert_contains(&page, "5 changes. ");
    assert_contains(&page, "runs in the background");
    let page = shown(get(&router, "/audit/export?q=table%3Acustomers").await);
    assert_contains(&page, "2 changes.");

    // A small export is streamed.
    let answer = send(&router, form("export", "q=table%3Acustomers&format=csv")).await;
    assert_eq!(answer.status, StatusCode::OK);

    let holder = database.hold_ledger();
    // The count before the export waits for the lock, too, and gives up.
    let id = begun(&router, "q=table%3Ainvoices&format=csv").await;
    until_running(&router, &id).await;
    let page = shown(get(&router, &format!("/audit/export-job?id={id}")).await);
    assert_contains_all(
        &page,
        &[
            "data-open",
            "table:invoices",
            "Refresh",
            "value=\"cancel\"",
            "continues when you leave",
        ],
    );
    let early = file(&router, &id).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    assert_contains(&early.body, "not complete");
    drop(holder);
    until(&router, &id, "done").await;
    let page = shown(get(&router, &format!("/audit/export-job?id={id}")).await);
    assert!(page.contains("The file is complete") && page.contains("5 changes"));
    assert!(page.contains(&format!("href=\"export-file?id={id}\"")));
    assert!(page.contains("value=\"remove\"") && !page.contains("data-open"));
    // The page of exports lists it.
    let page = shown(get(&router, "/audit/export").await);
    assert!(page.contains(&format!("href=\"export-job?id={id}\"")));
    let recorded = rows(
        &mut database.connect(),
        "SELECT actor_id, meta FROM threadline.actions WHERE name = 'audit.exported' ORDER BY id",
    );
    assert_eq!(
        recorded,
        [
            r#"grace | {"query": "table:customers", "format": "csv"}"#,
            r#"grace | {"query": "table:invoices", "format": "csv"}"#
        ]
    );
}

#[tokio::test]
async fn a_link_works_for_the_viewer_who_began_the_export() {
    let database = with_invoices();
    let viewer = Viewer::with(exporting());
    let router = viewer.mounted(&database, all_in_background());
    let id = begun(&router, "q=&format=csv").await;
    until(&router, &id, "done").await;
    let invented = {
        let (process, random) = id.split_once('-').unwrap();
        format!("{process}-{}", "0".repeat(random.len()))
    };
    let missing = file(&router, &invented).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);

    viewer.becomes(Access::to_everything(ActorRef::admin("heidi").unwrap()).allow_export());
    for path in ["export-file", "export-job", "api/export-job"] {
        let answer = get(&router, &format!("/audit/{path}?id={id}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.body.contains("1200.00"));
    }
    // The answer does not tell whether the export exists.
    assert!(
        file(&router, &id)
            .await
            .body
            .contains("no such export of yours")
    );
    assert!(missing.body.contains("no such export of yours"));
    for step in ["cancel", "remove"] {
        let answer = send(&router, form("export-job", &format!("id={id}&step={step}"))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{step}");
    }
    let page = shown(get(&router, "/audit/export").await);
    assert!(!page.contains(&id));
    // An actor with the same name and another type is someone else.
    viewer.becomes(Access::to_everything(ActorRef::user("grace").unwrap()).allow_export());
    assert_eq!(file(&router, &id).await.status, StatusCode::NOT_FOUND);

    viewer.becomes(exporting());
    shown(file(&router, &id).await);
}

#[tokio::test]
async fn a_link_needs_the_access_of_now() {
    let database = with_invoices();
    let within =
        |scope: Scope| Access::within(ActorRef::admin("grace").unwrap(), scope).allow_export();
    let both = || {
        Scope::new()
            .table(TableScope::new("invoices"))
            .table(TableScope::new("customers"))
    };
    let viewer = Viewer::with(within(both()));
    let router = viewer.mounted(&database, all_in_background());
    let id = begun(&router, "q=&format=csv").await;
    until(&router, &id, "done").await;

    // The scope is narrower, by a table, a row or a column.
    let one = Scope::new().table(TableScope::new("invoices"));
    let rows = both().table(TableScope::new("notes"));
    let column = Scope::new()
        .table(TableScope::new("invoices").hide(["margin"]))
        .table(TableScope::new("customers"));
    for scope in [one, rows, column, Scope::new()] {
        viewer.becomes(within(scope));
        for path in ["export-file", "export-job", "api/export-job"] {
            let answer = get(&router, &format!("/audit/{path}?id={id}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
            assert_contains(&answer.body, "access has changed");
        }
        let page = shown(get(&router, "/audit/export").await);
        assert!(!page.contains(&id));
    }
    // The right to export is gone, or all access.
    let no_export = Access::within(ActorRef::admin("grace").unwrap(), both());
    for access in [no_export, Access::denied()] {
        viewer.becomes(access);
        for path in ["export-file", "export-job", "api/export-job"] {
            let answer = get(&router, &format!("/audit/{path}?id={id}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    // The same scope, or everything.
    for access in [within(both()), exporting()] {
        viewer.becomes(access);
        shown(file(&router, &id).await);
    }
}

#[tokio::test]
async fn an_expired_or_removed_file_is_gone() {
    let database = with_invoices();
    let directory = tempfile::tempdir().unwrap();
    let viewer = Viewer::with(exporting());
    let exports = all_in_background().directory(directory.path());
    let router = viewer.mounted(&database, exports.clone());
    let id = begun(&router, "q=&format=csv").await;
    until(&router, &id, "done").await;
    assert_eq!(nameless_files(directory.path()), 1);
    // Nothing has a name in the directory.
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    let fields = format!("id={id}&step=remove");
    let answer = send(&router, form("export-job", &fields)).await;
    assert_eq!(answer.headers["location"], "export");
    let gone = file(&router, &id).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert_contains(&gone.body, "removed after a while");
    assert_eq!(nameless_files(directory.path()), 0);

    let router = viewer.mounted(&database, exports.keep_for(Duration::ZERO));
    let id = begun(&router, "q=&format=csv").await;
    loop {
        let answer = file(&router, &id).await;
        if answer.status == StatusCode::NOT_FOUND {
            assert!(answer.body.contains("removed after a while"));
            break;
        }
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while nameless_files(directory.path()) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn names_that_are_not_an_export_lead_to_no_file() {
    let database = with_invoices();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("secret"), "1200.00").unwrap();
    let exports = all_in_background().directory(directory.path());
    let router = Viewer::with(exporting()).mounted(&database, exports);
    let id = begun(&router, "q=&format=csv").await;
    until(&router, &id, "done").await;
    for name in [
        "secret".to_owned(),
        "..%2Fsecret".to_owned(),
        format!("{id}%2F..%2Fsecret"),
        format!("{id}%00"),
        format!("{id}+"),
        id.to_uppercase(),
        id.split('-').next().unwrap().to_owned(),
        String::new(),
        "%2Fetc%2Fpasswd".to_owned(),
        "9".repeat(10_000),
    ] {
        let answer = file(&router, &name).await;
        let status = answer.status.as_u16();
        assert!(status == 404 || status == 400, "{name}: {status}");
        assert!(!answer.body.contains("1200.00") && !answer.body.contains("root:"));
    }
}

#[tokio::test]
async fn another_process_says_where_the_export_is() {
    let database = with_invoices();
    let viewer = Viewer::with(exporting());
    let one = viewer.mounted(&database, all_in_background());
    let other = viewer.mounted(&database, all_in_background());
    let id = begun(&one, "q=&format=csv").await;
    until(&one, &id, "done").await;
    let answer = file(&other, &id).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_contains(&answer.body, "process that began it");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_exports_run_than_the_host_allows() {
    let database = with_invoices();
    let viewer = Viewer::with(exporting());
    let router = viewer.mounted(&database, all_in_background().parallel(2));
    let holder = database.hold_ledger();
    let mut ids = vec![];
    for _ in 0..3 {
        ids.push(begun(&router, "q=&format=csv").await);
    }
    for id in &ids[..2] {
        until_running(&router, id).await;
    }
    assert_eq!(status_of(&router, &ids[2]).await, "waiting");
    // A viewer cannot fill the queue.
    for _ in 0..2 {
        ids.push(begun(&router, "q=&format=csv").await);
    }
    let answer = send(&router, form("export", "q=&format=csv")).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_contains(&answer.body, "remove one of them");
    // The last one is cancelled while it waits; the others run one after another.
    let last = ids.pop().unwrap();
    send(
        &router,
        form("export-job", &format!("id={last}&step=cancel")),
    )
    .await;
    assert_eq!(status_of(&router, &last).await, "cancelled");
    drop(holder);
    for id in &ids {
        until(&router, id, "done").await;
    }
    assert_eq!(status_of(&router, &last).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_export_stops_its_query_and_leaves_nothing() {
    let database = with_invoices();
    let directory = tempfile::tempdir().unwrap();
    let exports = all_in_background()
        .directory(directory.path())
        .parallel(1)
        .timeout(Duration::from_secs(3600));
    let router = Viewer::with(exporting()).mounted(&database, exports);
    let holder = database.hold_ledger();
    let id = begun(&router, "q=&format=csv").await;
    let next = begun(&router, "q=&format=csv").await;
    until_running(&router, &id).await;
    let answer = send(&router, form("export-job", &format!("id={id}&step=cancel"))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let page = shown(get(&router, &format!("/audit/export-job?id={id}")).await);
    assert!(page.contains("The export was cancelled") && page.contains("There is no file"));
    assert_eq!(file(&router, &id).await.status, StatusCode::CONFLICT);
    // The lock is still held: the query of the first export ended because it was cancelled.
    until_running(&router, &next).await;
    send(
        &router,
        form("export-job", &format!("id={next}&step=cancel")),
    )
    .await;
    while nameless_files(directory.path()) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(holder);
    // The connections serve further queries.
    for _ in 0..8 {
        shown(get(&router, "/audit/timeline").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_progress_is_shown_with_the_total_and_can_be_cancelled() {
    let database = with_invoices();
    let router = Viewer::with(exporting()).mounted(&database, all_in_background());
    let counts = database.hold_ledger();
    let id = begun(&router, "q=table%3Ainvoices&format=csv").await;
    // The count does not read the actions; the changes do.
    let mut reads = database.connect();
    run(
        &mut reads,
        "BEGIN; LOCK TABLE threadline.audit_actions IN ACCESS EXCLUSIVE MODE",
    );
    drop(counts);
    let status = until(&router, &id, "writing").await;
    assert_eq!(
        (&status["changes"], &status["total"]),
        (&0.into(), &5.into())
    );
    let page = shown(get(&router, &format!("/audit/export-job?id={id}")).await);
    assert!(page.contains("max=\"5\" value=\"0\"") && page.contains("0 of 5 changes"));
    let fields = format!("id={id}&step=cancel");
    send(&router, form("export-job", &fields)).await;
    until(&router, &id, "cancelled").await;
    drop(reads);
    assert_eq!(file(&router, &id).await.status, StatusCode::CONFLICT);
    assert_eq!(status_of(&router, &id).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_when_its_browser_goes_away() {
    let database = with_invoices();
    let router = Viewer::with(exporting()).mounted(&database, all_in_background());
    let holder = database.hold_ledger();
    let id = begun(&router, "q=&format=csv").await;
    // The page is asked for and not waited for.
    let path = format!("/audit/export-job?id={id}");
    drop(router.clone().oneshot(request(Method::GET, &path)));
    drop(holder);
    until(&router, &id, "done").await;
    // A download that ends early takes nothing from the next one.
    let path = format!("/audit/export-file?id={id}");
    let response = router.clone().oneshot(request(Method::GET, &path)).await;
    drop(response.unwrap());
    let whole = file(&router, &id).await;
    let length = whole.headers["content-length"].to_str().unwrap().to_owned();
    assert_eq!(shown(whole).len().to_string(), length);
}

#[test]
fn an_export_ends_when_its_process_shuts_down() {
    let (database, conn) = &mut with_invoices().connected();
    let sql = "INSERT INTO customers SELECT n, repeat('x', 10000), NULL FROM generate_series(10000, 14999) AS n";
    written(conn, "user:7", "web", sql);
    let router = Viewer::with(exporting()).mounted(database, all_in_background());
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let serving = runtime();
    let id = serving.block_on(async {
        let id = begun(&router, "q=&format=csv").await;
        until(&router, &id, "writing").await;
        id
    });
    // Waits for the work on threads that may block.
    drop(serving);
    assert_eq!(runtime().block_on(status_of(&router, &id)), "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_export_says_why_and_offers_nothing() {
    let (database, conn) = &mut with_invoices().connected();
    let sql = "INSERT INTO customers SELECT n, repeat('x', 1000), NULL FROM generate_series(1000, 2000) AS n";
    written(conn, "user:7", "web", sql);
    let directory = tempfile::tempdir().unwrap();
    let exports = all_in_background().directory(directory.path());
    let viewer = Viewer::with(exporting());

    // The file is larger than permitted, which shows only in the middle.
    let router = viewer.mounted(database, exports.clone().max_bytes(500_000));
    let id = begun(&router, "q=&format=json").await;
    let status = until(&router, &id, "failed").await;
    assert!(status["changes"].as_u64().unwrap() > 0 && status["file"].is_null());
    let page = shown(get(&router, &format!("/audit/export-job?id={id}")).await);
    assert_contains_all(
        &page,
        &[
            "The export failed",
            "could not be written",
            "below its maximum size",
            "There is no file",
        ],
    );
    assert!(!page.contains("export-file"));
    assert_eq!(file(&router, &id).await.status, StatusCode::CONFLICT);
    assert_eq!(nameless_files(directory.path()), 0);

    // The time is over.
    let router = viewer.mounted(database, exports.timeout(Duration::from_millis(1)));
    let holder = database.hold_ledger();
    let id = begun(&router, "q=&format=json").await;
    until(&router, &id, "failed").await;
    drop(holder);
    let page = shown(get(&router, &format!("/audit/export-job?id={id}")).await);
    assert_contains(&page, "took too long");
    assert_eq!(file(&router, &id).await.status, StatusCode::CONFLICT);
    assert_eq!(nameless_files(directory.path()), 0);

    // The server ends the session.
    let router = viewer.mounted(database, all_in_background().directory(directory.path()));
    let holder = database.hold_ledger();
    let id = begun(&router, "q=&format=json").await;
    let waits = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while threadline_tests::value(conn, waits).as_deref() == Some("0") {}
    until(&router, &id, "failed").await;
    drop(holder);
    let page = shown(get(&router, &format!("/audit/export-job?id={id}")).await);
    assert_contains(&page, "database is not available");
}

#[tokio::test]
async fn a_missing_directory_is_said_before_the_export_begins() {
    let database = with_invoices();
    let exports = all_in_background().directory("/missing/exports");
    let router = Viewer::with(exporting()).mounted(&database, exports);
    let answer = send(&router, form("export", "q=&format=csv")).await;
    assert_eq!(answer.status, StatusCode::INSUFFICIENT_STORAGE);
    assert_contains(&answer.body, "directory of exports");
    assert!(!answer.body.contains("/missing"), "{}", answer.body);
    let recorded = rows(
        &mut database.connect(),
        "SELECT name FROM threadline.actions",
    );
    assert!(recorded.is_empty(), "{recorded:?}");
}

/// The peak of memory is that of a process, so the test runs in one of its own.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_large_export_are_not_kept_in_memory() {
    const ALONE: &str = "THREADLINE_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "exports::rows_of_a_large_export_are_not_kept_in_memory";
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let done = alone.args(["--exact", name]).env(ALONE, "1").output();
        let done = done.unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (database, conn) = &mut with_invoices().connected();
    // 120 MB in the file, and 6 MB in a page of changes.
    let sql = "INSERT INTO customers SELECT n, repeat('x', 30000), NULL FROM generate_series(10000, 13999) AS n";
    written(conn, "user:7", "web", sql);
    let exports = all_in_background().max_bytes(1 << 30);
    let router = Viewer::with(exporting()).mounted(database, exports);
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes: u64 = line
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        kilobytes / 1024
    };
    let before = peak();
    let id = begun(&router, "q=table%3Acustomers&format=ndjson").await;
    let done = until(&router, &id, "done").await;
    assert!(done["bytes"].as_u64().unwrap() > 120_000_000, "{done}");
    let path = format!("/audit/export-file?id={id}");
    let response = router.clone().oneshot(request(Method::GET, &path)).await;
    let mut body = response.unwrap().into_body();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        received += frame.unwrap().into_data().unwrap().len() as u64;
    }
    assert_eq!(done["bytes"], received);
    let grown = peak() - before;
    assert!(grown < 60, "the peak of memory grew by {grown} MB");
}
