use std::process::ExitCode;

use threadline::__cli::{TIME_FORMAT, owner, ready};
use threadline::{BlockingConnection, Counters, Finding, FindingCode, Health, Models, TableSpec};

use super::database::Database;
use super::read::print::{document, print};
use super::verify::{UNKNOWN, headline};
use crate::error::Error;
use crate::terminal::counted;

#[derive(Debug, clap::Args)]
pub(super) struct StatusArguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
}

impl StatusArguments {
    pub(super) fn run(self, models: &Models) -> ExitCode {
        match self.look(models) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(UNKNOWN)
            }
        }
    }

    fn look(self, models: &Models) -> Result<bool, Error> {
        let conn = &mut self.database.connect()?;
        let health = models.health(conn)?;
        if self.json {
            document(&health)?;
        } else {
            show(conn, models, &health)?;
        }
        Ok(health.healthy)
    }
}

fn show<C: BlockingConnection>(
    conn: &mut C,
    models: &Models,
    health: &Health,
) -> Result<(), Error> {
    let needed = health.needed_version;
    print(&match health.installed_version {
        None => format!("audit schema   not installed (this crate: version {needed})"),
        Some(version) if version < needed => {
            format!("audit schema   version {version}, behind this crate's {needed}")
        }
        Some(version) => format!("audit schema   version {version}"),
    });
    if let Some(owner) = ready(owner(conn))? {
        print(&format!("its owner      {owner}"));
    }
    if let Some(counters) = &health.counters {
        show_counters(counters);
    }
    let width = models.specs().iter().map(|spec| spec.table.len()).max();
    for (place, spec) in models.specs().iter().enumerate() {
        print(&format!(
            "{:width$}   {}",
            spec.table,
            of_model(health, place, spec),
            width = width.unwrap_or(0)
        ));
    }
    for finding in &health.findings {
        let of_model = health
            .models
            .iter()
            .any(|model| finding.table.as_ref() == Some(&model.table));
        if !of_model && finding.table.is_some() {
            print(&headline(finding));
        }
    }
    Ok(())
}

fn show_counters(counters: &Counters) {
    let Counters {
        entries_waiting,
        oldest_waiting,
        entries_set_aside,
        changes_last_day,
        bytes_last_day,
        recent_transactions,
        unattributed_transactions,
        ..
    } = counters;
    let since = oldest_waiting.map_or(String::new(), |since| {
        format!(", since {}", since.format(TIME_FORMAT))
    });
    print(&format!(
        "journal        {entries_waiting} entries wait{since}"
    ));
    if *entries_set_aside > 0 {
        print(&format!(
            "               {entries_set_aside} entries could not be posted; see threadline.unposted"
        ));
    }
    if *changes_last_day > 0 {
        let changes = counted(changes_last_day.unsigned_abs(), "change");
        // The size is that of posted changes.
        let size = match bytes_last_day {
            0 => String::new(),
            bytes => format!(" and {bytes} bytes"),
        };
        print(&format!("last 24 hours  about {changes}{size}"));
    }
    if *unattributed_transactions > 0 {
        print(&format!(
            "no actor       {unattributed_transactions} of {recent_transactions} transactions with changes, among the newest 1,000 that are posted"
        ));
    }
}

/// Returns the text for a table, which is about its most severe finding.
fn of_model(health: &Health, place: usize, spec: &TableSpec) -> String {
    let (install, audit) = match spec.file {
        Some(_) => ("run `threadline install`", "run `threadline audit`"),
        None => (
            "generate and run migrations",
            "generate and run migrations; if there are none, run the statement of `verify` in one",
        ),
    };
    let Some(model) = health.models.get(place) else {
        return if health.installed_version.is_some() {
            format!("unknown, as the audit schema is behind; {install}")
        } else {
            format!("not audited; {install}")
        };
    };
    let of_table = |finding: &&Finding| {
        let table = finding.table.as_ref();
        table == Some(&model.table) || table == Some(&spec.table)
    };
    let Some(finding) = health.findings.iter().find(of_table) else {
        return "audited".to_owned();
    };
    match finding.code {
        FindingCode::ColumnsAdded => "audited; it has new columns, which are recorded".to_owned(),
        FindingCode::ColumnsOutdated => {
            "audited; its columns changed, and all are recorded; run SELECT threadline.refresh(...) in a migration".to_owned()
        }
        FindingCode::PolicyReplaced => {
            "audited under a policy that replaced the one of this program".to_owned()
        }
        FindingCode::PolicyDiffers => format!("audited under another policy; {audit}"),
        // A column may be a secret, and the message names it.
        FindingCode::ColumnsChanged if finding.fix.is_none() => finding.message.clone(),
        FindingCode::ColumnsChanged | FindingCode::CaptureOutdated => {
            "its columns changed; run SELECT threadline.refresh(...) in a migration".to_owned()
        }
        FindingCode::ModelTableMissing => "table does not exist".to_owned(),
        FindingCode::ModelNotAudited => format!("not audited; {audit}"),
        FindingCode::TableRecreated => format!("created anew and not audited; {audit}"),
        _ => "its triggers are missing, switched off or altered; see `verify`".to_owned(),
    }
}
