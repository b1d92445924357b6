//! Every page, 1400 and 390 pixels wide.

use fantoccini::{Client, Locator};
use serde_json::Value;
use threadline_tests::run_under;

use super::functions::press;
use super::*;

/// A script that finds violations of WCAG AA and of best practices for accessibility.
const AXE: &str = include_str!("axe.min.js");

const PAGES: [&str; 12] = [
    "home",
    "timeline",
    "timeline?q=nothing:found",
    "timeline?q=table:invoices+-actor:user:57",
    "record?table=invoices&key=3",
    "record?table=invoices&key=3&one=2020-01-01&other=now",
    "record?table=members&key=3",
    "transaction?id=40",
    "correlation?id=ticket-4471",
    "actor?actor=user:57",
    "actions",
    "tables",
];

/// Returns the violations on the page in a window.
pub(super) async fn violations(window: &Client) -> Value {
    let script = format!(
        "{AXE}; const done = arguments[arguments.length - 1];
         axe.run({{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }})
            .then((found) => done(found.violations.map((v) => v.id + ': ' + v.nodes[0].html)))"
    );
    window.execute_async(&script, vec![]).await.unwrap()
}

/// Checks that a page fits its screen, and that axe finds no violation, also with the buttons
/// of a selected change and in the dialog of keys.
async fn is_accessible_and_fits(window: &Client, site: &Site, page: &str, width: u32) {
    site.goto(window, page).await;
    let refused = window.find_all(Locator::Css("[role=alert]")).await.unwrap();
    assert_eq!(refused.is_empty(), !page.contains("nothing:"), "{page}");
    press(window, "j").await;
    for dialog in [false, true] {
        if dialog {
            press(window, "?").await;
            window.find(Locator::Css("dialog[open]")).await.unwrap();
        }
        let too_wide =
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        let too_wide = window.execute(too_wide, vec![]).await.unwrap();
        assert_eq!(too_wide, Value::Bool(false), "{page} at {width}");
        let found = violations(window).await;
        assert_eq!(found, Value::Array(vec![]), "{page} at {width}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_and_fits_its_screen() {
    let site = Site::open().await;
    for width in [1400, 390] {
        let window = site.driver.window(width, true).await;
        for page in PAGES.into_iter().chain([
            "export?q=",
            "revert?transaction=40",
            "action?id=1",
            "change?transaction=40&change=45",
        ]) {
            is_accessible_and_fits(&window, &site, page, width).await;
        }
        window.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_data_fits_its_screen() {
    let site = Site::open().await;
    let conn = &mut site.database.connect();
    let columns: Vec<_> = (1..=400)
        .map(|n| {
            format!("a_column_with_a_name_of_nearly_sixty_three_bytes_{n} text DEFAULT 'שלום {n}'")
        })
        .collect();
    let key = "a b/c\n\nd?e 🗂️".repeat(100);
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let unbroken = "x".repeat(5_000);
    let sql = format!(
        "CREATE TABLE wide (id text PRIMARY KEY, {}, form jsonb);
         SELECT threadline.audit('wide');
         INSERT INTO wide (id, form) VALUES ('{key}', '{deep}');
         UPDATE wide SET a_column_with_a_name_of_nearly_sixty_three_bytes_1 = '{unbroken}'",
        columns.join(", ")
    );
    let actor = format!("<script>alert(1)</script>{}", "y".repeat(180));
    let context = AuditContext::builder(ActorRef::user(&actor).unwrap())
        .source("<img src=x onerror=alert(1)>")
        .build()
        .unwrap();
    run_under(conn, &context, &sql);
    let id = threadline_tests::value(conn, "SELECT max(id) FROM threadline.transactions").unwrap();
    let change = threadline_tests::value(conn, "SELECT max(id) FROM threadline.changes").unwrap();
    let written =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let record = format!("record?table=wide&key={}", written(&key));
    for width in [1400, 390] {
        let window = site.driver.window(width, true).await;
        for page in [
            "home".to_owned(),
            "tables".to_owned(),
            "timeline".to_owned(),
            format!(
                "timeline?q=table:wide+record:{}",
                written(&format!("\"{key}\""))
            ),
            format!("transaction?id={id}"),
            format!("change?transaction={id}&change={change}"),
            format!("actor?actor={}", written(&format!("user:{actor}"))),
            record.clone(),
            format!("{record}&one=2100-01-01&other=now"),
        ] {
            is_accessible_and_fits(&window, &site, &page, width).await;
        }
        window.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_loads_anything_from_elsewhere_or_complains() {
    let site = Site::open().await;
    let window = site.driver.window(1400, true).await;
    for page in PAGES {
        site.goto(&window, page).await;
        let loaded = "return performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host)";
        let loaded = window.execute(loaded, vec![]).await.unwrap();
        for host in loaded.as_array().unwrap() {
            assert_eq!(host.as_str().unwrap(), site.address.to_string(), "{page}");
        }
        // The script ran to its end, and the pages have no other.
        let keys = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true })); return document.querySelectorAll('dialog[open] kbd').length > 3";
        assert_eq!(
            window.execute(keys, vec![]).await.unwrap(),
            Value::Bool(true),
            "{page}"
        );
        // The style sheet is loaded, and the content security policy permits it.
        let sheets =
            "return [...document.styleSheets].every((sheet) => sheet.cssRules.length > 20)";
        assert_eq!(
            window.execute(sheets, vec![]).await.unwrap(),
            Value::Bool(true),
            "{page}"
        );
    }
    window.close().await.unwrap();
}
