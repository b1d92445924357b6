//! Audits the tables of a database as the file declares.

use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text};
use threadline::{ModelStatus, Status, TableSpec};

use crate::confirm::Confirmation;
use crate::database::Database;
use crate::declared::Declared;
use crate::error::Error;
use crate::paste::pasteable;
use crate::read::print::print;

/// The arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditTables {
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    database: Database,
}

impl AuditTables {
    /// Prints the SQL in a form that can be pasted into a migration, and runs it if confirmed.
    pub(crate) fn run(self, declared: &Declared) -> Result<(), Error> {
        let conn = &mut self.database.connect()?;
        let models = &declared.models;
        let status = models.status(conn)?;
        require(&status)?;
        require_distinct(conn, models.specs())?;
        let undecided = models.undecided(conn)?;
        if !undecided.is_empty() {
            return Err(threadline::Error::undecided(undecided).into());
        }
        // `status.models` has one entry for each spec, in the same order.
        let steps: Vec<_> = models
            .specs()
            .iter()
            .zip(&status.models)
            .filter_map(|(spec, table)| Some((spec, reason(&table.status)?)))
            .collect();
        for (spec, reason) in &steps {
            print(&pasteable(&format!(
                "-- {}: {reason}\n{}",
                spec.table,
                spec.audit_call()
            )));
        }
        for table in not_declared(conn, models.specs())? {
            eprintln!(
                "{table} is audited but not in the file; it stays audited until `unaudit {table}`."
            );
        }
        if steps.is_empty() {
            println!("Every table is audited as the file says.");
            return Ok(());
        }
        if self.confirmation.given()? {
            models.install(conn)?;
            match steps.len() {
                1 => println!("1 table is now audited as the file says."),
                tables => println!("{tables} tables are now audited as the file says."),
            }
        }
        Ok(())
    }
}

fn require(status: &Status) -> Result<(), Error> {
    if status.installed_version < Some(status.needed_version) {
        return Err(threadline::Error::schema_missing(status.installed_version).into());
    }
    let missing: Vec<_> = status
        .models
        .iter()
        .filter(|table| table.status == ModelStatus::TableMissing)
        .map(|table| table.table.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Message(format!(
        "the file names tables that do not exist: {}; run the migrations that create them first, or check the names and the search_path",
        missing.join(", ")
    )))
}

/// Refuses one table under two names, because every run would change its policy.
fn require_distinct(conn: &mut PgConnection, specs: &[TableSpec]) -> Result<(), Error> {
    #[derive(QueryableByName)]
    struct Twice {
        #[diesel(sql_type = Text)]
        names: String,
    }
    let names: Vec<_> = specs.iter().map(|spec| spec.table.as_str()).collect();
    let twice: Option<Twice> = diesel::sql_query(
        "SELECT pg_catalog.string_agg(name, ' and ' ORDER BY name) AS names FROM pg_catalog.unnest($1) AS name \
         GROUP BY pg_catalog.to_regclass(name) HAVING count(*) > 1 LIMIT 1",
    )
    .bind::<Array<Text>, _>(names)
    .get_result(conn)
    .optional()?;
    match twice {
        None => Ok(()),
        Some(Twice { names }) => Err(Error::Message(format!(
            "{names} are one table, and the file gives it several policies; a table has one"
        ))),
    }
}

fn reason(status: &ModelStatus) -> Option<&'static str> {
    Some(match status {
        ModelStatus::Current => return None,
        ModelStatus::ColumnsAdded => "its columns changed, and all are recorded",
        ModelStatus::PolicyDiffers => "is audited under another policy",
        ModelStatus::CaptureOutdated => "its columns or its key changed",
        ModelStatus::TriggersAltered => "its triggers are missing, switched off or altered",
        _ => "is not audited",
    })
}

/// Returns the tables that are audited and not declared in the file.
fn not_declared(conn: &mut PgConnection, specs: &[TableSpec]) -> Result<Vec<String>, Error> {
    #[derive(QueryableByName)]
    struct Audited {
        #[diesel(sql_type = Nullable<Text>)]
        name: Option<String>,
    }
    let names: Vec<_> = specs.iter().map(|spec| spec.table.as_str()).collect();
    let found: Vec<Audited> = diesel::sql_query(
        "SELECT t.relation::pg_catalog.regclass::text AS name \
         FROM threadline.audited_tables AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relation \
         WHERE t.unaudited_at IS NULL AND NOT EXISTS ( \
             SELECT FROM pg_catalog.unnest($1) AS name WHERE pg_catalog.to_regclass(name) = t.relation) \
         ORDER BY 1",
    )
    .bind::<Array<Text>, _>(names)
    .load(conn)?;
    Ok(found
        .into_iter()
        .filter_map(|audited| audited.name)
        .collect())
}
