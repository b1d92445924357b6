//! Large and hostile data: pages stay small, and show it for what it is.

use threadline_tests::{assert_contains, value};

use super::*;

/// The maximum size of a page in bytes.
const PAGE: usize = 150_000;

/// Returns a page after checking its size.
async fn small(router: &Router, path: &str) -> String {
    let page = shown(get(router, &format!("/audit/{path}")).await);
    assert!(page.len() <= PAGE, "{path} has {} bytes", page.len());
    assert!(!page.contains("<script>"), "{path}");
    page
}

/// Returns the first link of a page that begins with a text.
fn link(page: &str, begins: &str) -> String {
    let (_, link) = page
        .split_once(&format!("href=\"{begins}"))
        .unwrap_or_else(|| panic!("there is no link to {begins} in {page}"));
    let link = format!("{begins}{}", link.split('"').next().unwrap());
    link.split('#').next().unwrap().replace("&amp;", "&")
}

/// Checks every page about the changes of a table.
async fn every_page_is_small(router: &Router, conn: &mut diesel::PgConnection, table: &str) {
    for path in ["home", "timeline", "tables", "actions", "export?q="] {
        small(router, path).await;
    }
    let last = value(conn, "SELECT max(id) FROM threadline.transactions").unwrap();
    let page = small(router, &format!("transaction?id={last}")).await;
    assert_contains(&page, table);
    let change = value(conn, "SELECT max(id) FROM threadline.changes").unwrap();
    let page = small(
        router,
        &format!("change?transaction={last}&change={change}"),
    )
    .await;
    // The page of a change leads to the record, whatever its key is.
    let record = link(&page, "record?");
    let page = small(router, &record).await;
    assert_contains(&page, "<article");
    small(router, &format!("{record}&one=2020-01-01&other=now")).await;
    small(router, &format!("{record}&at=2100-01-01")).await;
}

#[tokio::test]
async fn a_transaction_of_a_hundred_thousand_changes_is_shown_page_by_page() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE readings (id bigint PRIMARY KEY, place text, degrees numeric);
         SELECT threadline.audit('readings')",
    );
    written(
        conn,
        "job:import",
        "worker",
        "INSERT INTO readings SELECT n, 'place ' || n % 7, n FROM generate_series(1, 100000) AS n",
    );
    let explorer = Explorer::new(database.pool(2))
        .timeout(PATIENCE)
        .authorize(async |_| operator().allow_export());
    let router = Router::new().nest("/audit", explorer.into_router());
    let id = value(conn, "SELECT max(id) FROM threadline.transactions").unwrap();
    let mut path = format!("transaction?id={id}");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let page = small(&router, &path).await;
        assert_contains(&page, "10,000+ changes");
        let changes = page.split("<article class=\"change\" id=\"").skip(1);
        seen.extend(changes.map(|change| change.split('"').next().unwrap().to_owned()));
        path = link(&page, "transaction?id=");
        let (_, next) = page.split_once("rel=\"next\" href=\"").unwrap();
        path = next
            .split('"')
            .next()
            .unwrap_or(&path)
            .replace("&amp;", "&");
    }
    assert_eq!(seen.len(), 200);
    every_page_is_small(&router, conn, "readings").await;
    small(&router, "timeline?q=table%3Areadings+place").await;
}

/// Sends a form, and returns the page after checking its size.
async fn small_answer(router: &Router, path: &str, fields: String) -> String {
    let request = Request::post(format!("/audit/{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(fields));
    let page = shown(send(router, request.unwrap()).await);
    assert!(page.len() <= PAGE, "{path} has {} bytes", page.len());
    page
}

#[tokio::test]
async fn a_report_and_a_preview_are_small_and_say_how_many_more_changes_there_are() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE letters (id bigint PRIMARY KEY, one text, two text, three text, four text);
         SELECT threadline.audit('letters')",
    );
    let long = "repeat('some words ', 20) || n";
    written(
        conn,
        "job:import",
        "worker",
        &format!(
            "INSERT INTO letters SELECT n, {long}, {long}, {long}, {long} FROM generate_series(1, 300) AS n"
        ),
    );
    let router = mounted(database, operator().allow_export().allow_revert());
    let articles = |page: &str| page.matches("<article").count();
    let page = small_answer(&router, "report", "q=table%3Aletters".to_owned()).await;
    let shown = articles(&page);
    assert!((20..200).contains(&shown), "{shown}");
    let amount = format!("{shown} changes, the newest of 300");
    assert!(page.contains(&amount), "{amount} is not in {page}");
    assert_contains(&page, "href=\"timeline?q=table%3Aletters\"");

    let id = value(conn, "SELECT max(transaction_id) FROM threadline.changes").unwrap();
    let fields = format!("transaction={id}&step=preview&reason=wrong");
    let page = small_answer(&router, "revert", fields).await;
    let shown = articles(&page);
    assert!((20..200).contains(&shown), "{shown} in {page}");
    let amount = format!("300 changes would be made by this revert: the newest {shown} are shown");
    assert!(page.contains(&amount), "{amount} is not in {page}");

    // Nothing more is said where nothing is left out.
    let page = small_answer(&router, "report", "q=table%3Aletters+record%3A7".to_owned()).await;
    assert_eq!(articles(&page), 1);
    assert!(!page.contains("the newest of"), "{page}");
}

