//! The base of the tests: databases of their own on a real server.
//!
//! Two tiers. [`rolled_back`] is fast, for tests that need only one transaction.
//! [`Database::new`] is a clone of a template, for tests that commit: several
//! transactions, several connections, dumps.

pub mod console;
mod dice;
pub mod models;
mod next_version;
pub mod notes;
mod psql;
pub mod socket;

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel::sql_types::{Nullable, Text, Timestamptz};
use threadline::{AuditContext, AuditExt, Cursor, Filter, Models, Page, TimelineEntry, timeline};
pub use threadline_test_server::{Server, scratch_dir};

pub use crate::dice::{Dice, seeds};
use crate::next_version::next_version;
pub use crate::psql::RepeatingPsql;

/// A database that is dropped at the end of its test.
#[derive(Debug)]
pub struct Database {
    name: String,
    server: Option<Server>,
}

impl Database {
    /// Creates a clone of the template: only the audit schema.
    pub fn new() -> Self {
        Self::clone_of(template())
    }

    /// Creates a clone of the template, runs statements that must succeed, and returns the
    /// database with the connection that ran them.
    #[track_caller]
    pub fn with(sql: &str) -> (Self, PgConnection) {
        let (database, mut conn) = Self::new().connected();
        run(&mut conn, sql);
        (database, conn)
    }

    /// Creates a database without an audit schema.
    pub fn empty() -> Self {
        Self::clone_of("template0")
    }

    /// Creates a database of another encoding than UTF-8, with the audit schema.
    pub fn encoded(encoding: &str) -> Self {
        let database = Self::clone_of(&format!("template0 ENCODING '{encoding}' LOCALE 'C'"));
        install(&mut database.connect());
        database
    }

    /// Creates a database on a server of its own, with the audit schema: for tests that
    /// other databases of a server influence, for example by running transaction ids, or
    /// that would disturb them.
    pub fn alone() -> Self {
        Self::on(Server::start().unwrap_or_else(|e| panic!("{e}")))
    }

    /// The same, with a durable server (fsync on), which may be killed.
    pub fn durable() -> Self {
        Self::on(Server::start_durable().unwrap_or_else(|e| panic!("{e}")))
    }

    fn on(server: Server) -> Self {
        install(&mut connect(server.url()));
        Self {
            name: "postgres".into(),
            server: Some(server),
        }
    }

    /// Returns the server of the database.
    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap_or_else(|| Server::shared())
    }

    /// Returns the database's own server.
    pub fn own_server(&mut self) -> &mut Server {
        self.server.as_mut().expect("a server of its own")
    }

    fn clone_of(template: &str) -> Self {
        let name = Server::shared().fresh_name("test");
        run(
            &mut admin(),
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        );
        Self { name, server: None }
    }

    /// Returns the database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the URL of the database.
    pub fn url(&self) -> String {
        self.server().url_of(&self.name)
    }

    /// Makes every query of the ledger wait until the connection is dropped or rolled back.
    pub fn hold_ledger(&self) -> PgConnection {
        let mut holder = self.connect();
        run(
            &mut holder,
            "BEGIN; LOCK TABLE threadline.ledger_changes IN ACCESS EXCLUSIVE MODE",
        );
        holder
    }

    /// Opens a new connection.
    pub fn connect(&self) -> PgConnection {
        connect(&self.url())
    }

    /// Returns the database with a connection to it.
    pub fn connected(self) -> (Self, PgConnection) {
        let conn = self.connect();
        (self, conn)
    }

    /// Creates a role of a name of its own: roles belong to the whole server.
    pub fn role(&self, name: &str) -> Role<'_> {
        let role = Role {
            name: format!("{}_{name}", self.name),
            database: self,
        };
        run(&mut self.connect(), &format!("CREATE ROLE {role}"));
        role
    }

    /// Creates a [role](Self::role) that may read the audit.
    pub fn reader(&self, name: &str) -> Role<'_> {
        let role = self.role(name);
        run(
            &mut self.connect(),
            &format!(
                "GRANT USAGE ON SCHEMA threadline TO {role};
                 GRANT SELECT ON ALL TABLES IN SCHEMA threadline TO {role}"
            ),
        );
        role
    }

    /// Returns a pool of at most `size` connections.
    pub fn pool(&self, size: u32) -> Pool<ConnectionManager<PgConnection>> {
        Pool::builder()
            .max_size(size)
            .build(ConnectionManager::new(self.url()))
            .expect("the server takes connections")
    }

    /// Returns every row of every table, below the table's name.
    pub fn contents(&self) -> String {
        let conn = &mut self.connect();
        let tables = rows(
            conn,
            "SELECT oid::regclass FROM pg_class
             WHERE relkind IN ('r', 'm') AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')",
        );
        let mut lines = vec![];
        for table in tables {
            let query = format!("SELECT tl_row::text FROM {table} AS tl_row");
            lines.push(table);
            lines.extend(rows(conn, &query));
        }
        lines.join("\n")
    }

    /// Returns the whole database as pg_dump writes it.
    ///
    /// # Panics
    ///
    /// Panics if the test has no `dump` in its name. Those that have it are left out if the
    /// server is newer than pg_dump.
    pub fn dump(&self) -> String {
        self.dump_with(&[])
    }

    /// The same with further options of pg_dump.
    pub fn dump_with(&self, options: &[&str]) -> String {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("main");
        assert!(
            test == "main" || test.contains("dump"),
            "{test} makes a dump; give it a name with `dump`, so that it is left out where pg_dump is older than the server"
        );
        let url = self.url();
        self.server()
            .run("pg_dump", &[&["--dbname", &url], options].concat())
    }

    /// Creates another database, restored from a [dump](Self::dump) of this one.
    pub fn restored(&self) -> Self {
        let restored = Self::empty();
        let file = scratch_dir().join("dump.sql");
        std::fs::write(&file, self.dump()).expect("scratch is writable");
        let url = restored.url();
        let file = file.display().to_string();
        Server::shared().run(
            "psql",
            &["--dbname", &url, "-q", "-v", "ON_ERROR_STOP=1", "-f", &file],
        );
        restored
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.server.is_none() {
            run(
                &mut admin(),
                &format!("DROP DATABASE {} WITH (FORCE)", self.name),
            );
        }
    }
}

