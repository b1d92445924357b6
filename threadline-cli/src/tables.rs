//! Commands for single tables: ending their audit, and rebuilding their capture.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use threadline::__cli::{known_table, ready};

use crate::confirm::Confirmation;
use crate::database::Database;
use crate::error::Error;
use crate::table_name::table_name;

/// The arguments of `unaudit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Unaudit {
    /// The tables, as in SQL: members, app.members, '"Order"'
    #[arg(required = true, value_parser = table_name)]
    tables: Vec<String>,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    database: Database,
}

impl Unaudit {
    pub(crate) fn run(self) -> Result<(), Error> {
        let conn = &mut self.database.connect()?;
        for table in &self.tables {
            require_audited(conn, table)?;
            println!("{table}: later changes are not recorded; the history stays.");
        }
        if !self.confirmation.given()? {
            return Ok(());
        }
        for table in &self.tables {
            diesel::sql_query("SELECT threadline.unaudit($1::regclass)")
                .bind::<Text, _>(table)
                .execute(conn)?;
            println!("{table} is no longer audited.");
        }
        Ok(())
    }
}

fn require_audited(conn: &mut PgConnection, table: &str) -> Result<(), Error> {
    #[derive(QueryableByName)]
    struct Audited {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        audited: bool,
    }
    ready(known_table(conn, table))?;
    let found: Audited = diesel::sql_query(
        "SELECT threadline.audited_table_of(pg_catalog.to_regclass($1)) IS NOT NULL AS audited",
    )
    .bind::<Text, _>(table)
    .get_result(conn)?;
    if found.audited {
        return Ok(());
    }
    Err(Error::Message(format!("table {table} is not audited")))
}

/// The arguments of `refresh`.
#[derive(Debug, clap::Args)]
pub(crate) struct Refresh {
    /// The tables, as in SQL; by default all, which is needed after a restore
    #[arg(value_parser = table_name)]
    tables: Vec<String>,
    #[command(flatten)]
    database: Database,
}

#[derive(QueryableByName)]
struct Refreshed {
    #[diesel(sql_type = Text)]
    relation: String,
    #[diesel(sql_type = Nullable<Text>)]
    error: Option<String>,
}

impl Refresh {
    pub(crate) fn run(self) -> Result<(), Error> {
        let conn = &mut self.database.connect()?;
        if self.tables.is_empty() {
            return all(conn);
        }
        for table in &self.tables {
            ready(known_table(conn, table))?;
            diesel::sql_query("SELECT threadline.refresh($1::regclass)")
                .bind::<Text, _>(table)
                .execute(conn)?;
            println!("{table}: refreshed");
        }
        Ok(())
    }
}

fn all(conn: &mut PgConnection) -> Result<(), Error> {
    let refreshed: Vec<Refreshed> =
        diesel::sql_query("SELECT * FROM threadline.refresh_all()").load(conn)?;
    let mut failed = 0;
    for Refreshed { relation, error } in refreshed {
        match error {
            None => println!("{relation}: refreshed"),
            Some(error) => {
                failed += 1;
                eprintln!("{relation}: {error}");
            }
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Error::Message(format!(
            "{failed} tables were not refreshed; see above"
        ))),
    }
}
