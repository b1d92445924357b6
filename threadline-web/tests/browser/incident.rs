//! An incident, from the complaint to the actor and the revert: "Invoice 3 was 1,200.00. Now it
//! says 12, and written off."

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use threadline_tests::assert_value;

use super::functions::press;
use super::*;

pub(super) async fn click(window: &Client, css: &str) {
    let element = window.wait().for_element(Locator::Css(css)).await;
    let element = element.unwrap_or_else(|e| panic!("{css}: {e}"));
    element.click().await.unwrap();
}

async fn fill(window: &Client, css: &str, text: &str) {
    let element = window.wait().for_element(Locator::Css(css)).await.unwrap();
    element.send_keys(text).await.unwrap();
}

/// Waits until the page contains the texts, because a click returns before the page is loaded.
pub(super) async fn shows(window: &Client, shown: &[&str]) {
    let mut text = String::new();
    for _ in 0..300 {
        if let Ok(main) = window.find(Locator::Css("main")).await {
            text = main.text().await.unwrap_or_default();
        }
        if shown.iter().all(|shown| text.contains(shown)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{shown:?} is not in {text}");
}

/// With the mouse, without JavaScript.
/// Shows the state of invoice 3 before both changes.
async fn go_back_to_open(window: &Client, site: &Site) {
    site.goto(window, "record?table=invoices&key=3").await;
    click(window, "a[rel=prev]").await;
    shows(window, &["State at"]).await;
    click(window, "a[rel=prev]").await;
    shows(window, &["State at", "1200.00", "open"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_solved_by_mouse_without_javascript() {
    let site = Site::open().await;
    for width in [1400, 390] {
        let window = site.driver.window(width, false).await;
        site.goto(&window, "").await;
        // The record, and the actor who set each column.
        fill(&window, "form[action=record] [name=key]", "3").await;
        click(&window, "form[action=record] button").await;
        shows(
            &window,
            &["written off", "small-amounts", "below 20.00", "user:57"],
        )
        .await;
        // The other changes of the transaction that set the amount.
        click(&window, ".actor[href='actor?actor=user%3A57']").await;
        shows(&window, &["reminder fees taken off", "10 changes"]).await;
        click(&window, ".transaction a.id").await;
        shows(&window, &["ticket-4471", "req-9044", "1200.00"]).await;
        let invoices = "SELECT count(*) FROM invoices WHERE amount = 1200";
        let conn = &mut site.database.connect();
        if width == 1400 {
            assert_value(conn, invoices, "20");
            // An earlier state of the record, and the revert to it.
            go_back_to_open(&window, &site).await;
            window
                .wait()
                .for_element(Locator::LinkText("Revert to here…"))
                .await
                .unwrap()
                .click()
                .await
                .unwrap();
            fill(&window, "textarea[name=reason]", "complaint of member 4").await;
            click(&window, "button.primary").await;
            shows(&window, &["1 change would be made", "1200.00"]).await;
            click(&window, "button.danger").await;
            shows(&window, &["audit.reverted", "complaint of member 4"]).await;
        }
        assert_value(conn, invoices, "21");
        window.close().await.unwrap();
    }
}

/// With the keyboard only.
#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_looked_into_by_keyboard_alone() {
    let site = Site::open().await;
    for width in [1400, 390] {
        let window = site.driver.window(width, true).await;
        site.goto(&window, "timeline").await;
        let press = async |keys: String| press(&window, &keys).await;
        press("?".to_owned()).await;
        window.find(Locator::Css("dialog[open]")).await.unwrap();
        press(char::from(Key::Escape).to_string()).await;
        press("/".to_owned()).await;
        press(format!("actor:user:57{}", char::from(Key::Enter))).await;
        window
            .wait()
            .for_element(Locator::Css(".chip"))
            .await
            .unwrap();
        shows(&window, &["reminder fees taken off"]).await;
        press("j".to_owned()).await;
        press(char::from(Key::Enter).to_string()).await;
        window
            .wait()
            .for_element(Locator::Css("#state"))
            .await
            .unwrap();
        shows(&window, &["Current state", "written off"]).await;
        let script = Locator::Css(".said");
        window.wait().for_element(script).await.unwrap();
        press("[".to_owned()).await;
        let earlier = Locator::XPath("//h2[starts-with(normalize-space(), 'State at')]");
        window.wait().for_element(earlier).await.unwrap();
        let script = Locator::Css(".said");
        window.wait().for_element(script).await.unwrap();
        press("]".to_owned()).await;
        let later = Locator::XPath("//section[@id='state'][contains(., 'written off')]");
        window.wait().for_element(later).await.unwrap();
        window.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_line_completes_what_there_is() {
    let site = Site::open().await;
    let window = site.driver.window(1400, true).await;
    site.goto(&window, "timeline").await;
    fill(&window, "#q", "changed:am").await;
    let option = Locator::Css("#terms option[value='changed:amount']");
    window.wait().for_element(option).await.unwrap();
    window.close().await.unwrap();
}

/// The variable with the folder for the pictures of the guide.
const PICTURES: &str = "THREADLINE_PICTURES";

/// The maximum size of a picture in bytes.
const PICTURE: usize = 60_000;

/// The width and the maximum height of a picture in pixels.
const WIDTH: u32 = 900;
const HEIGHT: u32 = 420;

/// Writes a picture of the page for the guide, if a folder is named. It begins at an element.
async fn picture(window: &Client, name: &str, begins: &str) {
    let size = "scrollTo(0, 0); document.activeElement?.blur();
                return [document.documentElement.scrollHeight, outerHeight - innerHeight]";
    let size = window.execute(size, vec![]).await.unwrap();
    let number = |place: usize| size[place].as_u64().and_then(|n| u32::try_from(n).ok());
    let (page, frame) = (number(0).unwrap(), number(1).unwrap());
    let height = page.min(HEIGHT) + frame;
    window.set_window_size(WIDTH, height).await.unwrap();
    // The bar at the top stays in sight.
    let scroll =
        format!("scrollBy(0, document.querySelector('{begins}').getBoundingClientRect().top - 68)");
    window.execute(&scroll, vec![]).await.unwrap();
    let png = window.screenshot().await.unwrap();
    assert!(png.len() < PICTURE, "{name} has {} bytes", png.len());
    if let Some(folder) = env::var_os(PICTURES) {
        fs::write(PathBuf::from(folder).join(format!("{name}.png")), png).unwrap();
    }
    window.set_window_size(WIDTH, 1_000).await.unwrap();
    window.execute("scrollTo(0, 0)", vec![]).await.unwrap();
}

/// The steps of the guide "An incident in the browser", each with its picture.
#[tokio::test(flavor = "multi_thread")]
async fn the_incident_of_the_guide_is_solved_step_by_step() {
    // Pictures show each time once.
    let site = Site::open_in("UTC").await;
    let window = site.driver.window(WIDTH, true).await;
    site.goto(&window, "").await;
    fill(&window, "form[action=record] [name=key]", "3").await;
    picture(&window, "1-home", "h1").await;
    click(&window, "form[action=record] button").await;
    shows(&window, &["written off", "small-amounts", "user:57"]).await;
    picture(&window, "2-record", ".values").await;
    // The change of the amount, and its transaction.
    click(&window, "a.id[href='transaction?id=40']").await;
    shows(
        &window,
        &["10 changes", "reminder fees taken off", "ticket-4471"],
    )
    .await;
    picture(&window, "3-transaction", ".card:has(.change)").await;
    // What the actor did beside it.
    click(&window, ".who .actor").await;
    shows(&window, &["10 changes in 1 transaction"]).await;
    picture(&window, "4-actor", "h1").await;
    // The other consequences.
    let line = window.find(Locator::Css("#q")).await.unwrap();
    line.clear().await.unwrap();
    let search = "table:invoices became:\"status=written off\"";
    fill(&window, "#q", search).await;
    click(&window, "form.search button").await;
    shows(&window, &["below 20.00, not worth a letter"]).await;
    picture(&window, "5-search", "main").await;
    // The record as it was.
    go_back_to_open(&window, &site).await;
    picture(&window, "6-earlier", "#state").await;
    let revert = Locator::LinkText("Revert to here…");
    let revert = window.wait().for_element(revert).await.unwrap();
    revert.click().await.unwrap();
    fill(&window, "textarea[name=reason]", "complaint of member 4").await;
    click(&window, "button.primary").await;
    shows(&window, &["1 change would be made", "1200.00"]).await;
    picture(&window, "7-preview", "h1").await;
    click(&window, "button.danger").await;
    shows(&window, &["audit.reverted", "complaint of member 4"]).await;
    picture(&window, "8-reverted", ".transactions").await;
    let conn = &mut site.database.connect();
    let invoice = "SELECT status || ' ' || amount FROM invoices WHERE id = 3";
    assert_value(conn, invoice, "open 1200.00");
    window.close().await.unwrap();
}
