use std::borrow::Cow;
use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::rows::ExportRow;
use super::{Exported, Sink};
use crate::action::AuditAction;
use crate::error::{Error, ErrorKind};
use crate::record::portable::Portable;

/// The columns; see `export_csv`.
const COLUMNS: [&str; 23] = [
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
const ACTION_COLUMNS: [&str; 2] = ["action_names", "actions"];

pub(super) struct Sheet<W: Write> {
    writer: csv::Writer<W>,
    actions: bool,
    begun: bool,
}

impl<W: Write> Sheet<W> {
    pub(super) fn new(out: W, actions: bool) -> Self {
        let writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        Self {
            writer,
            actions,
            begun: false,
        }
    }

    /// Writes the header, unless it is written already.
    fn begin(&mut self) -> Result<(), Error> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let columns = COLUMNS.iter();
        let header = if self.actions {
            self.writer.write_record(columns.chain(&ACTION_COLUMNS))
        } else {
            self.writer.write_record(columns)
        };
        header.map_err(refused)
    }

    fn cell(&mut self, text: &str) -> Result<(), Error> {
        self.writer.write_field(text).map_err(refused)
    }

    /// Writes text of unknown origin.
    fn text(&mut self, text: Option<&str>) -> Result<(), Error> {
        self.cell(&no_formula(text.unwrap_or_default()))
    }

    fn json(&mut self, value: Option<&Value>) -> Result<(), Error> {
        match value {
            Some(value) => {
                let json = serde_json::to_string(&Portable(value)).expect("a value becomes text");
                self.text(Some(&json))
            }
            None => self.cell(""),
        }
    }

    fn instant(&mut self, instant: Option<DateTime<Utc>>) -> Result<(), Error> {
        let text = instant.map(|instant| instant.to_rfc3339_opts(SecondsFormat::Micros, true));
        self.text(text.as_deref())
    }
}

impl<W: Write> Sink for Sheet<W> {
    fn change(&mut self, row: &ExportRow) -> Result<(), Error> {
        self.begin()?;
        let change = &row.change;
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

        let transaction = &change.transaction;
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
        self.text(transaction.context_error.as_deref())?;

        if self.actions {
            let actions: &[AuditAction] = row.actions.as_deref().unwrap_or_default();
            let names: Vec<&str> = actions.iter().map(|action| action.name.as_str()).collect();
            self.text(Some(&names.join("; ")))?;
            let json = serde_json::to_string(actions).expect("actions become text");
            self.cell(if actions.is_empty() { "" } else { &json })?;
        }
        // Ends the line.
        self.writer.write_record(None::<&[u8]>).map_err(refused)
    }

    fn end(&mut self, _: Exported) -> Result<(), Error> {
        self.begin()?;
        self.writer.flush().map_err(write_failed)
    }
}

/// Returns the text in a form that a spreadsheet does not run as a formula.
fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
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
