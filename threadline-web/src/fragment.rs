//! Fragments for pages of the host.

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use chrono::Utc;
use maud::html;
use threadline::{Filter, RecordKey};

use crate::app::App;
use crate::assets::FRAGMENT_STYLE;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::texts;
use crate::view::changes;
use crate::view::links::{self, Catalogue};
use crate::visit::{Parameters, Visit};

/// HTML fragments of the explorer for pages of the host, returned by
/// [`Explorer::fragments`](crate::Explorer::fragments).
pub struct Fragments<P> {
    app: App<P>,
    prefix: String,
}

/// The error of a fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// The function of `authorize` denied the request.
    #[error("this request may not see the audit")]
    Denied,
    /// The fragment could not be created.
    #[error("{0}")]
    Failed(String),
}

impl From<Failure> for FragmentError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied => Self::Denied,
            failure => Self::Failed(failure.message().1.to_owned()),
        }
    }
}

impl<P> Clone for Fragments<P> {
    fn clone(&self) -> Self {
        Self {
            app: self.app.clone(),
            prefix: self.prefix.clone(),
        }
    }
}

impl<P> fmt::Debug for Fragments<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fragments")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl<P: Pool> Fragments<P> {
    pub(crate) fn new(app: App<P>, prefix: &str) -> Self {
        Self {
            app,
            prefix: prefix.trim_end_matches('/').to_owned(),
        }
    }

    /// Returns the path of the style sheet for fragments. It styles nothing outside of them,
    /// and takes the host's colours from the custom properties `--threadline-text`,
    /// `--threadline-quiet`, `--threadline-line` and `--threadline-accent`.
    pub fn style_path(&self) -> String {
        format!("{}/{}", self.prefix, FRAGMENT_STYLE.path())
    }

    /// Returns the newest changes of a record as HTML: a `section` of the class
    /// `threadline-history` with links to the explorer. It contains only what the [`Access`]
    /// of the request permits.
    ///
    /// [`Access`]: crate::Access
    ///
    /// ```
    /// # use threadline_tests::Database;
    /// # use threadline::ActorRef;
    /// # use threadline_web::{Access, Explorer};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = Database::new();
    /// # threadline_tests::run(&mut database.connect(), "CREATE TABLE invoices (id int PRIMARY KEY);
    /// #     SELECT threadline.audit('invoices'); INSERT INTO invoices VALUES (42)");
    /// # let (parts, ()) = axum::http::Request::new(()).into_parts();
    /// let explorer = Explorer::new(database.pool(1))
    ///     .authorize(async |_| Access::to_everything(ActorRef::anonymous()));
    /// let fragments = explorer.fragments("/audit");
    /// // In a handler, with the parts of its request:
    /// let history = fragments.record(&parts, "invoices", 42, 5).await?;
    /// assert!(history.starts_with("<section class=\"threadline-history\""));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`FragmentError::Denied`] if `authorize` denies the request, and
    /// [`FragmentError::Failed`] if the query fails or the table is not known.
    pub async fn record(
        &self,
        parts: &Parts,
        table: &str,
        key: impl Into<RecordKey>,
        limit: usize,
    ) -> Result<String, FragmentError> {
        let access = (self.app.authorize)(parts.clone()).await;
        if access.is_denied() {
            return Err(FragmentError::Denied);
        }
        let visit = Visit {
            app: self.app.clone(),
            access: Arc::new(access),
            now: Utc::now(),
            parameters: Parameters::default(),
        };
        let key = key.into();
        let filter = Filter::new().table(table).record(key.clone());
        let values = key.into_values();
        let written = match &values[..] {
            [one] if !one.starts_with('[') => one.clone(),
            values => serde_json::Value::from(values).to_string(),
        };
        let limit = limit.clamp(1, 200);
        let (catalogue, page) = visit
            .read(move |audit| {
                let catalogue = Catalogue(audit.tables()?);
                Ok((catalogue, audit.timeline(filter, limit, None)?))
            })
            .await?;
        visit.record_view(table, &written).await?;
        let fragment = html! {
            section.threadline-history aria-label=(texts::HISTORY) {
                @if page.entries.is_empty() { p { (texts::NO_CHANGES) } }
                (changes::list(&page.entries, &[], &catalogue, visit.now))
                p.more { a href=(links::record(table, &written)) { (texts::WHOLE_HISTORY) } }
            }
        };
        // Every link leads to a page of the explorer. Text contains no ` href="`, because
        // quotation marks are escaped in it.
        let links = format!(" href=\"{}/", self.prefix);
        Ok(fragment.into_string().replace(" href=\"", &links))
    }
}
