use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use diesel::result::Error as DieselError;

use super::Recorded;
use super::recording::{actions_where, changes_where, or_panic, read};
#[cfg(feature = "diesel-async")]
use crate::connection::Asynchronous;
use crate::connection::{AuditConnection, BlockingConnection};
use crate::context::{ActorRef, AuditContext};
use crate::statement::Bind;
use crate::transactions::AuditExt;
#[cfg(feature = "diesel-async")]
use crate::transactions::{AsyncAuditExt, TransactionWork};

/// Returns a context for a test. It has the given actor, an [`ActorRef`] or its text such
/// as `"user:42"`, the source `test`, a unique correlation id, and the name of the test
/// (that of its thread) as the metadata `test`.
///
/// To use it for a whole test, run the test body in [`scope`](AuditContext::scope). In an
/// asynchronous test, set the context of its future with
/// [`in_context`](crate::InContextExt::in_context).
///
/// ```
/// use threadline::AuditContext;
/// use threadline::testing::context;
///
/// context("user:42").scope(|| {
///     let context = AuditContext::current().unwrap();
///     assert_eq!(context.source(), Some("test"));
/// });
/// ```
///
/// # Panics
///
/// Panics if the text is not an actor.
#[track_caller]
pub fn context(actor: impl ToString) -> AuditContext {
    let builder = AuditContext::builder(parse(&actor.to_string()))
        .source("test")
        .correlation_id(unique_id());
    let builder = match thread::current().name() {
        Some(test) => builder.metadata("test", test),
        None => builder,
    };
    builder.build().expect("short texts without a NUL")
}

#[track_caller]
pub(super) fn parse(actor: &str) -> ActorRef {
    actor.parse().unwrap_or_else(|error| {
        panic!("`{actor}` is not an actor: {error}; write it as in \"user:42\" or \"anonymous\"")
    })
}

fn unique_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos());
    format!(
        "test-{:x}-{started:x}-{}",
        process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Runs `work` in a transaction under the actor `system:fixtures`, for rows that a test
/// needs. Tables that require an actor accept them. If they are inserted before
/// [`recorded`](fn@super::recorded), the expectations of the test need not name them.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// threadline::testing::fixtures(conn, |conn| {
///     diesel::insert_into(users::table)
///         .values((users::id.eq(7), users::name.eq("Bob"), users::email.eq("bob@example.com")))
///         .execute(conn)
/// })?;
/// # Ok::<(), diesel::result::Error>(())
/// ```
///
/// # Errors
///
/// Returns the error of `work` or of the transaction.
pub fn fixtures<C, T, E>(conn: &mut C, work: impl FnOnce(&mut C) -> Result<T, E>) -> Result<T, E>
where
    C: BlockingConnection,
    E: From<DieselError>,
{
    conn.audited_transaction(&context("system:fixtures"), work)
}

/// Runs `work` on a connection of diesel-async in a transaction under the actor
/// `system:fixtures`. Same as [`fixtures`].
///
/// # Errors
///
/// Returns the error of `work` or of the transaction.
#[cfg(feature = "diesel-async")]
pub fn fixtures_async<'conn, 'a, C, T, E, F>(
    conn: &'conn mut C,
    work: F,
) -> impl Future<Output = Result<T, E>> + Send + 'conn
where
    C: Asynchronous,
    F: TransactionWork<C, T, E> + 'a,
    T: Send + 'a,
    E: From<DieselError> + Send + 'a,
    'a: 'conn,
{
    let context = context("system:fixtures");
    async move { AsyncAuditExt::audited_transaction(conn, &context, work).await }
}

/// Returns everything recorded under the correlation id of a context, through any
/// connection. Use it for code that has a pool, and for a service that a test calls from
/// outside and that accepts the id.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::AuditExt;
/// use threadline::testing::{assert_recorded, context, delete, recorded_under};
///
/// let context = context("user:42");
/// conn.audited_transaction(&context, |conn| diesel::delete(users::table.find(42)).execute(conn))?;
/// assert_recorded!(recorded_under(conn, &context), [delete("users", 42).by("user:42")]);
/// # Ok::<(), diesel::result::Error>(())
/// ```
///
/// # Panics
///
/// Panics if the context has no correlation id, or if the audit cannot be read.
#[track_caller]
pub fn recorded_under<'c, C: AuditConnection>(
    conn: &'c mut C,
    context: &AuditContext,
) -> C::Answer<'c, Recorded> {
    let Some(id) = context.correlation_id() else {
        panic!("the context has no correlation id; make it with `threadline::testing::context`");
    };
    let bind = || [Bind::Text(id.to_owned())];
    let changes = changes_where("opened.correlation_id = {0}", bind());
    let actions = actions_where("a.correlation_id = {0}", bind());
    C::answer(async move { or_panic(read(conn, changes, actions).await) })
}
