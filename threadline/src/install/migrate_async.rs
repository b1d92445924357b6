//! Migrations of an application on a connection of diesel-async.

use std::any::Any;

use diesel::QueryableByName;
use diesel::connection::{BoxableConnection, SimpleConnection};
use diesel::migration::{CREATE_MIGRATIONS_TABLE, MigrationSource};
use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sql_types::Text;
use diesel_async::AsyncPgConnection;

use super::installer::LOCK;
use super::run_pending::{AnyError, Migrates};
use crate::connection::AuditConnection;
use crate::connection::asynchronous::{BoxFuture, for_pools};
use crate::run;
use crate::transactions::Open;

/// The SQL of a migration, which can be sent to another thread, unlike the migration
/// itself.
struct Script {
    name: String,
    version: String,
    in_transaction: bool,
    batches: Vec<String>,
}

enum Next {
    Done,
    /// A migration that cannot run in a transaction.
    Alone(Script),
    Nothing,
}

#[derive(Debug, thiserror::Error)]
#[error("migration {name} failed: {error}")]
struct Failed {
    name: String,
    error: DieselError,
}

async fn run_pending<C, S>(conn: &mut C, migrations: &S) -> Result<(), AnyError>
where
    C: AuditConnection,
    S: MigrationSource<Pg> + Sync,
{
    loop {
        let mut open = Open::begin(conn, None).await?;
        let next = run_next(open.conn(), migrations).await;
        match open.end(next).await? {
            Next::Done => {}
            Next::Nothing => return Ok(()),
            Next::Alone(script) => {
                let ran = script.run(conn).await;
                if ran.is_err() && !applied(conn).await?.contains(&script.version) {
                    return Ok(ran?);
                }
            }
        }
    }
}

/// Runs the first pending migration, under the lock and in the open transaction.
async fn run_next<C, S>(conn: &mut C, migrations: &S) -> Result<Next, AnyError>
where
    C: AuditConnection,
    S: MigrationSource<Pg> + Sync,
{
    conn.batch(LOCK).await?;
    conn.batch(CREATE_MIGRATIONS_TABLE).await?;
    let applied = applied(conn).await?;
    match first_pending(migrations, &applied)? {
        None => Ok(Next::Nothing),
        Some(script) if !script.in_transaction => Ok(Next::Alone(script)),
        Some(script) => {
            script.run(conn).await?;
            Ok(Next::Done)
        }
    }
}

async fn applied<C: AuditConnection>(conn: &mut C) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Applied {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let query = diesel::sql_query("SELECT version FROM __diesel_schema_migrations");
    let applied: Vec<Applied> = run::load(conn, query).await?;
    Ok(applied.into_iter().map(|row| row.version).collect())
}

fn first_pending<S>(migrations: &S, applied: &[String]) -> Result<Option<Script>, AnyError>
where
    S: MigrationSource<Pg>,
{
    let pending = migrations
        .migrations()?
        .into_iter()
        .filter(|migration| !applied.contains(&migration.name().version().to_string()));
    let first = pending.min_by(|one, other| one.name().version().cmp(&other.name().version()));
    let Some(migration) = first else {
        return Ok(None);
    };
    let mut batches = Batches::default();
    migration.run(&mut batches)?;
    Ok(Some(Script {
        name: migration.name().to_string(),
        version: migration.name().version().to_string(),
        in_transaction: migration.metadata().run_in_transaction(),
        batches: batches.0,
    }))
}

impl Script {
    async fn run<C: AuditConnection>(&self, conn: &mut C) -> Result<(), Failed> {
        self.apply(conn).await.map_err(|error| Failed {
            name: self.name.clone(),
            error,
        })
    }

    async fn apply<C: AuditConnection>(&self, conn: &mut C) -> QueryResult<()> {
        for batch in &self.batches {
            conn.batch(batch).await?;
        }
        let applied =
            diesel::sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES ($1)")
                .bind::<Text, _>(&self.version);
        conn.count_of(applied).await.map(|_| ())
    }
}

/// Collects the SQL of a migration, because Diesel passes it a synchronous connection.
#[derive(Default)]
struct Batches(Vec<String>);

impl SimpleConnection for Batches {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.0.push(query.to_owned());
        Ok(())
    }
}

impl BoxableConnection<Pg> for Batches {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

macro_rules! migrates {
    ($($connection:ty),+) => {$(
        impl Migrates for $connection {
            fn run_pending<'c, S>(&'c mut self, migrations: &'c S) -> BoxFuture<'c, Result<(), AnyError>>
            where
                S: MigrationSource<Pg> + Sync,
            {
                Box::pin(run_pending(self, migrations))
            }
        }
    )+};
}

migrates!(AsyncPgConnection);
#[cfg(feature = "audited-connection")]
migrates!(crate::AuditedConnection<AsyncPgConnection>);

for_pools!(migrates, AsyncPgConnection);
#[cfg(feature = "audited-connection")]
for_pools!(migrates, crate::AuditedConnection<AsyncPgConnection>);
