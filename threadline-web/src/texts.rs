//! Every text of the pages, in one place, so that they can be translated.

pub(crate) const PRODUCT: &str = "Audit";
pub(crate) const SKIP: &str = "Skip to the content";
pub(crate) const HOME: &str = "Home";
pub(crate) const TIMELINE: &str = "Timeline";
pub(crate) const ACTIONS: &str = "Actions";
pub(crate) const TABLES: &str = "Tables";
pub(crate) const SEARCH: &str = "Search";
pub(crate) const SEARCH_LABEL: &str = "Search changes";
pub(crate) const SEARCH_EXAMPLE: &str =
    "table:invoices changed:amount actor:user:57 from:monday -source:web";
pub(crate) const VIEWER: &str = "You look as";
pub(crate) const BACK_TO_TIMELINE: &str = "Go to the timeline";

pub(crate) const DENIED: (&str, &str) = (
    "No access",
    "You may not see this. Ask whoever operates this application for access to the audit.",
);
pub(crate) const NOT_FOUND: &str = "Nothing found";
pub(crate) const NOT_UNDERSTOOD: &str = "This cannot be answered";
pub(crate) const STALE: (&str, &str) = (
    "This page is out of date",
    "The link goes on from a place of another question. Begin at the first page again.",
);
pub(crate) const CONFLICT: &str = "Something stands against it";
pub(crate) const SLOW: (&str, &str) = (
    "That took too long",
    "The question was broken off. Ask for less: a later from:, a table:, or an actor:. In a terminal, `audit timeline` takes the same filters and waits longer.",
);
pub(crate) const BUSY: (&str, &str) = ("Too many questions at a time", "Try again in a moment.");
pub(crate) const NOT_SET_UP: (&str, &str) = (
    "The audit is not set up",
    "Its schema is missing or too old, or the role may not read it. Run `audit status`.",
);
pub(crate) const NO_DATABASE: (&str, &str) = (
    "The database does not answer",
    "Try again in a moment. If it stays so, run `audit status`.",
);

pub(crate) const NO_CHANGES: &str = "No changes";
pub(crate) const NO_CHANGES_AT_ALL: &str =
    "Nothing is on record that you may see. `audit status` says which tables are audited.";
pub(crate) const NO_CHANGES_MATCH: &str =
    "Nothing matches this search. Remove a filter above, or look at a longer time.";
