//! The pages of single items, and the links between them.

use super::*;
use threadline::{Action, AuditExt, record_action};
use threadline_tests::{assert_contains, assert_contains_all, value};

#[tokio::test]
async fn a_record_shows_what_it_is_what_it_was_and_who_set_each_column() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/record?table=invoices&key=1").await);
    let (state, history) = page.split_once("<h2>History</h2>").unwrap();
    assert!(state.contains("written off") && state.contains("small-amounts"));
    assert_contains(state, "record?table=customers&amp;key=7");
    assert_eq!(history.matches("<article").count(), 3);

    // The page shows from which instant the first change is visible.
    let (_, oldest) = state.rsplit_once("<option value=\"").unwrap();
    let before = oldest.split('"').next().unwrap();
    let then = format!("/audit/record?table=invoices&key=1&at={before}");
    let page = shown(get(&router, &then).await);
    let (state, _) = page.split_once("<h2>History</h2>").unwrap();
    assert!(
        state.contains("1200.00") && !state.contains("written off"),
        "{state}"
    );
    assert!(state.contains("State at"));

    let compared = format!("/audit/record?table=invoices&key=1&one={before}&other=now");
    let page = shown(get(&router, &compared).await);
    let (_, compared) = page.split_once("id=\"compared\"").unwrap();
    let (compared, _) = compared.split_once("</section>").unwrap();
    assert!(compared.contains("1200.00") && compared.contains("written off"));
    assert!(!compared.contains("margin"), "{compared}");
}

#[tokio::test]
async fn a_record_says_what_refers_to_it() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/record?table=customers&key=7").await);
    let link = "timeline?q=table%3Ainvoices+value%3Acustomer_id%3D7";
    assert_contains(&page, link);
    let page = shown(get(&router, &format!("/audit/{link}")).await);
    assert_eq!(page.matches("<article").count(), 1);
}

#[tokio::test]
async fn a_record_that_was_deleted_still_has_a_history() {
    let (database, conn) = &mut with_invoices().connected();
    written(conn, "user:7", "web", "DELETE FROM invoices WHERE id = 1");
    let router = mounted(database, operator());
    let page = shown(get(&router, "/audit/record?table=invoices&key=1").await);
    assert!(page.contains("The record does not exist."));
    assert_eq!(page.matches("<article").count(), 4);
    for path in ["record?table=invoices&key=77", "record?table=nothing&key=1"] {
        let answer = get(&router, &format!("/audit/{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_key_of_several_columns_leads_to_its_record() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE roles (member bigint, role text, note text, PRIMARY KEY (role, member));
         SELECT threadline.audit('roles')",
    );
    written(
        conn,
        "user:1",
        "web",
        "INSERT INTO roles VALUES (7, '[x]', 'n')",
    );
    let router = mounted(database, operator());
    let page = shown(get(&router, "/audit/timeline").await);
    let (_, link) = page.split_once("class=\"record\" href=\"").unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let page = shown(get(&router, &format!("/audit/{link}")).await);
    assert_eq!(page.matches("<article").count(), 1, "{page}");
}

#[tokio::test]
async fn a_transaction_is_shown_whole_with_its_context_and_actions() {
    let (database, conn) = &mut with_invoices().connected();
    let context = threadline::AuditContext::builder(ActorRef::user(9).unwrap())
        .correlation_id("ticket-1")
        .build()
        .unwrap();
    conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
        run(conn, "UPDATE invoices SET status = 'paid'");
        record_action(conn, Action::new("invoice.paid").reason("by cheque"))
    })
    .unwrap();
    let router = mounted(database, operator());
    let id = value(conn, "SELECT max(id) FROM threadline.transactions").unwrap();
    let page = shown(get(&router, &format!("/audit/transaction?id={id}")).await);
    assert_contains_all(
        &page,
        &["ticket-1", "invoice.paid", "by cheque", "user:9", "paid"],
    );
    assert_eq!(page.matches("<article").count(), 2);
    let page = shown(get(&router, "/audit/correlation?id=ticket-1").await);
    assert!(page.contains("invoice.paid") && page.matches("<article").count() == 2);
    let page = shown(get(&router, "/audit/actor?actor=user:9").await);
    assert_eq!(page.matches("<article").count(), 2);
    let page = shown(get(&router, "/audit/actions").await);
    let (_, action) = page.split_once("class=\"name\" href=\"").unwrap();
    let page = shown(
        get(
            &router,
            &format!("/audit/{}", action.split('"').next().unwrap()),
        )
        .await,
    );
    assert!(page.contains("by cheque") && page.contains(&format!("transaction?id={id}")));
    for path in [
        "transaction?id=0",
        "transaction?id=x",
        "actor?actor=user:404",
        "action?id=0",
    ] {
        let answer = get(&router, &format!("/audit/{path}")).await;
        assert!(answer.status.is_client_error(), "{path}");
    }
}

