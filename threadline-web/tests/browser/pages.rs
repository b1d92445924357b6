//! Every page, 1400 and 390 pixels wide.

use fantoccini::Client;
use serde_json::Value;

use super::driver::Driver;
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
    "transaction?id=3",
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

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_and_fits_its_screen() {
    let database = with_incident();
    let address = serve(&database).await;
    let driver = Driver::start();
    for width in [1400, 390] {
        let window = driver.window(width, true).await;
        for page in PAGES
            .into_iter()
            .chain(["export?q=", "revert?transaction=3", "action?id=1"])
        {
            window
                .goto(&format!("http://{address}/{page}"))
                .await
                .unwrap();
            let too_wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
            let too_wide = window.execute(too_wide, vec![]).await.unwrap();
            assert_eq!(too_wide, Value::Bool(false), "{page} at {width}");
            let violations = violations(&window).await;
            assert_eq!(violations, Value::Array(vec![]), "{page} at {width}");
        }
        window.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_loads_anything_from_elsewhere_or_complains() {
    let database = with_incident();
    let address = serve(&database).await;
    let driver = Driver::start();
    let window = driver.window(1400, true).await;
    for page in PAGES {
        window
            .goto(&format!("http://{address}/{page}"))
            .await
            .unwrap();
        let loaded = "return performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host)";
        let loaded = window.execute(loaded, vec![]).await.unwrap();
        for host in loaded.as_array().unwrap() {
            assert_eq!(host.as_str().unwrap(), address.to_string(), "{page}");
        }
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
