//! The cells of a change in a CSV sheet.

use std::borrow::Cow;
use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::action::AuditAction;
use crate::characters::is_invisible;
use crate::error::{Error, ErrorKind};
use crate::record::portable::Portable;
use crate::record::{AuditChange, AuditTransaction};

/// The columns of a change itself, and of its transaction; see `export_csv`.
pub(crate) const CHANGE_COLUMNS: [&str; 10] = [
    "change_id",
    "captured_at",
    "operation",
    "schema",
    "table",
    "key",
    "previous_key",
    "changed_from",
    "changed_to",
    "row_data",
];
pub(crate) const TRANSACTION_COLUMNS: [&str; 13] = [
    "transaction_id",
    "occurred_at",
    "actor_type",
    "actor_id",
    "actor_origin",
    "request_id",
    "correlation_id",
    "job_id",
    "source",
    "remote_ip",
    "metadata",
    "session_user",
    "context_error",
];

/// The further columns of an export with actions: the names, and the complete actions as
/// JSON.
pub(crate) const ACTION_COLUMNS: [&str; 2] = ["action_names", "actions"];

/// Writes cell by cell.
pub(crate) struct Cells<W: Write>(csv::Writer<W>);

impl<W: Write> Cells<W> {
    pub(crate) fn new(out: W) -> Self {
        let writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        Self(writer)
    }

    pub(crate) fn header<'a>(
        &mut self,
        columns: impl IntoIterator<Item = &'a &'a str>,
    ) -> Result<(), Error> {
        self.0.write_record(columns).map_err(refused)
    }

    pub(crate) fn cell(&mut self, text: &str) -> Result<(), Error> {
        self.0.write_field(text).map_err(refused)
    }

    pub(crate) fn empty(&mut self, cells: usize) -> Result<(), Error> {
        (0..cells).try_for_each(|_| self.cell(""))
    }

    /// Writes text of unknown origin.
    pub(crate) fn text(&mut self, text: Option<&str>) -> Result<(), Error> {
        self.cell(&no_formula(text.unwrap_or_default()))
    }

    pub(crate) fn json(&mut self, value: Option<&Value>) -> Result<(), Error> {
        match value {
            Some(value) => {
                let json = serde_json::to_string(&Portable(value)).expect("a value becomes text");
                self.text(Some(&json))
            }
            None => self.cell(""),
        }
    }

    pub(crate) fn instant(&mut self, instant: Option<DateTime<Utc>>) -> Result<(), Error> {
        let text = instant.map(|instant| instant.to_rfc3339_opts(SecondsFormat::Micros, true));
        self.text(text.as_deref())
    }

    pub(crate) fn change(&mut self, change: &AuditChange) -> Result<(), Error> {
        self.cell(&change.id.to_string())?;
        self.instant(Some(change.captured_at))?;
        self.text(Some(change.operation.as_str()))?;
        self.text(change.schema.as_deref())?;
        self.text(change.table.as_deref())?;
        self.json(change.key.as_ref())?;
        self.json(change.previous_key.as_ref())?;
        self.json(change.changed_from.as_ref())?;
        self.json(change.changed_to.as_ref())?;
        self.json(change.row_data.as_ref())?;
        self.transaction(&change.transaction)
    }

    pub(crate) fn transaction(&mut self, transaction: &AuditTransaction) -> Result<(), Error> {
        let actor = transaction.actor.as_ref();
        self.cell(&transaction.id.to_string())?;
        self.instant(transaction.occurred_at)?;
        self.text(actor.map(|actor| actor.actor_type().as_str()))?;
        self.text(actor.and_then(|actor| actor.id()))?;
        self.text(Some(&transaction.origin.to_string()))?;
        self.text(transaction.request_id.as_deref())?;
        self.text(transaction.correlation_id.as_deref())?;
        self.text(transaction.job_id.as_deref())?;
        self.text(transaction.source.as_deref())?;
        self.text(transaction.remote_ip.as_deref())?;
        self.json(transaction.metadata.as_ref())?;
        self.text(transaction.session_user.as_deref())?;
        self.text(transaction.context_error.as_deref())
    }

    pub(crate) fn actions(&mut self, actions: &[AuditAction]) -> Result<(), Error> {
        let names: Vec<&str> = actions.iter().map(|action| action.name.as_str()).collect();
        self.text(Some(&names.join("; ")))?;
        let json = serde_json::to_string(actions).expect("actions become text");
        self.cell(if actions.is_empty() { "" } else { &json })
    }

    pub(crate) fn end_line(&mut self) -> Result<(), Error> {
        self.0.write_record(None::<&[u8]>).map_err(refused)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.0.flush().map_err(write_failed)
    }
}

/// Returns the text in a form that a spreadsheet does not run as a formula. Spreadsheets leave
/// out what is blank or invisible at the beginning, and some take full-width signs for signs.
fn no_formula(text: &str) -> Cow<'_, str> {
    let begins_formula = text.starts_with(['\t', '\r'])
        || text.trim_start_matches(is_invisible).starts_with([
            '=', '+', '-', '@', '＝', '＋', '－', '＠', '﹢', '﹣', '﹦', '﹫', '−',
        ]);
    if begins_formula {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

fn refused(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => write_failed(error),
        other => write_failed(std::io::Error::other(format!("{other:?}"))),
    }
}

pub(crate) fn write_failed(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Export { source })
}