pub(crate) const CHANGES: &str = "changes";
pub(crate) const ONE_CHANGE: &str = "change";
pub(crate) const TRANSACTION: &str = "Transaction";
pub(crate) const NEWEST: &str = "Newest";
pub(crate) const OLDER: &str = "Older";
pub(crate) const BY_TIME: &str = "Changes by time";
pub(crate) const FILTERS: &str = "Filters";
pub(crate) const OPERATIONS: &str = "Operations";
pub(crate) const ACTORS: &str = "Actors";
pub(crate) const SOURCES: &str = "Sources";
pub(crate) const NOBODY: &str = "unknown";
pub(crate) const NO_SOURCE: &str = "no source";
pub(crate) const REMOVE: &str = "Remove filter";
pub(crate) const EXCEPT: &str = "Except";
pub(crate) const MORE_COLUMNS: &str = "more columns";
pub(crate) const MASKED: &str = "masked";
pub(crate) const HASHED: &str = "keyed hash";
pub(crate) const ERASED: &str = "erased";
pub(crate) const NULL: &str = "NULL";
pub(crate) const EMPTY: &str = "empty text";
pub(crate) const ABSENT: &str = "none";
pub(crate) const WHOLE_VALUE: &str = "Show all of it";
pub(crate) const COLUMN: &str = "Column";
pub(crate) const BEFORE: &str = "Before";
pub(crate) const AFTER: &str = "After";
pub(crate) const NO_TRANSACTION: &str = "Nothing that you may see is on record of transaction";
pub(crate) const NO_CORRELATION: &str = "Nothing that you may see is on record under this id";
pub(crate) const NO_ACTOR: &str = "Nothing that you may see is on record of";
pub(crate) const NO_ACTION: &str = "There is no action that you may see with the number";
pub(crate) const NO_ACTIONS: &str = "No actions match.";
pub(crate) const NO_VALUE: &str = "There is no such value that you may see";
pub(crate) const NO_RECORD: &str = "Nothing that you may see is on record of";
pub(crate) const NO_TABLE: &str = "There is no audited table of this name that you may see:";
pub(crate) const CONTEXT: &str = "Context";
pub(crate) const CORRELATION: &str = "Correlation";
pub(crate) const ACTIONS_WITHOUT_CHANGES: &str = "Actions without changes";
pub(crate) const REVERT: &str = "Revert…";
pub(crate) const REVERT_TO_HERE: &str = "Revert to here…";
pub(crate) const AS_IT_IS: &str = "As it is";
pub(crate) const AS_IT_WAS: &str = "As it was at";
pub(crate) const NOT_THERE: &str = "The record is not there.";
pub(crate) const WHO_SET_IT: &str = "Set by";
pub(crate) const EXCLUDED: &str = "not recorded";
pub(crate) const HISTORY: &str = "History";
pub(crate) const COMPARE: &str = "Compare";
pub(crate) const COMPARED: &str = "Compared";
pub(crate) const NOW: &str = "now";
pub(crate) const EARLIER: &str = "Earlier";
pub(crate) const LATER: &str = "Later";
pub(crate) const THE_SAME: &str = "Both are the same.";
pub(crate) const REFERS_TO: &str = "Refers to";
pub(crate) const REFERRED_BY: &str = "Referred to by";
pub(crate) const WELCOME: &str = "What happened?";
pub(crate) const FIND_RECORD: &str = "To a record";
pub(crate) const FIND_ACTOR: &str = "By somebody";
pub(crate) const FIND_TIME: &str = "At a time";
pub(crate) const TABLE: &str = "Table";
pub(crate) const KEY: &str = "Key";
pub(crate) const ACTOR: &str = "Actor";
pub(crate) const SHOW_RECORD: &str = "Show the record";
pub(crate) const SHOW_ACTOR: &str = "Show what they did";
pub(crate) const SHOW_TIME: &str = "Show the changes";
pub(crate) const FROM_UTC: &str = "From (UTC)";
pub(crate) const TO_UTC: &str = "To (UTC)";
pub(crate) const LATELY: &str = "Most changes lately";
pub(crate) const LAST_SEVEN_DAYS: &str = "The last seven days";
pub(crate) const HEALTH: &str = "Health of the audit";
pub(crate) const HEALTHY: &str = "healthy";
pub(crate) const UNHEALTHY: &str = "needs attention";
pub(crate) const MORE_ABOUT_TABLES: &str = "Tables and findings";
pub(crate) const CHANGES_LAST_DAY: &str = "Changes in 24 hours";
pub(crate) const WITHOUT_ACTOR: &str = "Without an actor";
pub(crate) const WAITING: &str = "Entries that wait";
pub(crate) const LAST_POSTING: &str = "Last posting";
pub(crate) const NEVER: &str = "never";
pub(crate) const AUDITED_TABLES: &str = "Audited tables";
pub(crate) const ON_DISK: &str = "On disk";
pub(crate) const OLDEST_CHANGE: &str = "Oldest change";
pub(crate) const LAST_RUNS: &str = "What was done to the audit";
pub(crate) const NO_RUNS: &str = "No purge, hold, erasure or suspension is on record.";
pub(crate) const FIX: &str = "Fix";
pub(crate) const POLICIES: &str = "Policies and triggers";
pub(crate) const NO_MODELS: &str = "The explorer does not know the models of the application: pass them to `Explorer::models`, and policies in code are compared too.";
pub(crate) const VERIFY: &str = "Verify now";
pub(crate) const VERIFIED: &str = "Verification";
pub(crate) const WHOLE: &str = "The audit is intact.";
pub(crate) const NO_TABLES: &str = "No table is audited that you may see.";
pub(crate) const COLUMNS: &str = "Columns";
pub(crate) const AUDITED_SINCE: &str = "Audited since";
pub(crate) const AUDIT_ENDED: &str = "ended";
pub(crate) const KEPT_FOR: &str = "Kept for";
pub(crate) const FOR_EVER: &str = "ever";
pub(crate) const HOLDS: &str = "Legal holds";
pub(crate) const NO_HOLDS: &str = "Nothing is held.";
pub(crate) const EXPORT: &str = "Export…";
pub(crate) const EXPORT_TITLE: &str = "Export";
pub(crate) const EXPORT_RECORDED: &str = "Each export is recorded, with the search.";
pub(crate) const OR_MORE: &str = "or more";
pub(crate) const AS_FILE: &str = "As a file";
pub(crate) const FORMAT: &str = "Format";
pub(crate) const DOWNLOAD: &str = "Download";
pub(crate) const REPORT: &str = "Incident report";
pub(crate) const REPORT_HELP: &str = "One page to print: times, actors, reasons and values of the newest 200 changes, and how they were found.";
pub(crate) const REPORT_TITLE: &str = "Title";
pub(crate) const MAKE_REPORT: &str = "Make the report";
pub(crate) const MADE_BY: &str = "Made by";
pub(crate) const MADE_AT: &str = "Made at";
pub(crate) const FOUND_BY: &str = "Found by";
pub(crate) const EVERYTHING: &str = "every change";
pub(crate) const CONTAINS: &str = "Contains";
pub(crate) const NEWEST_OF: &str = "the newest of";
pub(crate) const NO_FORMAT: &str = "the format is csv, json or ndjson";
pub(crate) const NO_FORM: &str = "send the form of the page, complete";
pub(crate) const REVERT_TITLE: &str = "Revert";
pub(crate) const REVERT_TRANSACTION: &str = "Revert transaction";
pub(crate) const REVERT_RECORD: &str = "Revert";
pub(crate) const TO_STATE_OF: &str = "to its state of";
pub(crate) const REVERT_HELP: &str =
    "The next page shows what would change. Nothing is changed before you confirm it there.";
pub(crate) const REASON: &str = "Reason";
pub(crate) const PREVIEW: &str = "Show what would change";
pub(crate) const CANCEL: &str = "Cancel";
pub(crate) const BACK: &str = "Back";
pub(crate) const NO_REASON: &str = "give a reason of at most 2,000 bytes";
pub(crate) const NOTHING_TO_REVERT: &str = "It is so already. Nothing is to be put back.";
pub(crate) const WOULD_PUT_BACK: &str = "would put it back:";
pub(crate) const REVERT_NOW: &str = "Revert now";
pub(crate) const NOTHING_REVERTED: &str = "Nothing was changed. These stand against it:";
pub(crate) const ONE_TRANSACTION: &str = "transaction";
pub(crate) const TRANSACTIONS: &str = "transactions";
pub(crate) const WHOLE_HISTORY: &str = "Whole history";
pub(crate) const NUL: &str = "a text cannot hold the character NUL";
pub(crate) const UNMASK: &str = "Masked values";
pub(crate) const UNMASK_HELP: &str = "What was recorded before a column was masked can be shown. That you look, and why, is recorded.";
pub(crate) const SHOW_UNMASKED: &str = "Show masked values";
