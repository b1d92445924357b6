use std::ops::ControlFlow;

use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::row::Row;

use crate::action::AuditAction;
use crate::connection::EachRow;
use crate::error::Error;
use crate::queries::ExportSql;
use crate::record::{AnyJson, AuditChange};

/// A change to be written.
pub(super) struct ExportRow {
    pub(super) change: AuditChange,
    pub(super) actions: Option<Vec<AuditAction>>,
}

/// Passes each row to a writer.
pub(super) struct EachChange<F> {
    pub(super) actions: bool,
    pub(super) write: F,
    /// The error that ended it.
    pub(super) failed: Option<Error>,
}

impl<F> EachRow for EachChange<F>
where
    F: FnMut(ExportRow) -> Result<ControlFlow<()>, Error> + Send,
{
    type Item = ControlFlow<()>;

    fn item<'r, R: Row<'r, Pg>>(&mut self, row: QueryResult<R>) -> ControlFlow<()> {
        let written = export_row(row, self.actions).and_then(&mut self.write);
        written.unwrap_or_else(|error| {
            self.failed = Some(error);
            ControlFlow::Break(())
        })
    }
}

pub(super) fn export_row<'r, R: Row<'r, Pg>>(
    row: QueryResult<R>,
    actions: bool,
) -> Result<ExportRow, Error> {
    let (change, list) =
        <(AuditChange, Option<AnyJson>) as FromSqlRow<ExportSql, Pg>>::build_from_row(&row?)
            .map_err(DieselError::DeserializationError)?;
    let list = list.map(AnyJson::into_inner);
    Ok(ExportRow {
        change,
        actions: actions.then(|| AuditAction::from_json_rows(list)),
    })
}
