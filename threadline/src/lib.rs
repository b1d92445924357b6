#![doc = include_str!("docs/overview.md")]
#![warn(missing_docs)]

// The derive's output names this crate from outside.
extern crate self as threadline;

#[cfg(doc)]
pub mod docs;

mod action;
mod batches;
mod context;
mod erasure;
mod error;
mod explore;
#[cfg(feature = "export")]
mod export;
mod forms;
mod health;
mod install;
mod migrations;
mod model;
mod posting;
mod record;
mod retention;
mod revert;
mod run;
#[cfg(feature = "schema")]
pub mod schema;
mod sql;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod time_travel;
mod verify;

pub use action::{
    Action, ActionError, ActionStatus, AuditAction, record_action, suspend, unmasked,
};
#[cfg(all(feature = "audited-connection", feature = "r2d2"))]
pub use context::AutocommitInContext;
pub use context::{
    ActorRef, ActorType, AuditConnection, AuditContext, AuditContextBuilder, AuditExt,
    AuditedTransactionBuilder, BlockingConnection, ContextError, InContext, InContextExt,
    StreamConnection,
};
#[cfg(feature = "diesel-async")]
pub use context::{AsyncAuditExt, AsyncWork, Awaited};
#[cfg(feature = "audited-connection")]
pub use context::{AuditedConnection, AuditedTransactionManager, AutocommitLoad};
#[cfg(feature = "export")]
pub use erasure::SubjectExport;
pub use erasure::{Erased, Erasure, erasures, resume_erasure};
pub use error::{Error, ErrorClass, ErrorKind, UndecidedColumn, is_actor_required};
pub use explore::{
    ActionFilter, Actions, ActorCount, ActorEntry, ActorHistory, Blame, Correlated, Cursor,
    DayCount, Filter, FilterError, Moved, OperationCount, Page, PageRequest, PageRules, Question,
    RecordKey, Reference, Scope, Summary, TableCount, TableScope, Timeline, TimelineEntry,
    TransactionReport, actions, actor_history, correlated, summary, timeline, transaction,
};
#[cfg(feature = "export")]
pub use export::{Export, ExportFormat, Exported, export_csv, export_json};
pub use forms::FormatVersion;
pub use health::{Counters, Health, ModelHealth};
pub use install::{ModelStatus, Protection, Status, TableStatus, run_pending_migrations};
pub use model::{Audited, KeyExpression, KeyOf, Models, Policy, TableSpec};
pub use posting::{Waiting, Worker, WorkerHandle, post, waiting};
pub use record::{
    AuditChange, AuditTransaction, ContextOrigin, Diff, FieldDiff, History, HistoryWith, Operation,
    PriorState, Referring, Version, VersionedModel, history,
};
pub use retention::{Hold, PurgePreview, purge, purge_preview, release_hold};
pub use revert::{RevertConflict, revert_transaction, revert_transaction_but};
/// ```
/// # use threadline_test_server::doctest::*;
/// # diesel::table! { users (id) { id -> BigInt, name -> Text, email -> Text, password_hash -> Text, } }
/// use threadline::Audited;
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
/// assert_eq!(User::spec().policy.exclude, ["password_hash"]);
/// ```
pub use threadline_derive::Audited;
pub use time_travel::{OpenTransaction, Unavailable};
#[cfg(feature = "postgres")]
pub use time_travel::{PastRecord, PastRecords};
pub use verify::{
    BrokenRecord, Finding, FindingCode, ResumePoint, Severity, Verification, Verify, VerifyProgress,
};

/// The SQL of the audit schema, for the tests of this repository.
#[doc(hidden)]
pub mod __schema {
    use crate::install::{SCHEMA_VERSION, Schema, VERSIONS, Way};

    /// `up.sql` and `down.sql` of the migration `migration` between two versions; 0 is none.
    pub fn migration(from: i32, to: i32, migration: &str) -> (String, String) {
        let way = Way { from, to };
        let schema = Schema(VERSIONS);
        (schema.up(way, Some(migration)), schema.down(way, migration))
    }

    /// The JSON Schema of every record.
    #[cfg(all(feature = "schemars", feature = "export"))]
    pub fn json_schema() -> serde_json::Value {
        crate::forms::schema::document()
    }

    /// The newest version.
    pub const NEWEST: i32 = SCHEMA_VERSION;
}

/// What the program of `threadline-cli` asks for beside the public API; not for use by others.
#[doc(hidden)]
pub mod __cli {
    pub use crate::context::ready;
    pub use crate::explore::{
        Day, Filters, KnownTable, NamedFilter, blame, instant, known_table, record,
        transaction_up_to,
    };
    pub use crate::forms::Count;
    pub use crate::install::{owner, watched};
    pub use crate::record::portable::Portable;
    pub use crate::record::{DisplayStyle, TextKey, clean, plain};
    pub use crate::revert::revert_record;
    pub use crate::time_travel::as_of_json;
    #[cfg(feature = "postgres")]
    pub use crate::time_travel::rows_as_of;
}

/// What `threadline-web` asks for beside the public API; not for use by others.
#[doc(hidden)]
pub mod __web {
    /// The file of JSON schemas of every record.
    pub const JSON_SCHEMA: &str = include_str!("../schemas/v1.json");

    pub use crate::explore::{
        ForeignKey, HoldInForce, Overview, TableInfo, action_by_id, ends_of, foreign_keys, holds,
        image_within, overview, record_now, tables, terms,
    };
    #[cfg(feature = "export")]
    pub use crate::export::export_pages;
}

/// What `#[derive(Audited)]` expands to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use diesel;

    pub use crate::model::{
        Audited, CompositeKey, DerivedPolicy, Policy, SingleKey, TableSpec, assert_key, same_name,
        single_key_name, table_name,
    };
}