#[tokio::test]
async fn long_values_are_cut_on_every_page_and_whole_behind_a_link() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE letters (id bigint PRIMARY KEY, text text, form jsonb, note text);
         SELECT threadline.audit('letters')",
    );
    let router = mounted(database, operator().allow_export());
    written(
        conn,
        "user:1",
        "web",
        "INSERT INTO letters VALUES (1, repeat('<b>x&', 1000000), jsonb_build_object('a', repeat('\"', 2000000)), 'n')",
    );
    written(
        conn,
        "user:1",
        "web",
        "UPDATE letters SET text = text || 'end', form = form || '{\"b\": 1}'",
    );
    every_page_is_small(&router, conn, "letters").await;
    let page = small(&router, "record?table=letters&key=1").await;
    let answer = get(&router, &format!("/audit/{}", link(&page, "value?"))).await;
    assert_eq!(answer.body.len(), 5_000_003);
    assert!(answer.body.ends_with("<b>x&end"));

    // A page full of values of middle length.
    let sql = "INSERT INTO letters SELECT n, repeat('\"<&>''', 120), NULL, repeat('ü', 590) FROM generate_series(2, 80) AS n";
    written(conn, "user:1", "web", sql);
    every_page_is_small(&router, conn, "letters").await;
    let page = small(&router, "timeline").await;
    assert_contains(&page, "Show the full values");
    let page = small(&router, &link(&page, "change?")).await;
    assert_contains(&page, &"ü".repeat(590));
}

#[tokio::test]
async fn a_table_of_four_hundred_columns_is_shown_in_parts() {
    let (database, conn) = &mut Database::new().connected();
    let name = |n: usize| format!("a_column_with_a_name_of_nearly_sixty_three_bytes_{n:03}");
    let columns: Vec<_> = (0..400)
        .map(|n| format!("{} text DEFAULT repeat('שלום ', 40) || '{n}.'", name(n)))
        .collect();
    let set: Vec<_> = (0..400)
        .map(|n| format!("{} = 'now {n}.'", name(n)))
        .collect();
    let masked: Vec<_> = (300..400).map(|n| format!("'{}'", name(n))).collect();
    run(
        conn,
        &format!(
            "CREATE TABLE wide (id bigint PRIMARY KEY, {});
             SELECT threadline.audit('wide', mask => ARRAY[{}])",
            columns.join(", "),
            masked.join(", ")
        ),
    );
    written(
        conn,
        "user:1",
        "web",
        "INSERT INTO wide SELECT generate_series(1, 60)",
    );
    let update = format!("UPDATE wide SET {}", set.join(", "));
    written(conn, "user:2", "web", &update);
    let router = mounted(database, operator().allow_export());
    every_page_is_small(&router, conn, "wide").await;
    // All columns of a change, in order.
    let page = small(&router, "timeline").await;
    let mut path = link(&page, "change?");
    let mut text = small(&router, &path).await;
    path = text
        .split_once("rel=\"next\" href=\"")
        .map(|(_, next)| next.split('"').next().unwrap().replace("&amp;", "&"))
        .unwrap();
    text.push_str(&small(&router, &path).await);
    for n in 0..400 {
        let found = text.matches(&format!("<bdi>{}</bdi>", name(n))).count();
        assert_eq!(found, 1, "column {n}");
    }
    assert!(text.contains("now 299.") && !text.contains("now 300."));
    // All columns of the state, with the actor who set each.
    let mut path = "record?table=wide&key=7".to_owned();
    let mut columns = 0;
    loop {
        let page = small(&router, &path).await;
        let (_, state) = page.split_once("id=\"state\"").unwrap();
        let (state, _) = state.split_once("</section>").unwrap();
        columns += state.matches("<th scope=\"row\">").count();
        assert_contains(state, "user:</span><bdi>2</bdi>");
        let Some((_, next)) = state.split_once("class=\"next columns\" href=\"") else {
            break;
        };
        path = next.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!(columns, 401);
    let page = small(&router, "tables").await;
    assert_contains(&page, "and 80 more columns");
}

#[tokio::test]
async fn a_key_of_any_text_leads_to_its_record() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE files (path text PRIMARY KEY, size bigint); SELECT threadline.audit('files')",
    );
    let long = "long 🗂️ key/".repeat(130);
    assert!(long.len() > 2_000);
    let keys = [
        "a b/c\n\nd?e=f&g#h%41 🗂️",
        "[\"x\"]",
        "<script>alert(1)</script>",
        "\"quoted\" \\ and 'single'",
        "..",
        "مفتاح",
        &long,
    ];
    let router = mounted(database, operator().allow_export());
    for key in keys {
        let quoted = key.replace('\'', "''");
        written(
            conn,
            "user:<script>",
            "<script>",
            &format!("INSERT INTO files VALUES ('{quoted}', 1)"),
        );
        every_page_is_small(&router, conn, "files").await;
        let page = small(&router, "timeline").await;
        // The first link of the first change, directly or by the page of the change.
        let mut path = link(&page, if key == long { "change?" } else { "record?" });
        if key == long {
            path = link(&small(&router, &path).await, "record?");
        }
        let page = small(&router, &path).await;
        assert_eq!(page.matches("<article").count(), 1, "{page}");
        let (state, _) = page.split_once("<h2>History</h2>").unwrap();
        assert_contains(state, "<span class=\"number\">1</span>");
        let copied = page.split_once("data-copy=\"").unwrap().1;
        let copied = copied.split('"').next().unwrap();
        let escaped = key
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        match key == long {
            // A change has the beginning of a long key, and its digest.
            true => assert_contains(copied, "... sha256:"),
            false => assert_eq!(copied, escaped),
        }
        let escaped: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
        small(&router, &format!("timeline?q=table%3Afiles+{escaped}")).await;
    }
    // Fifty of them on one page.
    let sql =
        "INSERT INTO files SELECT repeat('<🗂️>', 150) || n, 1 FROM generate_series(1, 60) AS n";
    written(conn, "user:1", "web", sql);
    every_page_is_small(&router, conn, "files").await;
    let page = small(&router, "actor?actor=user:%3Cscript%3E").await;
    assert_contains(&page, "&lt;script&gt;");
}