/// A role that is dropped at the end of its test.
#[derive(Debug)]
pub struct Role<'a> {
    name: String,
    database: &'a Database,
}

impl Role<'_> {
    /// Lets a session continue as the role.
    pub fn enter(&self, conn: &mut PgConnection) {
        run(conn, &format!("SET SESSION AUTHORIZATION {self}"));
    }
}

impl Display for Role<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        run(
            &mut self.database.connect(),
            &format!("DROP OWNED BY {self} CASCADE; DROP ROLE {self}"),
        );
    }
}

/// Returns a connection to a database with the audit schema, in a transaction that never
/// commits. No other test uses that database meanwhile: two that create a table of one
/// name would wait for each other.
pub fn rolled_back() -> PgConnection {
    let mut conn = (0..)
        .find_map(|number| {
            let name = kept(&format!("threadline_rolled_back_{number}"), template());
            let mut conn = connect(&Server::shared().url_of(&name));
            // Held by the session, so that it ends with the test's connection.
            let free = value(&mut conn, "SELECT pg_try_advisory_lock(88117)");
            (free.as_deref() == Some("true")).then_some(conn)
        })
        .expect("one of so many is free");
    conn.begin_test_transaction().expect("a fresh connection");
    conn
}

/// Returns [`rolled_back`] after statements that must succeed.
#[track_caller]
pub fn rolled_back_with(sql: &str) -> PgConnection {
    let mut conn = rolled_back();
    run(&mut conn, sql);
    conn
}

/// Creates a database with tables and the audit of their models.
#[track_caller]
pub fn installed(tables: &str, models: Models) -> (Database, PgConnection, Models) {
    let (database, mut conn) = Database::with(tables);
    models.install(&mut conn).unwrap();
    (database, conn, models)
}

/// Opens a new connection to any URL.
pub fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|e| panic!("{url}: {e}"))
}

/// Runs statements that must succeed.
#[track_caller]
pub fn run(conn: &mut PgConnection, sql: &str) {
    if let Err(error) = conn.batch_execute(sql) {
        panic!("{error}\nin: {sql}");
    }
}

/// Runs statements that must succeed, in a transaction under a context.
#[track_caller]
pub fn run_under(conn: &mut PgConnection, context: &AuditContext, sql: &str) {
    let done = conn.audited_transaction(context, |conn| conn.batch_execute(sql));
    done.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
}