#[tokio::test]
async fn a_large_value_is_cut_and_there_whole_as_text() {
    let (database, conn) = &mut with_invoices().connected();
    written(
        conn,
        "user:9",
        "web",
        "UPDATE invoices SET status = repeat('<b>x', 1250000) WHERE id = 2",
    );
    let router = mounted(database, operator());
    let page = shown(get(&router, "/audit/timeline").await);
    assert!(page.len() < 150_000, "{}", page.len());
    assert!(page.contains("(5.0 MB)"));
    let (_, link) = page.split_once("class=\"whole\" href=\"").unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let answer = get(&router, &format!("/audit/{link}")).await;
    assert_eq!(answer.body.len(), 5_000_000);
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn four_hundred_columns_and_writing_from_right_to_left_are_shown() {
    let (database, conn) = &mut Database::new().connected();
    let columns: Vec<_> = (0..400)
        .map(|n| format!("c{n} text DEFAULT 'שלום {n}'"))
        .collect();
    run(
        conn,
        &format!(
            "CREATE TABLE wide (id bigint PRIMARY KEY, {}); SELECT threadline.audit('wide');
             INSERT INTO wide VALUES (1)",
            columns.join(", ")
        ),
    );
    let router = mounted(database, operator());
    let page = shown(get(&router, "/audit/timeline").await);
    assert_contains(&page, "393 more columns");
    let (_, link) = page.split_once("class=\"more\"><a href=\"").unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let first = shown(get(&router, &format!("/audit/{link}")).await);
    let (_, next) = first.split_once("rel=\"next\" href=\"").unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let page = shown(get(&router, &format!("/audit/{next}")).await);
    assert!(first.contains("שלום 0<"));
    assert!(page.contains("שלום 399") && page.contains("dir=\"auto\""));
}

#[tokio::test]
async fn looks_at_records_are_recorded_where_the_host_wants_that() {
    let database = with_invoices();
    let explorer = Explorer::new(database.pool(2))
        .timeout(PATIENCE)
        .record_views()
        .authorize(async |_| operator());
    let router = Router::new().nest("/audit", explorer.into_router());
    shown(get(&router, "/audit/record?table=invoices&key=1").await);
    let seen = threadline_tests::rows(
        &mut database.connect(),
        "SELECT name, actor_type, actor_id, source, meta FROM threadline.actions",
    );
    assert_eq!(
        seen,
        [r#"audit.viewed | admin | grace | explorer | {"key": "1", "table": "invoices"}"#]
    );
}

#[tokio::test]
async fn what_was_recorded_before_a_column_was_masked_is_shown_for_a_reason() {
    let (database, conn) = &mut with_invoices().connected();
    run(
        conn,
        "SELECT threadline.audit('invoices', mask => ARRAY['status'])",
    );
    let unmask = |reason: &str| {
        Request::post("/audit/record")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("table=invoices&key=1&reason={reason}")))
            .unwrap()
    };
    let router = mounted(database, operator());
    let page = shown(get(&router, "/audit/record?table=invoices&key=1").await);
    assert!(!page.contains("written off") && !page.contains("Show masked values"));
    let answer = send(&router, unmask("ticket+1")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);

    let router = mounted(database, operator().allow_unmask());
    let page = shown(get(&router, "/audit/record?table=invoices&key=1").await);
    assert!(!page.contains("written off") && page.contains("Show masked values"));
    let answer = send(&router, unmask("+")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let page = shown(send(&router, unmask("ticket+1")).await);
    let (_, history) = page.split_once("<h2>History</h2>").unwrap();
    assert_contains(history, "written off");
    let recorded = threadline_tests::rows(
        conn,
        "SELECT name, actor_id, reason FROM threadline.actions WHERE name = 'audit.unmasked'",
    );
    assert_eq!(recorded, ["audit.unmasked | grace | ticket 1"]);
}

#[tokio::test]
async fn a_record_says_what_its_history_lacks() {
    let (database, conn) = &mut with_invoices().connected();
    run(
        conn,
        "CREATE TABLE rooms (id int PRIMARY KEY, floor int NOT NULL); INSERT INTO rooms VALUES (3, 2);
         SELECT threadline.audit('rooms'); INSERT INTO rooms VALUES (1, 2), (2, 2); SELECT threadline.post();
         ALTER TABLE rooms DROP CONSTRAINT rooms_pkey; ALTER TABLE rooms ADD PRIMARY KEY (id, floor);
         SELECT threadline.refresh('rooms'); ALTER TABLE rooms ADD name text; SELECT threadline.refresh('rooms');
         UPDATE rooms SET name = 'ward';
         UPDATE threadline.audited_tables SET truncate_limit = 1 WHERE table_name = 'rooms';
         TRUNCATE rooms; SELECT threadline.post()",
    );
    let router = mounted(database, operator());
    for id in [1, 3] {
        let key = format!("%5B%22{id}%22%2C%222%22%5D");
        let page = shown(get(&router, &format!("/audit/record?table=rooms&key={key}")).await);
        let (_, history) = page.split_once("<h2>History</h2>").unwrap();
        assert_contains(history, "A TRUNCATE removed this record at ");
        assert_contains(history, "transaction?id=");
        assert_contains(
            history,
            "the primary key of the table was (<bdi>id</bdi>). <a href=\"timeline?q=table%3Arooms+to%3A",
        );
    }
    let untouched = shown(get(&router, "/audit/record?table=invoices&key=1").await);
    assert!(!untouched.contains("class=\"gap warning\""));
}
