use std::fmt;

use diesel::result::QueryResult;
use diesel::sql_types::Text;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::connection::AuditConnection;
use crate::error::Error;
use crate::install::{Schema, VERSIONS, Way};
use crate::sql::Literal;
use crate::transactions::Open;
use crate::version::SCHEMA_VERSION;

const PREPARE: &str = include_str!("protect_prepare.sql");
const COMPARE: &str = include_str!("protect_compare.sql");
const PROTECT: &str = include_str!("protect.sql");

/// Returns the steps, for one transaction. To compare the database with what this crate
/// installs, they install the schema once more under another name, which is rolled back.
fn steps() -> String {
    let whole = Way {
        from: 0,
        to: SCHEMA_VERSION,
    };
    let shipped = Schema(VERSIONS)
        .up(whole, None)
        .replace("threadline", "threadline_shipped");
    format!(
        "{PREPARE}\nSAVEPOINT threadline_shipped;\n{shipped}\n{COMPARE}\nROLLBACK TO SAVEPOINT threadline_shipped;\nRELEASE SAVEPOINT threadline_shipped;\n\n{PROTECT}"
    )
}

/// Gives the audit its own owner, so that the application cannot change recorded data.
///
/// An administrator applies it once after the audit schema is installed, and again after
/// each of its upgrades. Repeating it is safe. Formatted with `{}`, it is the SQL script,
/// which an administrator can read and run without Rust. [The
/// guide](crate::docs::owner_and_readers) describes what this guarantees and what it does
/// not.
///
/// ```
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// # diesel::sql_query("DROP ROLE IF EXISTS example_app").execute(conn)?;
/// # diesel::sql_query("CREATE ROLE example_app").execute(conn)?;
/// use threadline::Protection;
///
/// Protection::of_owner("example_audit")
///     .application("example_app")
///     .reader("example_auditor")
///     .apply(conn)?;
/// # let drop = "DROP OWNED BY example_app, example_auditor, example_audit CASCADE";
/// # diesel::sql_query(drop).execute(conn)?;
/// # diesel::sql_query("DROP ROLE example_app, example_auditor, example_audit").execute(conn)?;
/// # Ok::<(), threadline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[must_use = "nothing is protected before `apply`"]
pub struct Protection {
    owner: String,
    #[serde(default)]
    applications: Vec<String>,
    #[serde(default)]
    readers: Vec<String>,
    #[serde(default)]
    suspenders: Vec<String>,
    #[serde(default)]
    purgers: Vec<String>,
    #[serde(default)]
    holders: Vec<String>,
    #[serde(default)]
    erasers: Vec<String>,
}

impl Protection {
    /// Sets the owner. The role is created if it does not exist. Nobody should be able to
    /// log in as this role.
    pub fn of_owner(role: impl Into<String>) -> Self {
        Self {
            owner: role.into(),
            applications: vec![],
            readers: vec![],
            suspenders: vec![],
            purgers: vec![],
            holders: vec![],
            erasers: vec![],
        }
    }

    /// Adds a role of the application. It may record actions, and decide how the tables
    /// that it owns are audited.
    pub fn application(mut self, role: impl Into<String>) -> Self {
        self.applications.push(role.into());
        self
    }

    /// Adds a role that may read everything that is recorded. The role is created if it
    /// does not exist.
    pub fn reader(mut self, role: impl Into<String>) -> Self {
        self.readers.push(role.into());
        self
    }

    /// Adds a role that may [`suspend`](crate::suspend) capture.
    pub fn suspender(mut self, role: impl Into<String>) -> Self {
        self.suspenders.push(role.into());
        self
    }

    /// Adds a role that may [`purge`](crate::purge) changes beyond their retention. It can
    /// remove nothing else, nothing that is under a [`Hold`](crate::Hold), and may read the
    /// audit.
    pub fn purger(mut self, role: impl Into<String>) -> Self {
        self.purgers.push(role.into());
        self
    }

    /// Adds a role that may place and release a [`Hold`](crate::Hold). It may read the audit.
    pub fn holder(mut self, role: impl Into<String>) -> Self {
        self.holders.push(role.into());
        self
    }

    /// Adds a role that may make recorded values of a person unreadable with an
    /// [`Erasure`](crate::Erasure): the personal columns of the policies and any other
    /// column that it names. It may read the audit.
    pub fn eraser(mut self, role: impl Into<String>) -> Self {
        self.erasers.push(role.into());
        self
    }

    /// Applies it, in its own transaction.
    ///
    /// # Errors
    ///
    /// Returns an error if a role could undo it, because it is a superuser, may create
    /// roles or can become a role that may; if a role is missing; if the schema contains
    /// objects that this crate does not install, or that were altered; or if the caller is
    /// not an administrator. Nothing is changed then.
    pub fn apply<'c, C: AuditConnection>(
        &self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<(), Error>> {
        let request = self.request();
        C::answer(async move {
            let mut open = Open::begin(conn, None).await?;
            let applied = apply(open.conn(), request).await;
            Ok(open.end(applied).await?)
        })
    }

    fn request(&self) -> String {
        let Self {
            owner,
            applications,
            readers,
            suspenders,
            purgers,
            holders,
            erasers,
        } = self;
        json!({
            "version": SCHEMA_VERSION,
            "owner": owner,
            "applications": applications,
            "readers": readers,
            "suspenders": suspenders,
            "purgers": purgers,
            "holders": holders,
            "erasers": erasers,
        })
        .to_string()
    }
}

/// Runs the same script.
async fn apply<C: AuditConnection>(conn: &mut C, request: String) -> QueryResult<()> {
    let setting = diesel::sql_query("SELECT pg_catalog.set_config('threadline.protect', $1, true)")
        .bind::<Text, _>(request);
    conn.count_of(setting).await?;
    conn.batch(&steps()).await
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "BEGIN;\nSELECT pg_catalog.set_config('threadline.protect', {}, true);\n\n{}\nCOMMIT;",
            Literal(&self.request()),
            steps()
        )
    }
}
