//! A request of somebody who was let in.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use threadline::{Action, AuditContext, AuditExt, Error, record_action};
use tokio::time::timeout;

use crate::access::{Access, Restored, Scoped, Target, put_back};
use crate::explorer::App;
use crate::failure::{ApiFailure, Failure};
use crate::pool::Pool;
use crate::texts;

/// The source of what the explorer writes.
const SOURCE: &str = "explorer";

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the host who this is, and turns away whom it denies.
pub(crate) async fn authorize<P: Pool>(
    State(app): State<App<P>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let access = (app.authorize)(parts.clone()).await;
    if access.is_denied() {
        return match parts.uri.path().starts_with("/api/") {
            true => ApiFailure::from(Failure::Denied).into_response(),
            false => Failure::Denied.into_response(),
        };
    }
    parts.extensions.insert(Arc::new(access));
    next.run(Request::from_parts(parts, body)).await
}

/// What a handler knows of its request.
pub(crate) struct Visit<P> {
    pub(crate) app: App<P>,
    pub(crate) access: Arc<Access>,
    pub(crate) now: DateTime<Utc>,
    /// The parameters of the URL.
    pub(crate) parameters: Parameters,
}

impl<P: Pool> FromRequestParts<App<P>> for Visit<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App<P>) -> Result<Self, Failure> {
        // Without the layer that asks the host, nobody is let in.
        let access = parts.extensions.get::<Arc<Access>>();
        Ok(Self {
            app: app.clone(),
            access: access.ok_or(Failure::Denied)?.clone(),
            now: Utc::now(),
            parameters: Parameters::read(parts.uri.query().unwrap_or_default())?,
        })
    }
}

impl<P: Pool> Visit<P> {
    /// Asks the database, within what this somebody may see.
    pub(crate) async fn read<T, F>(&self, questions: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&mut Scoped<'_, P::Connection>) -> Result<T, Error> + Send + 'static,
    {
        let access = self.access.clone();
        let limit = self.app.options.timeout;
        self.run(move |conn| Scoped::read(conn, &access, limit, questions))
            .await?
            .map_err(Failure::from)
    }

    /// Records that this somebody looked at a record, where the host wants that.
    pub(crate) async fn record_view(&self, table: &str, key: &str) -> Result<(), Failure> {
        if !self.app.options.record_views {
            return Ok(());
        }
        let action = Action::new("audit.viewed")
            .metadata("table", table)
            .metadata("key", key);
        self.record(action).await
    }

    /// Records what this somebody did.
    pub(crate) async fn record(&self, action: Action) -> Result<(), Failure> {
        let context = self.context()?;
        let record = move |conn: &mut P::Connection| {
            conn.audited_transaction::<_, Error, _>(&context, |conn| record_action(conn, action))
        };
        self.run(record).await?.map(|_| ()).map_err(Failure::from)
    }

    /// Under whom the explorer writes.
    pub(crate) fn context(&self) -> Result<AuditContext, Failure> {
        AuditContext::builder(self.access.actor().clone())
            .source(SOURCE)
            .build()
            .map_err(|_| Failure::Denied)
    }

    /// Puts back what was, or shows what that would do.
    pub(crate) async fn put_back(
        &self,
        target: Target,
        reason: String,
        apply: bool,
    ) -> Result<Restored, Failure> {
        let access = self.access.clone();
        let timeout = self.app.options.timeout.as_millis();
        let mut context = AuditContext::builder(access.actor().clone()).source(SOURCE);
        if !apply {
            // By this the changes of the preview are known among all.
            let nanoseconds = self.now.timestamp_nanos_opt().unwrap_or_default();
            context = context.correlation_id(format!("revert-preview-{nanoseconds:x}"));
        }
        let context = context.build().map_err(|_| Failure::Denied)?;
        let restored = self
            .run(move |conn| put_back(conn, &access, &context, &target, &reason, apply, timeout))
            .await?;
        Ok(restored?)
    }

    /// Asks the database, with what was recorded before a column was masked.
    pub(crate) async fn read_unmasked<T, F>(
        &self,
        reason: String,
        questions: F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&mut Scoped<'_, P::Connection>) -> Result<T, Error> + Send + 'static,
    {
        if !self.access.may_unmask() {
            return Err(Failure::Denied);
        }
        let (access, context) = (self.access.clone(), self.context()?);
        let limit = self.app.options.timeout;
        self.run(move |conn| {
            Scoped::read_unmasked(conn, &access, limit, context, reason, questions)
        })
        .await?
        .map_err(Failure::from)
    }

    /// Runs work with a connection when it is its turn.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&mut P::Connection) -> T + Send + 'static,
    {
        let turn = timeout(PATIENCE, self.app.semaphore.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Failure::Busy);
        };
        let work = move |conn: &mut P::Connection| {
            let answer = work(conn);
            // Kept until the work has ended, also when the browser is gone.
            drop(turn);
            answer
        };
        self.app.pool.run(work).await.map_err(|_| Failure::Database)
    }
}

/// The same with a form, whose fields take the place of the URL's parameters.
pub(crate) struct FormVisit<P>(pub(crate) Visit<P>);

impl<P: Pool> FromRequest<App<P>> for FormVisit<P> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App<P>) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let mut visit = Visit::from_request_parts(&mut parts, app).await?;
        let kind = parts.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
        if !kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
            return Err(Failure::Question(texts::NO_FORM.to_owned()));
        }
        let form = String::from_request(Request::from_parts(parts, body), app);
        let form = form
            .await
            .map_err(|_| Failure::Question(texts::NO_FORM.to_owned()))?;
        visit.parameters = Parameters::read(&form)?;
        Ok(Self(visit))
    }
}

impl<P> Visit<P> {
    /// A number that the URL must have.
    pub(crate) fn number(&self, name: &'static str) -> Result<i64, Failure> {
        let number = self.parameters.need(name)?.parse();
        number.map_err(|_| Failure::Question(format!("parameter `{name}` is a number")))
    }
}

/// Names and values of a URL or a form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes them. A NUL is none that the database could hold.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect();
        if pairs
            .iter()
            .any(|(name, value)| name.contains('\0') || value.contains('\0'))
        {
            return Err(Failure::Question(texts::NUL.to_owned()));
        }
        Ok(Self(pairs))
    }

    /// All of them.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter that says something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// The same, without which there is no answer.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, Failure> {
        self.get(name)
            .ok_or_else(|| Failure::Question(format!("parameter `{name}` is missing")))
    }
}

/// The first page without a slash at its end: links on it would not be below it.
pub(crate) fn home_of(OriginalUri(uri): &OriginalUri, prefix: Option<&str>) -> String {
    if let Some(prefix) = prefix {
        return format!("{prefix}/home");
    }
    match uri.path().rsplit('/').next() {
        None | Some("") => "home".to_owned(),
        Some(last) => format!("./{last}/home"),
    }
}
