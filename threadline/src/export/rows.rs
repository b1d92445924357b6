use diesel::connection::LoadConnection;
use diesel::deserialize::FromSqlRow;
use diesel::pg::{Pg, PgRowByRowLoadingMode};
use diesel::result::Error as DieselError;

use crate::action::AuditAction;
use crate::context::{BlockingConnection, plainly, ready};
use crate::error::{Error, ErrorKind};
use crate::explore::{ExportSql, Filter, Plan};
use crate::install::{SCHEMA_VERSION, installed_version};
use crate::record::{AnyJson, AuditChange};

/// A change to be written.
pub(super) struct ExportRow {
    pub(super) change: AuditChange,
    pub(super) actions: Option<Vec<AuditAction>>,
}

/// The changes, row by row as the server finds them.
pub(super) fn load<'c, C>(
    conn: &'c mut C,
    filter: &Filter,
    limit: Option<usize>,
    actions: bool,
) -> Result<impl Iterator<Item = Result<ExportRow, Error>> + use<'c, C>, Error>
where
    C: BlockingConnection + LoadConnection<PgRowByRowLoadingMode>,
{
    // Asked for first: when the rows come, the connection is taken.
    let installed = ready(installed_version(conn))?;
    if installed < Some(SCHEMA_VERSION) {
        return Err(Error::new(ErrorKind::SchemaMissing { installed }));
    }
    let query = ready(Plan::new(conn, filter))?.export(limit, actions);
    let rows = plainly(|| LoadConnection::<PgRowByRowLoadingMode>::load(conn, query))?;
    Ok(rows.map(move |row| {
        let (change, list) =
            <(AuditChange, Option<AnyJson>) as FromSqlRow<ExportSql, Pg>>::build_from_row(&row?)
                .map_err(DieselError::DeserializationError)?;
        let list = list.map(AnyJson::into_inner);
        Ok(ExportRow {
            change,
            actions: actions.then(|| AuditAction::from_json_rows(list)),
        })
    }))
}
