use std::io::Write;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use super::cells::write_failed;
use super::rows::ExportRow;
use super::{Exported, Sink};
use crate::action::AuditAction;
use crate::error::Error;
use crate::forms::FormatVersion;
use crate::record::AuditChange;

/// An entry of an export: a change, with its actions if requested.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "ExportEntry")
)]
pub(crate) struct Entry<'a> {
    #[serde(flatten)]
    change: &'a AuditChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<&'a [AuditAction]>,
}

impl<'a> Entry<'a> {
    fn of(row: &'a ExportRow) -> Self {
        Self {
            change: &row.change,
            actions: row.actions.as_deref(),
        }
    }
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn write(out: &mut impl Write, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(out, value).map_err(|error| write_failed(error.into()))
}

/// A single JSON document. Totals, which are known only at the end, are its last members.
pub(super) struct Document<W> {
    out: W,
    begun: bool,
}

impl<W: Write> Document<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, begun: false }
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.begun = true;
        write!(
            self.out,
            "{{\"format_version\":{},\"generated_at\":\"{}\",\"changes\":[",
            FormatVersion::NUMBER,
            now()
        )
        .map_err(write_failed)
    }
}

impl<W: Write> Sink for Document<W> {
    fn change(&mut self, row: &ExportRow) -> Result<(), Error> {
        if self.begun {
            self.out.write_all(b",\n").map_err(write_failed)?;
        } else {
            self.begin()?;
            self.out.write_all(b"\n").map_err(write_failed)?;
        }
        write(&mut self.out, &Entry::of(row))
    }

    fn end(&mut self, exported: Exported) -> Result<(), Error> {
        if !self.begun {
            self.begin()?;
        }
        writeln!(
            self.out,
            "\n],\"count\":{},\"truncated\":{}}}",
            exported.changes, exported.truncated
        )
        .and_then(|()| self.out.flush())
        .map_err(write_failed)
    }
}

/// One object per line.
pub(super) struct Lines<W>(W);

/// The last line of an NDJSON export.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "ExportEnd")
)]
pub(crate) struct End {
    end: bool,
    format_version: FormatVersion,
    generated_at: String,
    count: u64,
    truncated: bool,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self(out)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), Error> {
        write(&mut self.0, value)?;
        self.0.write_all(b"\n").map_err(write_failed)
    }
}

impl<W: Write> Sink for Lines<W> {
    fn change(&mut self, row: &ExportRow) -> Result<(), Error> {
        self.line(&Entry::of(row))
    }

    fn end(&mut self, exported: Exported) -> Result<(), Error> {
        self.line(&End {
            end: true,
            format_version: FormatVersion::default(),
            generated_at: now(),
            count: exported.changes,
            truncated: exported.truncated,
        })?;
        self.0.flush().map_err(write_failed)
    }
}
