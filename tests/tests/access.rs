//! Rights on the audit, if it has an owner of its own.

#[path = "access/application.rs"]
mod application;
#[path = "access/attacks.rs"]
mod attacks;
#[path = "access/becoming.rs"]
mod becoming;
#[path = "access/code.rs"]
mod code;
#[path = "access/erasing.rs"]
mod erasing;
#[path = "access/forging.rs"]
mod forging;
#[path = "access/hashes.rs"]
mod hashes;
#[path = "access/planted.rs"]
mod planted;
#[path = "access/policies.rs"]
mod policies;
#[path = "access/protection.rs"]
mod protection;
#[path = "access/purging.rs"]
mod purging;
#[path = "access/reading.rs"]
mod reading;
#[path = "access/session_suspension.rs"]
mod session_suspension;
#[path = "access/suspension.rs"]
mod suspension;
#[path = "access/watching.rs"]
mod watching;
#[path = "access/ways.rs"]
mod ways;

use diesel::prelude::*;
use threadline::Protection;
use threadline_tests::{Database, run};

/// An audited table of the application.
const ITEMS: &str =
    "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items')";

/// A database with an owner of the audit, an application that owns its tables and an
/// auditor. Roles belong to the whole server, so they are named by database.
struct Protected {
    database: Database,
    admin: PgConnection,
}

impl Protected {
    fn new() -> Self {
        let database = Database::new();
        let mut protected = Self {
            admin: database.connect(),
            database,
        };
        let [app, other] = ["app", "other"].map(|name| protected.role(name));
        run(
            &mut protected.admin,
            &format!(
                "CREATE ROLE {app}; CREATE ROLE {other};
                 GRANT CREATE, USAGE ON SCHEMA public TO {app}, {other};
                 GRANT CREATE, TEMPORARY ON DATABASE {} TO {app}, {other};",
                protected.database.name()
            ),
        );
        protected.protect();
        protected
    }

    /// Creates a database in which the application has run statements, and returns its
    /// session, too. It ends first: its roles are dropped with the database.
    #[track_caller]
    fn with(sql: &str) -> (PgConnection, Self) {
        let protected = Self::new();
        let mut app = protected.session("app");
        run(&mut app, sql);
        (app, protected)
    }

    /// The same, with an audited table of items already there.
    #[track_caller]
    fn with_items(sql: &str) -> (PgConnection, Self) {
        let (mut app, protected) = Self::with(ITEMS);
        run(&mut app, sql);
        (app, protected)
    }

    fn protection(&self) -> Protection {
        Protection::of_owner(self.role("owner"))
            .application(self.role("app"))
            .reader(self.role("auditor"))
    }

    fn protect(&mut self) {
        self.protection().apply(&mut self.admin).unwrap();
    }

    /// Returns why the audit cannot be protected.
    fn refusal(&mut self) -> String {
        self.protection()
            .apply(&mut self.admin)
            .unwrap_err()
            .to_string()
    }

    fn role(&self, name: &str) -> String {
        format!("{}_{name}", self.database.name())
    }

    /// Opens a session of a role.
    fn session(&self, role: &str) -> PgConnection {
        let mut conn = self.database.connect();
        run(
            &mut conn,
            &format!("SET SESSION AUTHORIZATION {}", self.role(role)),
        );
        conn
    }

    /// Opens a session of the application, with an audited table of its own.
    fn application(&self) -> PgConnection {
        let mut conn = self.session("app");
        run(&mut conn, ITEMS);
        conn
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        let roles = ["owner", "app", "other", "auditor"].map(|name| self.role(name));
        for role in roles {
            let _ =
                diesel::sql_query(format!("DROP OWNED BY {role} CASCADE")).execute(&mut self.admin);
            let _ = diesel::sql_query(format!("DROP ROLE {role}")).execute(&mut self.admin);
        }
    }
}

/// Returns the error of a statement that must not succeed.
#[track_caller]
fn refused(conn: &mut PgConnection, sql: &str) -> String {
    use diesel::connection::SimpleConnection;
    match conn.batch_execute(&format!("BEGIN; {sql}; COMMIT")) {
        Ok(()) => panic!("went through: {sql}"),
        Err(error) => {
            conn.batch_execute("ROLLBACK").unwrap();
            error.to_string()
        }
    }
}

/// The same, for a missing right and nothing else.
#[track_caller]
fn forbidden(conn: &mut PgConnection, sql: &str) {
    let error = refused(conn, sql);
    assert!(
        error.contains("permission denied") || error.contains("must be owner"),
        "{sql}: {error}"
    );
}