/// Returns the statements that exchange the names of two columns.
pub fn exchange(table: &str, one: &str, other: &str) -> String {
    let rename = |from: &str, to: &str| format!("ALTER TABLE {table} RENAME {from} TO {to};");
    [
        rename(one, "meanwhile"),
        rename(other, one),
        rename("meanwhile", other),
    ]
    .concat()
}

/// Posts all entries and makes everything on record older by a given time.
pub fn age(conn: &mut PgConnection, by: &str) {
    run(conn, "SELECT threadline.post()");
    run(
        conn,
        &format!(
            "UPDATE threadline.ledger_changes SET captured_at = captured_at - interval '{by}';
             UPDATE threadline.ledger_transactions
             SET occurred_at = occurred_at - interval '{by}', opened_at = opened_at - interval '{by}';
             UPDATE threadline.audit_actions SET occurred_at = occurred_at - interval '{by}';
             UPDATE threadline.audited_tables SET audited_since = audited_since - interval '{by}'"
        ),
    );
}

/// Runs work for each number below `threads * turns`, in so many threads.
pub fn in_threads(threads: i32, turns: i32, work: impl Fn(i32) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || (thread * turns..(thread + 1) * turns).for_each(work));
        }
    });
}

/// Returns the error of a statement that must fail. An open transaction stays usable.
#[track_caller]
pub fn error_of(conn: &mut PgConnection, sql: &str) -> String {
    conn.transaction(|conn| diesel::sql_query(sql).execute(conn))
        .expect_err(sql)
        .to_string()
}

/// Asserts that a statement fails with an error that contains a message.
#[track_caller]
pub fn assert_refused(conn: &mut PgConnection, sql: &str, message: &str) {
    let error = error_of(conn, sql);
    assert_contains(&error, message);
}

/// Asserts that a text contains a part.
#[track_caller]
pub fn assert_contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in:\n{text}");
}

/// Asserts that a text contains each of the parts.
#[track_caller]
pub fn assert_contains_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert_contains(text, part);
    }
}

/// Returns the single value of a query, as text.
#[track_caller]
pub fn value(conn: &mut PgConnection, sql: &str) -> Option<String> {
    #[derive(QueryableByName)]
    struct Value {
        #[diesel(sql_type = Nullable<Text>)]
        value: Option<String>,
    }
    diesel::sql_query(format!("SELECT ({sql})::text AS value"))
        .get_result::<Value>(conn)
        .unwrap_or_else(|error| panic!("{error}\nin: {sql}"))
        .value
}

/// Returns the rows of a query, each as its text.
#[track_caller]
pub fn rows(conn: &mut PgConnection, sql: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        line: String,
    }
    diesel::sql_query(format!("SELECT concat_ws(' | ', VARIADIC (SELECT array_agg(coalesce(value, 'NULL')) FROM json_each_text(row_to_json(q)))) AS line FROM ({sql}) AS q"))
        .load::<Row>(conn)
        .unwrap_or_else(|error| panic!("{error}\nin: {sql}"))
        .into_iter()
        .map(|row| row.line)
        .collect()
}

/// Asserts that a query has one value, which is not null, by its text.
#[track_caller]
pub fn assert_value(conn: &mut PgConnection, sql: &str, expected: &str) {
    assert_eq!(value(conn, sql).as_deref(), Some(expected), "{sql}");
}

/// Asserts that a query has these [`rows`].
#[track_caller]
pub fn assert_rows<const COUNT: usize>(
    conn: &mut PgConnection,
    sql: &str,
    expected: [&str; COUNT],
) {
    assert_eq!(rows(conn, sql), expected, "{sql}");
}

/// Returns the timeline of a filter in pages of a size, newest first.
#[track_caller]
pub fn pages(conn: &mut PgConnection, filter: &Filter, size: usize) -> Vec<Page<TimelineEntry>> {
    pages_of(|next| {
        let query = timeline(filter.clone()).limit(size).after(next);
        query.page(conn).unwrap()
    })
}

/// Returns all pages of a query, given the one after a cursor. Each cursor goes through text, as
/// a client passes it.
#[track_caller]
pub fn pages_of<T>(mut page: impl FnMut(Option<Cursor>) -> Page<T>) -> Vec<Page<T>> {
    let mut pages = vec![page(None)];
    while let Some(next) = &pages[pages.len() - 1].next {
        let next = next.to_string().parse().unwrap();
        pages.push(page(Some(next)));
    }
    pages
}

