//! The fixture of the examples in the documentation: a database of their own with an
//! audited table `users`.

use std::ops::{Deref, DerefMut};
use std::path::Path;

pub use diesel::prelude::*;

use diesel::connection::SimpleConnection;

use crate::Server;

/// A connection to a database that is dropped with it.
pub struct Example {
    connection: Option<PgConnection>,
    name: String,
}

/// Creates a database with the audit schema of the crate in `manifest_dir`, and one user,
/// whose key is 42.
pub fn connect(manifest_dir: &str) -> Example {
    let server = Server::shared();
    let name = server.fresh_name("doctest");
    let mut admin = establish(server.url());
    run(&mut admin, &format!("CREATE DATABASE {name}"));
    let mut connection = establish(&server.url_of(&name));
    let migrations = Path::new(manifest_dir).join("../examples/quickstart/migrations");
    let schema = migrations
        .read_dir()
        .expect("the quickstart has migrations")
        .map(|entry| entry.expect("readable").path().join("up.sql"))
        .find(|path| path.to_string_lossy().contains("_threadline_schema_v"))
        .expect("`cargo xtask schema` writes the audit schema for the quickstart");
    let sql = std::fs::read_to_string(&schema).expect("readable");
    run(&mut connection, &sql);
    run(
        &mut connection,
        "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL);
         SELECT threadline.audit('users', mask => ARRAY['email']);
         INSERT INTO users VALUES (42, 'Ada', 'ada@example.com')",
    );
    Example {
        connection: Some(connection),
        name,
    }
}

impl Example {
    /// Returns the URL of the database.
    pub fn database_url(&self) -> String {
        Server::shared().url_of(&self.name)
    }
}

fn establish(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|e| panic!("{url}: {e}"))
}

fn run(connection: &mut PgConnection, sql: &str) {
    connection
        .batch_execute(sql)
        .unwrap_or_else(|e| panic!("{e}"));
}

impl Deref for Example {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("there until the drop")
    }
}

impl DerefMut for Example {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("there until the drop")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.connection.take();
        let mut admin = establish(Server::shared().url());
        run(
            &mut admin,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
    }
}

impl std::fmt::Debug for Example {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Example").field("name", &self.name).finish()
    }
}

/// Declares the table `users` and its model `User`.
#[macro_export]
macro_rules! doctest_schema {
    () => {
        use ::diesel::prelude::*;
        ::diesel::table! {
            users (id) {
                id -> BigInt,
                name -> Text,
                email -> Text,
            }
        }
        #[derive(Debug, Queryable, Selectable, Identifiable, ::threadline::Audited)]
        #[diesel(table_name = users)]
        #[audited(mask(email))]
        struct User {
            id: i64,
            name: String,
            email: String,
        }
    };
}
