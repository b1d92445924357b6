//! The forms of a [`SubjectExport`](super::SubjectExport): NDJSON or CSV.

use std::io::Write;

use serde::Serialize;

use super::subject_line::SubjectLine;
use crate::action::AuditAction;
use crate::error::Error;
use crate::export::cells::{ACTION_COLUMNS, CHANGE_COLUMNS, Cells, TRANSACTION_COLUMNS};
use crate::export::write_failed;

pub(super) enum Form<W: Write> {
    Ndjson(W),
    Csv(Box<Cells<W>>),
}

impl<W: Write> Form<W> {
    pub(super) fn ndjson(out: W) -> Self {
        Self::Ndjson(out)
    }

    pub(super) fn csv(out: W) -> Result<Self, Error> {
        let mut cells = Cells::new(out);
        let columns = ["kind"].into_iter().chain(CHANGE_COLUMNS);
        let columns = columns.chain(TRANSACTION_COLUMNS).chain(ACTION_COLUMNS);
        let columns: Vec<&str> = columns.chain(["record"]).collect();
        cells.header(&columns)?;
        Ok(Self::Csv(Box::new(cells)))
    }

    pub(super) fn write(&mut self, line: &SubjectLine) -> Result<(), Error> {
        match self {
            Self::Ndjson(out) => {
                serde_json::to_writer(&mut *out, line)
                    .map_err(|error| write_failed(error.into()))?;
                out.write_all(b"\n").map_err(write_failed)
            }
            Self::Csv(cells) => row(cells, line),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Ndjson(out) => out.flush().map_err(write_failed),
            Self::Csv(cells) => cells.flush(),
        }
    }
}

fn row<W: Write>(cells: &mut Cells<W>, line: &SubjectLine) -> Result<(), Error> {
    match line {
        SubjectLine::Change(change) => {
            cells.cell("change")?;
            cells.change(change)?;
            cells.empty(ACTION_COLUMNS.len() + 1)?;
        }
        SubjectLine::Transaction(transaction) => {
            cells.cell("transaction")?;
            cells.empty(CHANGE_COLUMNS.len())?;
            cells.transaction(transaction)?;
            cells.empty(ACTION_COLUMNS.len() + 1)?;
        }
        SubjectLine::Action(action) => {
            cells.cell("action")?;
            cells.empty(CHANGE_COLUMNS.len())?;
            context_of(cells, action)?;
            cells.actions(std::slice::from_ref(action))?;
            cells.empty(1)?;
        }
        SubjectLine::Hold(held) => document(cells, "hold", held)?,
        SubjectLine::Erasure(erased) => document(cells, "erasure", erased)?,
        SubjectLine::End(end) => document(cells, "end", end)?,
    }
    cells.end_line()
}

/// Writes the columns of a transaction, as far as an action has them.
fn context_of<W: Write>(cells: &mut Cells<W>, action: &AuditAction) -> Result<(), Error> {
    match action.transaction_id {
        Some(id) => cells.cell(&id.to_string())?,
        None => cells.empty(1)?,
    }
    cells.instant(Some(action.occurred_at))?;
    cells.text(Some(action.actor.actor_type().as_str()))?;
    cells.text(action.actor.id())?;
    cells.empty(1)?;
    cells.text(action.request_id.as_deref())?;
    cells.text(action.correlation_id.as_deref())?;
    cells.text(action.job_id.as_deref())?;
    cells.text(action.source.as_deref())?;
    cells.text(action.remote_ip.as_deref())?;
    cells.json(action.metadata.as_ref())?;
    cells.empty(2)
}

/// Writes a record that has none of the columns, as JSON in the last one.
fn document<W: Write>(
    cells: &mut Cells<W>,
    kind: &str,
    record: &impl Serialize,
) -> Result<(), Error> {
    cells.cell(kind)?;
    cells.empty(CHANGE_COLUMNS.len() + TRANSACTION_COLUMNS.len() + ACTION_COLUMNS.len())?;
    let json = serde_json::to_string(record).map_err(|error| write_failed(error.into()))?;
    cells.cell(&json)
}
