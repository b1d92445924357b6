use super::*;

#[tokio::test]
async fn a_timeline_shows_who_changed_what_and_which_way_it_came() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/timeline").await);
    for shown in [
        "small-amounts",
        "via <a href=\"timeline?q=source%3Aworker\">",
        "written off",
        "record?table=invoices&amp;key=1",
        "12.0000000000000000",
        "Viewing as <bdi>admin:grace</bdi>",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
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
    assert!(page.contains("<bdi>-actor:user:7</bdi>"), "{page}");
    assert!(page.contains("2 changes in 1 transaction"), "{page}");
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
        assert!(answer.body.contains(why), "{}", answer.body);
    }
}

#[tokio::test]
async fn pages_cover_every_change_once() {
    let database = with_invoices();
    let conn = &mut database.connect();
    for id in 100..170 {
        let sql = format!("INSERT INTO customers VALUES ({id}, 'C{id}', NULL)");
        written(conn, "user:7", "web", &sql);
    }
    let router = mounted(&database, operator());
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
