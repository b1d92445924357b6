use std::fmt;

use diesel::result::QueryResult;
use diesel::sql_types::Text;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::{AuditConnection, Open};
use crate::error::Error;
use crate::install::{SCHEMA_VERSION, Schema, VERSIONS, Way};
use crate::sql::Literal;

const PREPARE: &str = include_str!("protect_prepare.sql");
const COMPARE: &str = include_str!("protect_compare.sql");
const PROTECT: &str = include_str!("protect.sql");

/// The steps, for one transaction. What is in the database is compared with what this
/// crate installs, by installing that once more under another name, which is rolled back.
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

/// Gives the audit an owner of its own, so that the application cannot change
/// what is recorded about it.
///
/// For an administrator to apply, once after the audit schema is installed and
/// again after each of its upgrades; doing it again is safe. Written with `{}` it
/// is the SQL script that an administrator can read and run without Rust.
/// [The guide](crate::docs::owner_and_readers) says what is promised then, and
/// what is not.
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
    erasers: Vec<String>,
}

impl Protection {
    /// By this role, which is created if there is none. Nobody should be able
    /// to log in as it.
    pub fn of_owner(role: impl Into<String>) -> Self {
        Self {
            owner: role.into(),
            applications: vec![],
            readers: vec![],
            suspenders: vec![],
            purgers: vec![],
            erasers: vec![],
        }
    }

    /// A role of the application: it records actions, and decides how the tables
    /// that it owns are audited.
    pub fn application(mut self, role: impl Into<String>) -> Self {
        self.applications.push(role.into());
        self
    }

    /// A role that may read everything that is recorded; created if there is
    /// none.
    pub fn reader(mut self, role: impl Into<String>) -> Self {
        self.readers.push(role.into());
        self
    }

    /// A role that may [`suspend`](crate::suspend) capture.
    pub fn suspender(mut self, role: impl Into<String>) -> Self {
        self.suspenders.push(role.into());
        self
    }

    /// A role that may [`purge`](crate::purge) what is older than the policies keep it, and
    /// place and release a [`Hold`](crate::Hold). It removes nothing else, and reads what
    /// is recorded.
    pub fn purger(mut self, role: impl Into<String>) -> Self {
        self.purgers.push(role.into());
        self
    }

    /// A role that may make what is recorded of a person unreadable with an
    /// [`Erasure`](crate::Erasure), what the policies call personal and any other column that
    /// it names. It reads what is recorded.
    pub fn eraser(mut self, role: impl Into<String>) -> Self {
        self.erasers.push(role.into());
        self
    }

    /// Puts it into force, in a transaction of its own.
    ///
    /// # Errors
    ///
    /// A role that would be able to undo it, because it is a superuser, may
    /// create roles or can become a role that does; one that is missing; objects in
    /// the schema that this crate does not install, or that are not as it installs
    /// them; or the caller is no administrator. Then nothing is changed.
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
            erasers,
        } = self;
        json!({
            "version": SCHEMA_VERSION,
            "owner": owner,
            "applications": applications,
            "readers": readers,
            "suspenders": suspenders,
            "purgers": purgers,
            "erasers": erasers,
        })
        .to_string()
    }
}

/// The script that does the same.
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
