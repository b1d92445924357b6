#![doc = include_str!("docs/overview.md")]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// The code that the derive generates names this crate by its public name.
extern crate self as threadline;

#[cfg(doc)]
pub mod docs;

mod action;
mod audited;
mod batches;
mod characters;
mod connection;
mod context;
mod erasure;
mod error;
#[cfg(feature = "export")]
mod export;
mod filter;
mod forms;
mod health;
mod install;
mod json_schema;
mod migrations;
mod model;
mod on_own_terms;
mod posting;
mod queries;
mod record;
mod retention;
mod revert;
mod run;
#[cfg(feature = "schema")]
pub mod schema;
mod setters;
mod sql;
mod statement;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod time_travel;
mod transactions;
mod verify;
mod version;

pub use action::{Action, ActionError, ActionStatus, AuditAction};
pub use audited::Audited;
pub use connection::{AuditConnection, BlockingConnection, StreamConnection};
pub use context::{
    ActorRef, ActorType, AuditContext, AuditContextBuilder, ContextError, InContext, InContextExt,
};
#[cfg(feature = "export")]
pub use erasure::SubjectExport;
pub use erasure::{Erased, Erasure, TextsLeft, erasures, resume_erasure};
pub use error::{Error, ErrorClass, ErrorKind, is_actor_required};
#[cfg(feature = "export-async")]
pub use export::ExportStream;
#[cfg(feature = "export")]
pub use export::{Export, ExportFormat, Exported, export_csv, export_json};
pub use filter::{ActionFilter, Filter, FilterError, RecordKey, Scope, TableScope};
pub use forms::FormatVersion;
pub use health::{Counters, Health, ModelHealth};
pub use install::{ModelStatus, Protection, Status, TableStatus, run_pending_migrations};
pub use model::{
    AuditedModel, ColumnPolicy, KeyExpression, KeyOf, Models, Policy, TableSpec, UndecidedColumn,
};
pub use posting::{Waiting, Worker, WorkerHandle, post, waiting};
pub use queries::{
    Actions, ActorCount, ActorEntry, ActorHistory, Blame, Correlated, Cursor, DayCount, History,
    HistoryWith, Moved, OperationCount, Page, PageRequest, PageRules, Question, Reference,
    Referring, Summary, TableCount, Timeline, TimelineEntry, TransactionReport, actions,
    actor_history, correlated, history, summary, timeline, transaction,
};
pub use record::{
    AuditChange, AuditTransaction, ContextOrigin, Diff, FieldDiff, OpenTransaction, Operation,
    PriorState, RevertConflict, Unavailable,
};
pub use retention::{Hold, PurgePreview, purge, purge_preview, release_hold};
pub use revert::{revert_transaction, revert_transaction_but};
/// ```
/// # use threadline_test_server::doctest::*;
/// # diesel::table! { users (id) { id -> BigInt, name -> Text, email -> Text, password_hash -> Text, } }
/// use threadline::{Audited, AuditedModel, ColumnPolicy};
///
/// #[derive(Queryable, Selectable, Identifiable, Audited)]
/// #[diesel(table_name = users)]
/// #[audited(mask(email), exclude(password_hash))]
/// pub struct User {
///     pub id: i64,
///     pub name: String,
///     pub email: String,
/// }
///
/// let policy = User::spec().policy;
/// assert_eq!(policy.columns_with(ColumnPolicy::Exclude), ["password_hash"]);
/// ```
pub use threadline_derive::Audited;
pub use time_travel::{PastRecord, PastRecords, Version, VersionedModel};
#[cfg(all(feature = "audited-connection", feature = "r2d2"))]
pub use transactions::AutocommitInContext;
#[cfg(feature = "diesel-async")]
pub use transactions::{AsyncAuditExt, AsyncWork, Awaited, TransactionWork};
pub use transactions::{AuditExt, AuditedTransactionBuilder, record_action, suspend, unmasked};
#[cfg(feature = "audited-connection")]
pub use transactions::{AuditedConnection, AuditedTransactionManager, AutocommitLoad};
pub use verify::{
    BrokenRecord, Finding, FindingCode, ResumePoint, Severity, Verification, Verify, VerifyProgress,
};