#[tokio::test]
async fn a_document_nested_five_hundred_deep_is_shown() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE forms (id bigint PRIMARY KEY, form jsonb); SELECT threadline.audit('forms')",
    );
    let deep = |n: usize| format!("{}{n}{}", "[".repeat(n), "]".repeat(n));
    let router = mounted(database, operator().allow_export());
    written(
        conn,
        "user:1",
        "web",
        &format!("INSERT INTO forms VALUES (1, '{}')", deep(500)),
    );
    written(
        conn,
        "user:1",
        "web",
        &format!("UPDATE forms SET form = '{}'", deep(499)),
    );
    every_page_is_small(&router, conn, "forms").await;
    let page = small(&router, "record?table=forms&key=1").await;
    let answer = get(&router, &format!("/audit/{}", link(&page, "value?"))).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_contains(&answer.body, "499");
}

#[tokio::test]
async fn facets_of_ten_thousand_actors_are_cut_and_say_so() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE logins (id bigint PRIMARY KEY); SELECT threadline.audit('logins')",
    );
    // Every transaction has an actor of its own.
    run(
        conn,
        "CREATE PROCEDURE act() LANGUAGE plpgsql AS $$
         BEGIN
             FOR n IN 1..10000 LOOP
                 PERFORM set_config('threadline.context', extract(epoch FROM now()) || ' ' || jsonb_build_object('actor', jsonb_build_object('type', 'user', 'id', n::text)), true);
                 INSERT INTO logins VALUES (n);
                 COMMIT;
             END LOOP;
         END $$",
    );
    run(conn, "CALL act()");
    run(conn, "SELECT threadline.post()");
    let actors = value(
        conn,
        "SELECT count(DISTINCT actor_id) FROM threadline.transactions",
    );
    assert_eq!(actors.as_deref(), Some("10000"));
    let router = mounted(database, operator().allow_export());
    every_page_is_small(&router, conn, "logins").await;
    let page = small(&router, "timeline").await;
    // The newest 1,000 changes are counted.
    assert_contains(&page, "The newest 1,000 changes");
    assert_contains(&page, "Counts are of the newest 1,000 changes.");
    assert_contains(&page, "and 988 more");
    let home = small(&router, "home").await;
    assert_contains(&home, "Most among the newest 1,000 changes");
}
