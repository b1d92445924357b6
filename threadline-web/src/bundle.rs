//! The incident report as JSON: one self-contained document.
//!
//! `schemas/incident_report_v1.json` describes it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use threadline::__web::Overview;
use threadline::{
    ActorCount, ActorRef, AuditAction, AuditChange, AuditTransaction, Diff, Filter, TableCount,
    TimelineEntry,
};

use crate::access::Access;
use crate::view::links::{self, Catalogue};
use crate::view::time::exact;

/// The JSON Schema of the report.
pub(crate) const SCHEMA: &str = include_str!("../schemas/incident_report_v1.json");

/// The value of `format` and of `version`. A change that a reader could stumble over gets
/// another version.
const FORMAT: &str = "threadline-incident-report";
const VERSION: u32 = 1;

/// An incident report: the changes that a search found, by whom and when it was made, and how
/// to find them again. All instants are in UTC.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub(crate) struct IncidentReport {
    /// The name of this format.
    #[cfg_attr(feature = "schemars", schemars(extend("const" = FORMAT)))]
    format: &'static str,
    /// The version of this format.
    #[cfg_attr(feature = "schemars", schemars(extend("const" = VERSION)))]
    version: u32,
    /// The title that the author gave.
    title: Option<String>,
    /// The instant at which the report was made.
    #[cfg_attr(feature = "schemars", schemars(extend("format" = "date-time")))]
    created_at: String,
    /// The author.
    created_by: ActorRef,
    /// The search.
    found_by: FoundBy,
    /// The numbers of what was found, and of what is included.
    contents: Contents,
    /// The transactions, newest first, each with its changes that the search found.
    transactions: Vec<ReportTransaction>,
    /// Actions that the search found and whose transaction changed nothing.
    other_actions: Vec<AuditAction>,
    /// The bytes of the changes.
    #[serde(skip)]
    bytes: usize,
}

/// How the changes were found.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
struct FoundBy {
    /// The search line, as a person types it. Relative times are relative to `created_at`.
    search: String,
    /// The page with the search, relative to the explorer.
    page: String,
    /// The filter of the search line, with absolute times.
    filter: Filter,
    /// Whether the author could see only a part of the audit, so that there may be more.
    limited: bool,
}

/// The contents of a report in numbers.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
struct Contents {
    /// The number of changes found.
    found: u64,
    /// Whether more were found than counted.
    found_more: bool,
    /// The number of changes included, the newest ones.
    included: u64,
    /// Whether changes that were found are not included.
    truncated: bool,
    /// The changes found by actor, highest number first.
    actors: Vec<ActorCount>,
    /// The changes found by table, highest number first.
    tables: Vec<TableCount>,
}

/// A transaction in a report.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
struct ReportTransaction {
    /// The transaction, with its actor and context.
    transaction: AuditTransaction,
    /// The page of the transaction, relative to the explorer.
    page: String,
    /// The actions of the transaction, with reasons.
    actions: Vec<AuditAction>,
    /// The changes that the search found, newest first.
    changes: Vec<ReportChange>,
}

/// A change in a report.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
struct ReportChange {
    /// The change, as in an export.
    change: AuditChange,
    /// The columns with their values before and after.
    diff: Diff,
    /// The page of the record, relative to the explorer.
    page: Option<String>,
}

/// The maximum number of changes and of their bytes in a report.
pub(crate) const CHANGES: usize = 1_000;
const BYTES: usize = 16 << 20;

impl IncidentReport {
    pub(crate) fn new(
        title: Option<&str>,
        created_at: DateTime<Utc>,
        access: &Access,
        search: String,
        filter: Filter,
    ) -> Self {
        Self {
            format: FORMAT,
            version: VERSION,
            title: title.map(str::to_owned),
            created_at: exact(created_at),
            created_by: access.actor().clone(),
            found_by: FoundBy {
                page: links::page("timeline", &[("q", &search)]),
                search,
                filter,
                limited: access.scope().is_some(),
            },
            contents: Contents {
                found: 0,
                found_more: false,
                included: 0,
                truncated: false,
                actors: vec![],
                tables: vec![],
            },
            transactions: vec![],
            other_actions: vec![],
            bytes: 0,
        }
    }

    /// Sets the numbers of what was found.
    pub(crate) fn count(&mut self, overview: Overview) {
        self.contents.found = overview.changes;
        self.contents.found_more = overview.more;
        self.contents.actors = overview.actors;
        self.contents.tables = overview.tables;
    }

    pub(crate) fn other_actions(&mut self, actions: Vec<AuditAction>) {
        self.other_actions.extend(actions);
    }

    /// Marks that changes are left out.
    pub(crate) fn truncate(&mut self) {
        self.contents.truncated = true;
    }

    /// Adds changes, newest first. Returns false if there is no space for all of them.
    pub(crate) fn add(&mut self, entries: Vec<TimelineEntry>, catalogue: &Catalogue) -> bool {
        for entry in entries {
            self.bytes += serde_json::to_string(&entry.change).map_or(BYTES, |text| text.len());
            if self.bytes > BYTES {
                self.truncate();
                return false;
            }
            self.add_one(entry, catalogue);
        }
        true
    }

    fn add_one(&mut self, entry: TimelineEntry, catalogue: &Catalogue) {
        let TimelineEntry {
            change, actions, ..
        } = entry;
        let id = change.transaction.id;
        self.contents.included += 1;
        let page = catalogue.record(&change);
        let diff = change.diff();
        let transaction = change.transaction.clone();
        let changed = ReportChange { change, diff, page };
        match self.transactions.last_mut() {
            Some(last) if last.transaction.id == id => last.changes.push(changed),
            _ => self.transactions.push(ReportTransaction {
                transaction,
                page: links::transaction(id),
                actions,
                changes: vec![changed],
            }),
        }
    }
}

/// Returns the JSON Schema that the types make.
#[cfg(feature = "schemars")]
pub(crate) fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<IncidentReport>()
        .to_value();
    threadline::__schema::tidy(&mut schema);
    schema
}