/// Returns the SQL of the audit schema, for the tests of this repository.
#[doc(hidden)]
pub mod __schema {
    use crate::install::{Schema, Step, VERSIONS, Version, Way};
    use crate::version::SCHEMA_VERSION;

    /// The code of the newest version.
    pub const CODE: &str = VERSIONS[VERSIONS.len() - 1].code;

    /// A version after the newest one, made up by the tests of upgrades.
    #[derive(Debug, Clone, Copy)]
    pub struct NextVersion {
        /// Its changes of tables.
        pub up: &'static str,
        /// Their reverse.
        pub down: &'static str,
        /// Its functions, views and types.
        pub code: &'static str,
    }

    /// Returns `up.sql` and `down.sql` of the migration `migration` between two versions, of
    /// which the last is `next`. Version 0 means no schema.
    pub fn migration(next: NextVersion, from: i32, to: i32, migration: &str) -> (String, String) {
        let NextVersion { up, down, code } = next;
        let mut versions = VERSIONS.to_vec();
        versions.push(Version {
            number: SCHEMA_VERSION + 1,
            step: Some(Step {
                name: "next",
                up,
                down,
                concurrently: &[],
            }),
            code,
        });
        let way = Way { from, to };
        let schema = Schema(&versions);
        (schema.up(way, Some(migration)), schema.down(way, migration))
    }

    #[cfg(all(feature = "schemars", feature = "export"))]
    pub use crate::json_schema::tidy;

    /// Returns the JSON Schema of every record.
    #[cfg(all(feature = "schemars", feature = "export"))]
    pub fn json_schema() -> serde_json::Value {
        crate::json_schema::document()
    }

    /// The newest version of the audit schema.
    pub const NEWEST: i32 = SCHEMA_VERSION;
}

/// Items that `threadline-cli` needs in addition to the public API. Not for use by other crates.
#[doc(hidden)]
pub mod __cli {
    pub use crate::characters::{controls_display, escaped};
    pub use crate::connection::ready;
    pub use crate::filter::{Day, Filters, NamedFilter, instant, record, relative};
    pub use crate::forms::{Checked, Count};
    pub use crate::install::{owner, watched};
    pub use crate::migrations::remarks;
    pub use crate::queries::{
        FormerKey, Gaps, KnownTable, TextKey, UnseenRemoval, blame, known_table, transaction_up_to,
        unseen_removals,
    };
    pub use crate::record::portable::Portable;
    pub use crate::record::{
        DisplayStyle, NOBODY, TIME_FORMAT, actor_name, clean, plain, table_name,
    };
    pub use crate::revert::revert_record;
    pub use crate::time_travel::{as_of_json, rows_as_of};
}

/// Items that `threadline-web` needs in addition to the public API. Not for use by other crates.
#[doc(hidden)]
pub mod __web {
    /// The JSON schemas of all records.
    pub const JSON_SCHEMA: &str = include_str!("../schemas/v1.json");

    #[cfg(feature = "export")]
    pub use crate::export::export_pages;
    pub use crate::queries::{
        ForeignKey, FormerKey, Gaps, HoldInForce, Overview, TableInfo, action_by_id,
        count_within_reach, ends_of, foreign_keys, holds, image_within, known_table, last_changes,
        overview, overview_and_page, overview_within_reach, page_within_reach, record_now, tables,
        terms, with_tables,
    };
}

/// Items that the output of `#[derive(Audited)]` uses. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use diesel;

    pub use crate::model::{
        AuditedModel, ColumnPolicy, CompositeKey, DerivedPolicy, Policy, SingleKey, TableSpec,
        assert_key, same_name, single_key_name, table_name,
    };
}
