//! What the script adds: copying, keys, newer changes, and times in the viewer's zone.

use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use serde_json::Value;
use threadline_tests::assert_contains;

use super::incident::click;
use super::*;

/// Opens a page, and waits for the script.
async fn open(window: &Client, site: &Site, page: &str) {
    site.goto(window, page).await;
    window
        .wait()
        .for_element(Locator::Css(".said"))
        .await
        .unwrap();
}

pub async fn press(window: &Client, keys: &str) {
    // While a page loads, the active element may vanish.
    for _ in 0..100 {
        if let Ok(active) = window.active_element().await {
            if active.send_keys(keys).await.is_ok() {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no element takes the keys {keys}");
}

async fn run_script(window: &Client, script: &str) -> Value {
    window.execute(script, vec![]).await.unwrap()
}

/// Waits until an expression is true.
async fn until(window: &Client, expression: &str) {
    let script = format!("return Boolean({expression})");
    for _ in 0..300 {
        // While a page loads, there is nothing to ask.
        if let Ok(Value::Bool(true)) = window.execute(&script, vec![]).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seen = "return location.href + '\\n' + document.body.innerText";
    panic!("{expression}: {}", run_script(window, seen).await);
}

async fn says(window: &Client, text: &str) {
    let text = text.replace('\'', "\\'");
    until(
        window,
        &format!("document.querySelector('.said').textContent.includes('{text}')"),
    )
    .await;
}

/// Clears what the page said before, so that a test does not take it for the next.
async fn quiet(window: &Client) {
    run_script(window, "document.querySelector('.said').textContent = ''").await;
}

/// Returns what is in the clipboard, by pasting it.
async fn pasted(window: &Client) -> String {
    run_script(window, "document.querySelector('#q').value = ''").await;
    let line = window.find(Locator::Css("#q")).await.unwrap();
    let (control, null) = (char::from(Key::Control), char::from(Key::Null));
    line.send_keys(&format!("{control}v{null}")).await.unwrap();
    until(window, "document.querySelector('#q').value !== ''").await;
    // Leaving the line keeps its text.
    press(window, &char::from(Key::Escape).to_string()).await;
    quiet(window).await;
    until(
        window,
        "document.activeElement !== document.querySelector('#q')",
    )
    .await;
    let value = run_script(window, "return document.querySelector('#q').value").await;
    value.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_keys_ids_and_links_are_copied() {
    let site = Site::open().await;
    let conn = &mut site.database.connect();
    run(
        conn,
        "UPDATE members SET name = repeat('long ', 1000) || 'end' WHERE id = 7",
    );
    for width in [1400, 390] {
        let window = site.driver.window(width, true).await;
        open(&window, &site, "timeline?q=actor:user:57").await;
        press(&window, "j").await;
        for (label, text) in [
            ("Copy the value of amount before", "1200.00"),
            ("Copy the value of amount after", "12"),
            ("Copy the key", "30"),
        ] {
            click(&window, &format!(".current [aria-label^='{label}']")).await;
            says(&window, "Copied").await;
            assert_eq!(pasted(&window).await, text, "{label} at {width}");
        }
        // The link to the selected change, and to the page.
        press(&window, "y").await;
        says(&window, "The link is copied").await;
        let link = pasted(&window).await;
        let change = site.url("change?transaction=40&change=");
        assert!(link.starts_with(&change), "{link}");
        open(&window, &site, "transaction?id=40").await;
        press(&window, "y").await;
        says(&window, "The link is copied").await;
        assert_eq!(pasted(&window).await, site.url("transaction?id=40"));
        click(&window, "[aria-label='Copy ticket-4471']").await;
        says(&window, "Copied").await;
        assert_eq!(pasted(&window).await, "ticket-4471");
        // A value that is cut is copied whole.
        open(&window, &site, "record?table=members&key=7").await;
        click(&window, "[aria-label='Copy 7']").await;
        says(&window, "Copied").await;
        assert_eq!(pasted(&window).await, "7");
        press(&window, "jj").await;
        click(&window, ".current [aria-label='Copy the value of name']").await;
        says(&window, "Copied").await;
        let name = pasted(&window).await;
        assert!(name.len() == 5_003 && name.ends_with("end"), "{name}");
        window.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_refuses_to_copy_shows_the_text_to_copy_by_hand() {
    let site = Site::open().await;
    let window = site.driver.window(1400, true).await;
    open(&window, &site, "transaction?id=40").await;
    let refuse = "navigator.clipboard.writeText = () => Promise.reject(new Error('refused'));
                  document.execCommand = () => false;";
    run_script(&window, refuse).await;
    press(&window, "y").await;
    until(&window, "document.querySelector('dialog[open] textarea')").await;
    let shown = "const area = document.querySelector('dialog textarea');
                 return [area.value, area.value.slice(area.selectionStart, area.selectionEnd), area.closest('dialog').innerText]";
    let shown = run_script(&window, shown).await;
    let link = site.url("transaction?id=40");
    assert_eq!(shown[0], link.as_str());
    assert_eq!(shown[1], link.as_str());
    assert!(
        shown[2].as_str().unwrap().contains("does not allow"),
        "{shown}"
    );
    window.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_time_is_in_utc_and_in_the_zone_of_the_viewer() {
    let site = Site::open().await;
    for javascript in [true, false] {
        let window = site.driver.window(1400, javascript).await;
        for page in [
            "timeline",
            "record?table=invoices&key=3&at=2100-01-01",
            "transaction?id=40",
            "tables",
        ] {
            site.goto(&window, page).await;
            let footer = Locator::Css("footer .zone");
            let footer = window.find(footer).await.unwrap().text().await.unwrap();
            let times = window.find_all(Locator::Css("main time")).await.unwrap();
            assert!(!times.is_empty(), "{page}");
            for time in times {
                let text = time.text().await.unwrap();
                assert!(text.contains("UTC"), "{page}: {text}");
                assert_eq!(text.contains("GMT+3"), javascript, "{page}: {text}");
            }
            match javascript {
                true => assert_contains(&footer, ZONE),
                false => assert_eq!(footer, "Times are in UTC."),
            }
        }
        window.close().await.unwrap();
    }
}

/// Presses a key of the list on a page, and checks its effect.
async fn works(window: &Client, page: &str, key: &str) {
    let current = "document.querySelectorAll('.current').length === 1";
    let (tag, expression) = match key {
        "/" => ("", "document.activeElement.id === 'q'".to_owned()),
        "j" | "k" => ("", current.to_owned()),
        "Enter" => ("j", "location.pathname === '/record'".to_owned()),
        "o" => (
            "j",
            "document.querySelector('.said').textContent.includes('no more columns')".to_owned(),
        ),
        "t" => ("j", "location.pathname === '/transaction'".to_owned()),
        "[" | "]" => (
            "",
            format!("location.href !== '{page}' && document.querySelector('main')"),
        ),
        "n" => (
            "",
            "document.querySelector('.said').textContent.includes('no newer changes')".to_owned(),
        ),
        "y" => (
            "",
            "document.querySelector('.said').textContent.includes('link is copied')".to_owned(),
        ),
        "h" => ("", "location.pathname === '/home'".to_owned()),
        "?" => ("", "document.querySelector('dialog[open].keys')".to_owned()),
        other => panic!("add what the key {other} does"),
    };
    press(window, tag).await;
    let enter = char::from(Key::Enter).to_string();
    press(window, if key == "Enter" { &enter } else { key }).await;
    until(window, &expression).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_keys_has_exactly_those_that_work_on_the_page() {
    let site = Site::open().await;
    let window = site.driver.window(1400, true).await;
    let state = "record?table=invoices&key=3&at=2100-01-01";
    for (page, expected) in [
        ("home", "/ y h ?"),
        ("timeline", "/ j k Enter o t [ n y h ?"),
        (state, "/ j k Enter o t [ y h ?"),
        ("actions", "/ j k Enter t y h ?"),
        ("tables", "/ j k Enter y h ?"),
        ("older", "/ j k Enter o t ] y h ?"),
    ] {
        // The page of older changes is reached from the first.
        let reach = async || match page {
            "older" => {
                open(&window, &site, "timeline").await;
                press(&window, "[").await;
                until(&window, "location.search.includes('after')").await;
                until(&window, "document.querySelector('.said')").await;
            }
            page => open(&window, &site, page).await,
        };
        reach().await;
        press(&window, "?").await;
        let listed = "return [...document.querySelectorAll('dialog.keys kbd')].map((key) => key.textContent).join(' ')";
        assert_eq!(run_script(&window, listed).await, expected, "{page}");
        for key in expected.split(' ') {
            if page == "tables" && key == "Enter" {
                // A row of this list leads to the changes of the table.
                continue;
            }
            if page == "actions" && key == "Enter" {
                continue;
            }
            reach().await;
            let here = window.current_url().await.unwrap().to_string();
            works(&window, &here, key).await;
        }
    }
    // `]` leads back to the page from which `[` came.
    open(&window, &site, "timeline").await;
    press(&window, "[").await;
    until(&window, "location.search.includes('after')").await;
    until(&window, "document.querySelector('.said')").await;
    press(&window, "]").await;
    until(&window, "location.search === ''").await;
    window.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_unfolds_where_it_is() {
    let site = Site::open().await;
    let conn = &mut site.database.connect();
    let columns: Vec<_> = (1..=30).map(|n| format!("c{n} int DEFAULT {n}")).collect();
    run(
        conn,
        &format!(
            "CREATE TABLE wide (id bigint PRIMARY KEY, {}); SELECT threadline.audit('wide'); INSERT INTO wide VALUES (1)",
            columns.join(", ")
        ),
    );
    let window = site.driver.window(1400, true).await;
    open(&window, &site, "timeline?q=table:wide").await;
    let rows = "document.querySelectorAll('.change tbody tr').length";
    until(&window, &format!("{rows} === 8")).await;
    press(&window, "jo").await;
    until(&window, &format!("{rows} === 31")).await;
    press(&window, "o").await;
    until(&window, &format!("{rows} === 8")).await;
    // Without the script, the link leads to the same.
    let window = site.driver.window(1400, false).await;
    site.goto(&window, "timeline?q=table:wide").await;
    click(&window, ".more a").await;
    let last = Locator::XPath("//th[normalize-space() = 'c30']");
    window.wait().for_element(last).await.unwrap();
    window.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_changes_appear_above_and_the_place_stays() {
    let site = Site::open().await;
    let conn = &mut site.database.connect();
    let window = site.driver.window(1400, true).await;
    open(&window, &site, "timeline?q=table:invoices").await;
    let top =
        "return Math.round(document.querySelectorAll('.change')[20].getBoundingClientRect().top)";
    run_script(&window, "document.querySelectorAll('.change')[20].scrollIntoView(); document.querySelectorAll('.change')[20].dataset.kept = 'yes'").await;
    let before = run_script(&window, top).await;
    run(
        conn,
        "UPDATE invoices SET status = 'paid' WHERE id IN (1, 2)",
    );
    run(conn, "UPDATE members SET name = 'Someone' WHERE id = 1");
    // Nothing is asked while the page is hidden.
    let hidden = "window.asked = 0;
         const ask = window.fetch;
         window.fetch = (...given) => { window.asked += 1; return ask(...given); };
         window.visible = 'hidden';
         Object.defineProperty(document, 'visibilityState', { get: () => window.visible });
         document.dispatchEvent(new Event('visibilitychange'));
         return window.asked";
    assert_eq!(run_script(&window, hidden).await, 0);
    let look = "window.visible = 'visible'; document.dispatchEvent(new Event('visibilitychange')); return window.asked";
    assert_eq!(run_script(&window, look).await, 1);
    until(
        &window,
        "document.querySelector('#newer').textContent === 'Show 2 newer changes'",
    )
    .await;
    press(&window, "n").await;
    says(&window, "2 newer changes are shown above").await;
    let kept = "return [Math.round(document.querySelector('[data-kept]').getBoundingClientRect().top),
                        document.querySelectorAll('.change').length,
                        [...document.querySelectorAll('.change')].indexOf(document.querySelector('#seen + li .change'))]";
    let kept = run_script(&window, kept).await;
    assert_eq!(kept[0], before, "{kept}");
    assert_eq!(kept[1], 52, "{kept}");
    assert_eq!(kept[2], 2, "{kept}");
    // The times of the new ones are in the viewer's zone, too.
    until(&window, "document.querySelector('.transaction .local')").await;

    // After an error, nothing is asked any more, and the link still works.
    let fails = "document.querySelector('#newer').dataset.count = 'newer?seen=x';
                 document.dispatchEvent(new Event('visibilitychange')); return window.asked";
    let asked = run_script(&window, fails).await.as_u64().unwrap();
    // The answer is handled in a later turn of the page than this one.
    until(&window, "document.querySelector('#newer').dataset.stopped").await;
    let more = "document.dispatchEvent(new Event('visibilitychange')); return window.asked";
    assert_eq!(run_script(&window, more).await, asked);
    window.close().await.unwrap();

    // Without the script, the link marks what was there before.
    let window = site.driver.window(1400, false).await;
    site.goto(&window, "timeline").await;
    run(conn, "UPDATE invoices SET status = 'open' WHERE id = 1");
    click(&window, "#newer").await;
    let mark = Locator::Css(".transaction + #seen + .transaction");
    window.wait().for_element(mark).await.unwrap();
    window.close().await.unwrap();
}
