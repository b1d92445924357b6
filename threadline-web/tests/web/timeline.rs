use threadline::{Scope, TableScope};
use threadline_tests::{assert_contains, assert_contains_all};

use super::*;

#[tokio::test]
async fn a_timeline_shows_who_changed_what_and_which_way_it_came() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/timeline").await);
    assert_contains_all(
        &page,
        &[
            "small-amounts",
            "via <a href=\"timeline?q=source%3Aworker\">",
            "written off",
            "record?table=invoices&amp;key=1",
            "12.0000000000000000",
            "Viewing as <bdi>admin:grace</bdi>",
        ],
    );
    assert!(!page.contains("a@acme.example"));
    assert!(page.contains(r#"<span class="badge masked">masked</span>"#));
}

#[tokio::test]
async fn a_search_narrows_changes_counts_and_bars() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(
        get(
            &router,
            "/audit/timeline?q=table%3Ainvoices+changed%3Aamount+-actor%3Auser%3A7",
        )
        .await,
    );
    assert_eq!(page.matches("<article class=\"change\"").count(), 2);
    assert!(page.contains("user:57") && !page.contains("small-amounts"));
    assert_contains(&page, "<bdi>-actor:user:7</bdi>");
    assert_contains(&page, "2 changes in 1 transaction");
    // The search line contains the search.
    assert!(page.contains("value=\"table:invoices changed:amount -actor:user:7\""));
}

#[tokio::test]
async fn a_search_that_cannot_be_asked_says_why() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    for (query, status, why) in [
        ("q=colour%3Ared", 400, "there is no filter `colour`"),
        ("q=table%3Amissing", 404, "is not audited and never was"),
        ("after=tl1-actor-2a", 400, "belongs to another search"),
        ("after=%3Cscript%3E", 400, "belongs to another search"),
    ] {
        let answer = get(&router, &format!("/audit/timeline?{query}")).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_contains(&answer.body, why);
    }
}

#[tokio::test]
async fn pages_cover_every_change_once() {
    let (database, conn) = &mut with_invoices().connected();
    for id in 100..170 {
        let sql = format!("INSERT INTO customers VALUES ({id}, 'C{id}', NULL)");
        written(conn, "user:7", "web", &sql);
    }
    let router = mounted(database, operator());
    let mut path = "/audit/timeline?q=table%3Acustomers".to_owned();
    let mut seen = vec![];
    loop {
        let page = shown(get(&router, &path).await);
        let articles = page.split("<article class=\"change\" id=\"").skip(1);
        seen.extend(articles.map(|article| article.split('"').next().unwrap().to_owned()));
        let Some((_, next)) = page.split_once("rel=\"next\" href=\"") else {
            break;
        };
        let next = next.split('"').next().unwrap().replace("&amp;", "&");
        path = format!("/audit/{next}");
    }
    assert_eq!(seen.len(), 72);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 72);
}

#[tokio::test]
async fn a_search_that_no_index_answers_says_where_it_ended_and_goes_on_there() {
    let (database, conn) = &mut with_invoices().connected();
    let sql = "INSERT INTO customers SELECT i, 'C' || i, NULL FROM generate_series(100, 800) AS i";
    written(conn, "user:7", "web", sql);
    let scope = Scope::new().table(TableScope::new("customers").rows("name", "C100"));
    let router = mounted(
        database,
        Access::within(ActorRef::user(1).unwrap(), scope.clone()),
    );
    let mut path = "/audit/timeline".to_owned();
    for ended in [true, true, true, false] {
        let page = shown(get(&router, &path).await);
        assert_eq!(
            page.contains("read the newest changes only"),
            ended,
            "{page}"
        );
        assert_eq!(page.contains("C100"), !ended, "{page}");
        assert!(!page.contains("C101"), "{page}");
        assert!(
            !page.contains("There are no changes that you can see"),
            "{page}"
        );
        if let Some((_, next)) = page.split_once("rel=\"next\" href=\"") {
            let next = next.split('"').next().unwrap().replace("&amp;", "&");
            path = format!("/audit/{next}");
        }
    }

    let answer = get(&router, "/audit/api/changes").await;
    let page: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(page["entries"].as_array().unwrap().len(), 0);
    assert_eq!(page["has_more"], true);
    assert!(page["searched_to"].is_string(), "{page}");
    let counts = get(&router, "/audit/api/overview").await;
    let counts: serde_json::Value = serde_json::from_str(&counts.body).unwrap();
    assert_eq!(
        (&counts["changes"], &counts["more"]),
        (&0.into(), &true.into())
    );
    assert!(counts["searched_to"].is_string(), "{counts}");
}
