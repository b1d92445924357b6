//! An export in the background, with and without JavaScript.

use fantoccini::{Client, Locator};
use serde_json::Value;
use threadline_web::Exports;

use super::incident::{click, shows};
use super::pages::violations;
use super::*;

/// Serves an explorer whose exports all run in the background.
async fn open_background() -> Site {
    let database = with_incident();
    let explorer = Explorer::new(database.pool(6))
        .timeout(PATIENCE)
        .exports(Exports::new().stream_up_to(0))
        .authorize(async |_| {
            Access::to_everything(ActorRef::admin("grace").unwrap()).allow_export()
        });
    Site::serve(database, explorer.into_router(), ZONE).await
}

async fn begin(window: &Client, site: &Site) -> diesel::PgConnection {
    site.goto(window, "export?q=table:invoices").await;
    let holder = site.database.hold_ledger();
    click(window, "form[action=export] button").await;
    shows(window, &["table:invoices", "continues when you leave"]).await;
    holder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_export_follows_it_by_itself() {
    let site = open_background().await;
    for width in [1400, 390] {
        let window = site.driver.window(width, true).await;
        let holder = begin(&window, &site).await;
        assert_eq!(violations(&window).await, Value::Array(vec![]), "{width}");
        // The button that is focused stays until the export ends.
        let focus = "document.querySelector('[value=cancel]').focus()";
        window.execute(focus, vec![]).await.unwrap();
        drop(holder);
        shows(&window, &["The file is complete", "50 changes"]).await;
        let focused = "return document.activeElement.textContent";
        let focused = window.execute(focused, vec![]).await.unwrap();
        assert_eq!(focused, "Download");
        assert_eq!(violations(&window).await, Value::Array(vec![]), "{width}");
        // The file, as the browser gets it.
        let file = "const done = arguments[arguments.length - 1];
            fetch(document.querySelector('[download]').href)
                .then((answer) => answer.text()).then((text) => done(text.trim().split('\\r\\n').length))";
        let lines = window.execute_async(file, vec![]).await.unwrap();
        assert_eq!(lines, 51);
        // What is removed is gone.
        click(&window, "[value=remove]").await;
        shows(&window, &["Incident report"]).await;
        window.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_followed_and_cancelled_without_javascript() {
    let site = open_background().await;
    for width in [1400, 390] {
        let window = site.driver.window(width, false).await;
        let holder = begin(&window, &site).await;
        click(&window, "[value=cancel]").await;
        shows(&window, &["The export was cancelled", "There is no file"]).await;
        drop(holder);
        let holder = begin(&window, &site).await;
        drop(holder);
        // A person refreshes until it is complete.
        loop {
            let main = window.find(Locator::Css("main")).await.unwrap();
            if main.text().await.unwrap().contains("The file is complete") {
                break;
            }
            click(&window, "#export-job a.button").await;
        }
        let file = window.wait().for_element(Locator::LinkText("Download"));
        let path = file.await.unwrap().attr("href").await.unwrap().unwrap();
        assert!(path.starts_with("export-file?id="), "{path}");
        // The page of exports lists both.
        click(&window, "main p a[href^='export?']").await;
        shows(
            &window,
            &["Your exports", "The file is complete", "cancelled"],
        )
        .await;
        window.close().await.unwrap();
    }
}
