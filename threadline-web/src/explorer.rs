//! The explorer that a host mounts.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use threadline::Models;

use crate::access::{Access, limited};
use crate::app::{App, Authorize, Options};
use crate::exports::Exports;
use crate::fragment::Fragments;
use crate::pages;
use crate::pool::Pool;

/// The state of an [`Explorer`] without [`authorize`](Explorer::authorize), which cannot be
/// mounted.
#[derive(Debug, Clone, Copy)]
pub struct Unauthorized(());

/// The state of an [`Explorer`] with [`authorize`](Explorer::authorize).
#[derive(Debug, Clone, Copy)]
pub struct Authorized(());

/// The web explorer of the audit.
///
/// ```
/// # use threadline_tests::Database;
/// # let database = Database::new();
/// # let pool = database.pool(1);
/// use axum::Router;
/// use threadline::ActorRef;
/// use threadline_web::{Access, Explorer};
///
/// #[derive(Clone)]
/// struct SignedIn {
///     id: i64,
///     operates: bool,
/// }
///
/// let explorer = Explorer::new(pool).authorize(async |parts| {
///     // Added to the request by the login of the host.
///     match parts.extensions.get::<SignedIn>() {
///         Some(user) if user.operates => match ActorRef::admin(user.id) {
///             Ok(actor) => Access::to_everything(actor).allow_export(),
///             Err(_) => Access::denied(),
///         },
///         _ => Access::denied(),
///     }
/// });
/// let app: Router = Router::new().nest("/audit", explorer.into_router());
/// ```
///
/// An explorer without `authorize` has no router:
///
/// ```compile_fail,E0599
/// # use threadline_tests::Database;
/// # let pool = Database::new().pool(1);
/// let explorer = threadline_web::Explorer::new(pool);
/// let router: axum::Router = explorer.into_router();
/// ```
#[must_use = "an explorer is served by `into_router`"]
pub struct Explorer<P, A = Unauthorized> {
    pool: P,
    export_pool: Option<P>,
    authorize: Option<Authorize>,
    options: Options,
    state: PhantomData<A>,
}

impl<P: Pool> Explorer<P> {
    /// Creates an explorer that reads through a pool. The pool may be the application's, or
    /// one of a role that can only read the audit.
    pub fn new(pool: P) -> Self {
        Self {
            pool,
            export_pool: None,
            authorize: None,
            options: Options {
                timeout: Duration::from_secs(5),
                parallel: 8,
                record_views: false,
                prefix: None,
                models: Arc::new(Models::new(vec![])),
                exports: Exports::new(),
            },
            state: PhantomData,
        }
    }

    /// Sets the function that decides what a request may see. It is called for every request
    /// except those of assets: style sheets, script and icon.
    pub fn authorize<F, W>(self, authorize: F) -> Explorer<P, Authorized>
    where
        F: Fn(Parts) -> W + Send + Sync + 'static,
        W: Future<Output = Access> + Send + 'static,
    {
        Explorer {
            pool: self.pool,
            export_pool: self.export_pool,
            authorize: Some(Arc::new(move |parts| Box::pin(authorize(parts)))),
            options: self.options,
            state: PhantomData,
        }
    }
}

impl<P, A> Explorer<P, A> {
    /// Sets the time after which a query is cancelled; the default is 5 seconds. The error
    /// page explains how to narrow the search.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = limited(timeout);
        self
    }

    /// Sets the number of requests that may query the database at the same time; the default
    /// is 8. Further requests wait up to 3 seconds and then get the status 503.
    pub fn parallel(mut self, requests: usize) -> Self {
        self.options.parallel = requests.max(1);
        self
    }

    /// Records each view of a record as the action `audit.viewed`, with the table and the
    /// key. Exports and reverts are always recorded.
    pub fn record_views(mut self) -> Self {
        self.options.record_views = true;
        self
    }

    /// Compares the database with the application's models on the pages about the audit
    /// itself. Without models, these pages check the database alone.
    pub fn models(mut self, models: Models) -> Self {
        self.options.models = Arc::new(models);
        self
    }

    /// Sets how the explorer exports: the directory of files, limits and times.
    pub fn exports(mut self, exports: Exports) -> Self {
        self.options.exports = exports;
        self
    }

    /// Sets another pool for exports in the background, for instance of a replica. By default
    /// they take connections of the explorer's pool, which should be larger by
    /// [`Exports::parallel`] then.
    pub fn export_pool(mut self, pool: P) -> Self {
        self.export_pool = Some(pool);
        self
    }

    /// Sets the path of the explorer as the browser sees it, such as `/tools/audit`. This is
    /// needed only behind a proxy that changes the last segment of the path of the explorer's
    /// first page.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = Some(prefix.into().trim_end_matches('/').to_owned());
        self
    }
}

impl<P: Pool> Explorer<P, Authorized> {
    /// Returns the router, for [`Router::nest`] or for a server of its own.
    pub fn into_router<S>(self) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        pages::router(self.app())
    }

    /// Adds the explorer to a router below a path, also with a slash at its end: `/audit` and
    /// `/audit/`. [`Router::nest`] leaves the latter to the router.
    ///
    /// ```
    /// # use threadline_tests::Database;
    /// # let pool = Database::new().pool(1);
    /// # async fn who(_: axum::http::request::Parts) -> threadline_web::Access { threadline_web::Access::denied() }
    /// use axum::Router;
    /// use threadline_web::Explorer;
    ///
    /// let explorer = Explorer::new(pool).authorize(who);
    /// let app: Router = explorer.mount(Router::new(), "/audit");
    /// ```
    ///
    /// # Panics
    ///
    /// Panics like [`Router::nest`], for instance if the path does not begin with a slash.
    pub fn mount<S>(self, app: Router<S>, path: &str) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        app.nest_service(path.trim_end_matches('/'), self.into_router::<()>())
    }

    /// Returns the fragments for pages of the host. Their links lead to the explorer below
    /// `prefix`.
    pub fn fragments(&self, prefix: &str) -> Fragments<P> {
        Fragments::new(self.app(), prefix)
    }

    fn app(&self) -> App<P> {
        let Some(authorize) = self.authorize.clone() else {
            unreachable!("only `authorize` makes an authorized explorer")
        };
        let export_pool = self.export_pool.as_ref().unwrap_or(&self.pool).clone();
        let options = self.options.clone();
        App::new(self.pool.clone(), export_pool, authorize, options)
    }
}

impl<P: Pool, S> From<Explorer<P, Authorized>> for Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn from(explorer: Explorer<P, Authorized>) -> Self {
        explorer.into_router()
    }
}

impl<P, A> fmt::Debug for Explorer<P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explorer")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
