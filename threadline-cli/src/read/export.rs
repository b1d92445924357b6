use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use diesel::PgConnection;
use indicatif::{ProgressBar, ProgressStyle};

use super::print::other_actions;
use crate::error;
use crate::terminal::{counted, data};
use threadline::{Error, Export, ExportFormat, Filter, timeline};

/// The format and the destination of an export.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArguments {
    /// The file, which appears when it is complete; by default standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// The format; by default from the extension of the file, or CSV
    #[arg(long, short)]
    format: Option<Format>,
    /// At most this many changes, the newest; by default all
    #[arg(long)]
    limit: Option<usize>,
    /// Include the actions of each change's transaction
    #[arg(long)]
    actions: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Json,
    Ndjson,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Json => Self::Json,
            Format::Ndjson => Self::Ndjson,
        }
    }
}

impl ExportArguments {
    pub(super) fn run(
        self,
        conn: &mut PgConnection,
        filter: Filter,
        format: ExportFormat,
    ) -> Result<ExitCode, Error> {
        let bar = progress_bar();
        let others = timeline(filter.clone()).count_other_actions(conn)?;
        let mut export = Export::new(filter).progress(|changes| bar.set_position(changes));
        if let Some(limit) = self.limit {
            export = export.limit(limit);
        }
        if self.actions {
            export = export.with_actions();
        }
        let exported = match &self.output {
            Some(path) => export.write_file(conn, format, path),
            None => export.write(conn, format, data()),
        };
        bar.finish_and_clear();
        let exported = exported?;
        if let Some(path) = &self.output {
            let changes = counted(exported.changes, "change");
            eprintln!("{changes} in {}", path.display());
        }
        if exported.truncated {
            eprintln!(
                "warning: stopped at the limit of {} changes; there are more",
                exported.changes
            );
        }
        other_actions(others);
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the format that is given or that the name of the file says.
    pub(super) fn format(&self) -> Result<ExportFormat, error::Error> {
        if let Some(format) = self.format {
            return Ok(format.into());
        }
        let extension = self.output.as_ref().and_then(|path| path.extension());
        let extension = extension.map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("csv") | None => Ok(ExportFormat::Csv),
            Some("json") => Ok(ExportFormat::Json),
            Some("ndjson" | "jsonl") => Ok(ExportFormat::Ndjson),
            Some(other) => Err(error::Error::Message(format!(
                "no format has the extension .{other}; name the file .csv, .json or .ndjson, or give --format"
            ))),
        }
    }
}

/// Returns a progress bar, which is hidden if standard error is not a terminal.
fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {human_pos} changes, {per_sec}, {elapsed}")
        .expect("a template of indicatif");
    ProgressBar::new_spinner().with_style(style)
}
