use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_migrations::MigrationHarness;

use super::installer::LOCK;
use crate::connection::{AuditConnection, BlockingConnection};

/// Any error of a migration, the same type as Diesel's.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the pending migrations of an application at start-up. Several processes may call it
/// at once: one runs a migration, and the others wait and then continue with the rest. With
/// Diesel's own `run_pending_migrations`, all but one fail on an empty database.
///
/// Each migration has its own transaction, as with Diesel, and the lock is held for the
/// same time, so this works behind a transaction pooler too. Only a migration that declares
/// `run_in_transaction = false`, for instance for `CREATE INDEX CONCURRENTLY`, runs without
/// the lock. Run such migrations from one process, because two of them can wait for each
/// other. If one fails and another process has run it meanwhile, this is not an error.
///
/// ```no_run
/// # fn start(conn: &mut diesel::PgConnection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # use diesel_migrations::FileBasedMigrations;
/// let migrations = FileBasedMigrations::find_migrations_directory()?; // or embed_migrations!()
/// threadline::run_pending_migrations(conn, &migrations)?;
/// # Ok(())
/// # }
/// ```
///
/// On a connection of diesel-async it returns a future, which needs no thread of its own.
/// There, migrations must be SQL: one that is written in Rust can call `batch_execute`, but
/// cannot `downcast` its connection.
///
/// # Errors
///
/// Returns an error if the migrations cannot be read or one of them fails. Those before it
/// are in force.
pub fn run_pending_migrations<'c, C, S>(
    conn: &'c mut C,
    migrations: &'c S,
) -> C::Answer<'c, Result<(), AnyError>>
where
    C: Migrates,
    S: MigrationSource<Pg> + Sync,
{
    conn.run_pending(migrations)
}

/// A connection on which migrations can run, of Diesel or of diesel-async.
pub trait Migrates: AuditConnection {
    /// Runs the pending migrations.
    #[doc(hidden)]
    fn run_pending<'c, S>(
        &'c mut self,
        migrations: &'c S,
    ) -> Self::Answer<'c, Result<(), AnyError>>
    where
        S: MigrationSource<Pg> + Sync;
}

impl<C: BlockingConnection + MigrationHarness<Pg>> Migrates for C {
    fn run_pending<'c, S>(&'c mut self, migrations: &'c S) -> Result<(), AnyError>
    where
        S: MigrationSource<Pg> + Sync,
    {
        run_pending(self, migrations)
    }
}

fn run_pending<C, S>(conn: &mut C, migrations: &S) -> Result<(), AnyError>
where
    C: BlockingConnection + MigrationHarness<Pg>,
    S: MigrationSource<Pg>,
{
    while let Next::Alone(migration) = run_those_in_transactions(conn, migrations)? {
        let version = migration.name().version().as_owned();
        if let Err(error) = conn.run_migration(&*migration) {
            if !conn.applied_migrations()?.contains(&version) {
                return Err(error);
            }
        }
    }
    Ok(())
}

enum Next {
    /// A migration that cannot run in a transaction.
    Alone(Box<dyn Migration<Pg>>),
    Nothing,
}

fn run_those_in_transactions<C, S>(conn: &mut C, migrations: &S) -> Result<Next, AnyError>
where
    C: BlockingConnection + MigrationHarness<Pg>,
    S: MigrationSource<Pg>,
{
    loop {
        let next = conn.transaction(|conn| -> Result<Option<Next>, AnyError> {
            conn.batch_execute(LOCK)?;
            let applied = conn.applied_migrations()?;
            let pending = migrations
                .migrations()?
                .into_iter()
                .filter(|migration| !applied.contains(&migration.name().version().as_owned()));
            let next =
                pending.min_by(|one, other| one.name().version().cmp(&other.name().version()));
            let Some(migration) = next else {
                return Ok(Some(Next::Nothing));
            };
            if !migration.metadata().run_in_transaction() {
                return Ok(Some(Next::Alone(migration)));
            }
            conn.run_migration(&*migration)?;
            Ok(None)
        })?;
        if let Some(next) = next {
            return Ok(next);
        }
    }
}
