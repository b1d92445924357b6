//! The layout of every page.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::access::Access;
use crate::assets::{ICON, SCRIPT, STYLE};
use crate::texts;

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    active: &'static str,
    line: String,
    viewer: Option<Viewer>,
    body: Markup,
}

#[derive(Debug)]
struct Viewer {
    name: String,
    operates: bool,
}

impl Page {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            active: "",
            line: String::new(),
            viewer: None,
            body: html! {},
        }
    }

    /// Sets the viewer.
    pub(crate) fn viewer(mut self, access: &Access) -> Self {
        self.viewer = Some(Viewer {
            name: access.actor().to_string(),
            operates: access.may_operate(),
        });
        self
    }

    /// Sets the current page of the navigation.
    pub(crate) fn active(mut self, page: &'static str) -> Self {
        self.active = page;
        self
    }

    /// Sets the text of the search line.
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.line = line.into();
        self
    }

    pub(crate) fn body(mut self, body: Markup) -> Self {
        self.body = body;
        self
    }

    fn navigation(&self, operates: bool) -> Markup {
        let pages = [
            ("home", texts::HOME, true),
            ("timeline", texts::TIMELINE, true),
            ("actions", texts::ACTIONS, operates),
            ("tables", texts::TABLES, true),
        ];
        html! {
            nav.pages aria-label=(texts::PRODUCT) {
                @for (page, text, _) in pages.into_iter().filter(|(_, _, shown)| *shown) {
                    a href=(page) aria-current=[(page == self.active).then_some("page")] { (text) }
                }
            }
        }
    }

    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="robots" content="noindex, nofollow";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · " (texts::PRODUCT) }
                    link rel="stylesheet" href=(STYLE.path());
                    link rel="icon" type="image/svg+xml" href=(ICON.path());
                    script src=(SCRIPT.path()) data-texts=(texts::of_script()) defer {}
                }
                body {
                    a.skip href="#content" { (texts::SKIP) }
                    header.top {
                        a.brand href="home" { img src=(ICON.path()) alt="" width="22" height="22"; (texts::PRODUCT) }
                        (self.navigation(self.viewer.as_ref().is_some_and(|v| v.operates)))
                        form.search action="timeline" method="get" role="search" {
                            label.hidden for="q" { (texts::SEARCH_LABEL) }
                            input #q name="q" type="search" value=(self.line) placeholder=(texts::SEARCH_EXAMPLE)
                                autocomplete="off" autocapitalize="none" spellcheck="false" dir="auto";
                            button type="submit" { (texts::SEARCH) }
                        }
                    }
                    main #content tabindex="-1" { (self.body) }
                    @if let Some(viewer) = &self.viewer {
                        footer.bottom {
                            (texts::VIEWER) " " bdi { (viewer.name) } " · "
                            span.zone { (texts::TIMES_ARE_UTC) }
                        }
                    }
                }
            }
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        Html(self.markup().into_string()).into_response()
    }
}
