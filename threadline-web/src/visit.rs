//! An authorized request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use threadline::{Action, AuditContext, AuditExt, Cursor, Error, record_action};
use tokio::time::timeout;

use crate::access::{Access, Restored, Scoped, Target, put_back};
use crate::app::App;
use crate::failure::{ApiFailure, Failure};
use crate::pool::Pool;
use crate::texts;

/// The source in the context of writes by the explorer.
const SOURCE: &str = "explorer";

/// The time that a request waits for a permit to query the database.
const PATIENCE: Duration = Duration::from_secs(3);

/// Calls the host's function, and refuses denied requests.
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

/// The data of a request that a handler uses.
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
        // Without the authorization layer, every request is denied.
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
    /// Returns the place after which the requested page begins.
    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, Failure> {
        let after = self.parameters.get("after");
        Ok(after.map(str::parse).transpose()?)
    }

    /// Queries the database within the access of the viewer.
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

    /// Records the view of a record, if the host enabled `record_views`.
    pub(crate) async fn record_view(&self, table: &str, key: &str) -> Result<(), Failure> {
        if !self.app.options.record_views {
            return Ok(());
        }
        let action = Action::new("audit.viewed")
            .metadata("table", table)
            .metadata("key", key);
        self.record(action).await
    }

    /// Records an action of the viewer.
    pub(crate) async fn record(&self, action: Action) -> Result<(), Failure> {
        let context = self.context()?;
        let record = move |conn: &mut P::Connection| {
            conn.audited_transaction::<_, Error, _>(&context, |conn| record_action(conn, action))
        };
        self.run(record).await?.map(|_| ()).map_err(Failure::from)
    }

    /// Returns the context for writes by the explorer.
    pub(crate) fn context(&self) -> Result<AuditContext, Failure> {
        AuditContext::builder(self.access.actor().clone())
            .source(SOURCE)
            .build()
            .map_err(|_| Failure::Denied)
    }

    /// Reverts the target, or returns a preview if `apply` is false.
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
            // Identifies the changes of the preview.
            let nanoseconds = self.now.timestamp_nanos_opt().unwrap_or_default();
            context = context.correlation_id(format!("revert-preview-{nanoseconds:x}"));
        }
        let context = context.build().map_err(|_| Failure::Denied)?;
        let restored = self
            .run(move |conn| put_back(conn, &access, &context, &target, &reason, apply, timeout))
            .await?;
        Ok(restored?)
    }

    /// Same as [`read`](Self::read), with values that were recorded before their column was
    /// masked.
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

    /// Runs work with a connection, once a permit is free.
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
            // Held until the work ends, even if the browser disconnects.
            drop(turn);
            answer
        };
        self.app.pool.run(work).await.map_err(|_| Failure::Database)
    }
}

/// Same as [`Visit`] for a form, whose fields replace the parameters of the URL.
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
    /// Returns a required parameter as a number.
    pub(crate) fn number(&self, name: &'static str) -> Result<i64, Failure> {
        let number = self.parameters.need(name)?.parse();
        number.map_err(|_| Failure::Question(format!("parameter `{name}` must be a number")))
    }
}

/// The parameters of a URL or the fields of a form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes parameters. Refuses NUL characters, because the database cannot store them.
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

    /// Returns all names and values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns a parameter, if it is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Returns a required parameter.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, Failure> {
        self.get(name)
            .ok_or_else(|| Failure::Question(format!("parameter `{name}` is missing")))
    }
}

/// Returns the path of the home page, relative to the explorer's path with or without a slash
/// at its end.
pub(crate) fn home_of(OriginalUri(uri): &OriginalUri, prefix: Option<&str>) -> String {
    if let Some(prefix) = prefix {
        return format!("{prefix}/home");
    }
    match uri.path().rsplit('/').next() {
        None | Some("") => "home".to_owned(),
        Some(last) => format!("./{last}/home"),
    }
}