/// The statements that a connection sends.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<Mutex<Vec<String>>>);

impl Sent {
    /// Returns an instrumentation of the connection that records them.
    pub fn log(&self) -> impl Instrumentation + use<> {
        let Self(sent) = self.clone();
        move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                sent.lock().unwrap().push(query.to_string());
            }
        }
    }

    /// Returns the statements since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Returns the server's clock.
pub fn now(conn: &mut PgConnection) -> DateTime<Utc> {
    diesel::select(diesel::dsl::sql::<Timestamptz>("clock_timestamp()"))
        .get_result(conn)
        .expect("the server has a clock")
}

/// Waits for a condition. Panics if it does not hold after ten minutes.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(600), "never: {what}");
        sleep(Duration::from_millis(1));
    }
}

/// Returns the result of work that has to wait for the ledger, in a session whose
/// `statement_timeout` passes meanwhile and whose transactions are serializable by default.
pub fn through_a_timeout<T: Send>(
    database: &Database,
    work: impl FnOnce(PgConnection) -> T + Send,
) -> T {
    let (holder, observer) = (&mut database.connect(), &mut database.connect());
    run(
        holder,
        "BEGIN; LOCK TABLE threadline.ledger_changes IN ACCESS EXCLUSIVE MODE",
    );
    let mut conn = database.connect();
    run(
        &mut conn,
        "SET statement_timeout = '1s'; SET default_transaction_isolation = 'serializable'",
    );
    std::thread::scope(|threads| {
        let working = threads.spawn(move || work(conn));
        wait_until("the timeout passed, or the work ended", || {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > '2 s'";
            working.is_finished() || value(observer, waiting).as_deref() == Some("1")
        });
        run(holder, "COMMIT");
        working.join().expect("the work does not panic")
    })
}

/// Returns the names of what is in a folder, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.into_string().expect("a name in UTF-8"))
        .collect();
    names.sort();
    names
}

/// Returns every recorded change, oldest first, as one line each.
#[track_caller]
pub fn changes(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT op, table_name, key, changed_from, changed_to, row_data,
                concat_ws(':', actor_type, actor_id) AS actor
         FROM threadline.changes ORDER BY id",
    )
}

fn admin() -> PgConnection {
    connect(Server::shared().url())
}

/// Returns the template: a database with the audit schema.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| kept("threadline_template", "template0"))
}

/// Returns a database with the audit schema, kept between runs under a name that changes
/// with the schema.
fn kept(purpose: &str, source: &str) -> String {
    static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let name = format!("{purpose}_{:016x}", fingerprint());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.contains(&name) {
        make(&name, source);
        known.insert(name.clone());
    }
    name
}

fn make(name: &str, source: &str) {
    let mut admin = admin();
    run(&mut admin, "SELECT pg_advisory_lock(88117)");
    let there = value(
        &mut admin,
        &format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"),
    );
    if there.as_deref() == Some("0") {
        run(
            &mut admin,
            &format!("CREATE DATABASE {name}_new TEMPLATE {source}"),
        );
        install(&mut connect(
            &Server::shared().url_of(&format!("{name}_new")),
        ));
        run(
            &mut admin,
            &format!("ALTER DATABASE {name}_new RENAME TO {name}"),
        );
    }
    run(&mut admin, "SELECT pg_advisory_unlock(88117)");
}

fn install(conn: &mut PgConnection) {
    Models::new(vec![])
        .install(conn)
        .expect("the schema installs");
}

fn fingerprint() -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    schema_migration(0, NEWEST).up.hash(&mut hasher);
    hasher.finish()
}

/// The newest version of the audit schema.
pub const NEWEST: i32 = threadline::__schema::NEWEST;

/// The version after it, which the tests of upgrades make up.
pub const NEXT: i32 = NEWEST + 1;

/// A migration of the audit schema.
#[derive(Debug)]
pub struct SchemaMigration {
    /// `up.sql`.
    pub up: String,
    /// `down.sql`.
    pub down: String,
}

/// Returns the migration from one version of the audit schema to another, up to [`NEXT`], as
/// `generate` writes it; version 0 is none.
pub fn schema_migration(from: i32, to: i32) -> SchemaMigration {
    let name = format!("test{from}to{to}");
    let (up, down) = threadline::__schema::migration(next_version(), from, to, &name);
    SchemaMigration { up, down }
}
