//! The texts of the pages.

pub(crate) const PRODUCT: &str = "Audit";
pub(crate) const SKIP: &str = "Skip to content";
pub(crate) const HOME: &str = "Home";
pub(crate) const TIMELINE: &str = "Timeline";
pub(crate) const ACTIONS: &str = "Actions";
pub(crate) const TABLES: &str = "Tables";
pub(crate) const SEARCH: &str = "Search";
pub(crate) const SEARCH_LABEL: &str = "Search changes";
pub(crate) const SEARCH_EXAMPLE: &str =
    "table:invoices changed:amount actor:user:57 from:monday -source:web";
pub(crate) const VIEWER: &str = "Viewing as";
pub(crate) const BACK_TO_TIMELINE: &str = "Go to the timeline";

pub(crate) const DENIED: (&str, &str) = (
    "No access",
    "You have no access to this page. Ask the operator of this application for access.",
);
pub(crate) const NOT_FOUND: &str = "Nothing found";
pub(crate) const NOT_UNDERSTOOD: &str = "Invalid request";
pub(crate) const STALE: (&str, &str) = (
    "This link is no longer valid",
    "The link is incomplete or belongs to another search. Start again from the first page.",
);
pub(crate) const CONFLICT: &str = "Conflict";
pub(crate) const SLOW: (&str, &str) = (
    "The query took too long",
    "The query was cancelled. Narrow the search: add a later from:, a table: or an actor:. In a terminal, `audit timeline` takes the same filters and waits longer.",
);
pub(crate) const BUSY: (&str, &str) = ("Too many parallel requests", "Try again in a moment.");
pub(crate) const NOT_SET_UP: (&str, &str) = (
    "The audit is not set up",
    "The audit schema is missing or too old, or the database role may not read it. Run `audit status`.",
);
pub(crate) const NO_DATABASE: (&str, &str) = (
    "The database is not available",
    "Try again in a moment. If the problem persists, run `audit status`.",
);

pub(crate) const NO_CHANGES: &str = "No changes";
pub(crate) const NO_CHANGES_AT_ALL: &str =
    "There are no changes that you can see. `audit status` lists the audited tables.";
pub(crate) const NO_CHANGES_MATCH: &str =
    "No changes match this search. Remove a filter, or extend the time range.";
pub(crate) const CHANGES: &str = "changes";
pub(crate) const ONE_CHANGE: &str = "change";
pub(crate) const TRANSACTION: &str = "Transaction";
pub(crate) const NEWEST: &str = "Newest";
pub(crate) const OLDER: &str = "Older";
pub(crate) const SEARCHED_TO: &str =
    "No index answers this search, so it read the newest changes only, back to";
pub(crate) const SEARCH_GOES_ON: &str = "“Older” continues from there.";
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
pub(crate) const WHOLE_VALUE: &str = "Show the full value";
pub(crate) const COLUMN: &str = "Column";
pub(crate) const BEFORE: &str = "Before";
pub(crate) const AFTER: &str = "After";
pub(crate) const NO_TRANSACTION: &str = "There are no changes that you can see in transaction";
pub(crate) const NO_CORRELATION: &str =
    "There are no changes or actions that you can see with this correlation id";
pub(crate) const NO_ACTOR: &str = "There are no changes or actions that you can see by";
pub(crate) const NO_ACTION: &str = "There is no action that you can see with the id";
pub(crate) const NO_ACTIONS: &str = "No actions match.";
pub(crate) const NO_VALUE: &str = "There is no such value that you can see";
pub(crate) const NO_RECORD: &str = "There are no changes that you can see of";
pub(crate) const NO_TABLE: &str = "There is no audited table that you can see with the name";
pub(crate) const CONTEXT: &str = "Context";
pub(crate) const CORRELATION: &str = "Correlation";
pub(crate) const ACTIONS_WITHOUT_CHANGES: &str = "Actions without changes";
pub(crate) const REVERT: &str = "Revert…";
pub(crate) const REVERT_TO_HERE: &str = "Revert to here…";
pub(crate) const AS_IT_IS: &str = "Current state";
pub(crate) const AS_IT_WAS: &str = "State at";
pub(crate) const NOT_THERE: &str = "The record does not exist.";
pub(crate) const WHO_SET_IT: &str = "Set by";
pub(crate) const EXCLUDED: &str = "not recorded";
pub(crate) const HISTORY: &str = "History";
pub(crate) const COMPARE: &str = "Compare";
pub(crate) const COMPARED: &str = "Comparison";
pub(crate) const NOW: &str = "now";
pub(crate) const EARLIER: &str = "Earlier";
pub(crate) const LATER: &str = "Later";
pub(crate) const THE_SAME: &str = "There are no differences.";
pub(crate) const REFERS_TO: &str = "Refers to";
pub(crate) const REFERRED_BY: &str = "Referred to by";
pub(crate) const WELCOME: &str = "Find changes";
pub(crate) const FIND_RECORD: &str = "By record";
pub(crate) const FIND_ACTOR: &str = "By actor";
pub(crate) const FIND_TIME: &str = "By time";
pub(crate) const TABLE: &str = "Table";
pub(crate) const KEY: &str = "Key";
pub(crate) const ACTOR: &str = "Actor";
pub(crate) const SHOW_RECORD: &str = "Show the record";
pub(crate) const SHOW_ACTOR: &str = "Show the changes";
pub(crate) const SHOW_TIME: &str = "Show the changes";
pub(crate) const FROM_UTC: &str = "From (UTC)";
pub(crate) const TO_UTC: &str = "To (UTC)";
pub(crate) const LATELY: &str = "Most changes in the last 7 days";
pub(crate) const LAST_SEVEN_DAYS: &str = "Last 7 days";
pub(crate) const HEALTH: &str = "Health of the audit";
pub(crate) const HEALTHY: &str = "healthy";
pub(crate) const UNHEALTHY: &str = "needs attention";
pub(crate) const MORE_ABOUT_TABLES: &str = "Tables and findings";
pub(crate) const CHANGES_LAST_DAY: &str = "Changes in the last 24 hours";
pub(crate) const WITHOUT_ACTOR: &str = "Without an actor";
pub(crate) const WAITING: &str = "Entries waiting to be posted";
pub(crate) const LAST_POSTING: &str = "Last posting";
pub(crate) const NEVER: &str = "never";
pub(crate) const AUDITED_TABLES: &str = "Audited tables";
pub(crate) const ON_DISK: &str = "Size on disk";
pub(crate) const OLDEST_CHANGE: &str = "Oldest change";
pub(crate) const LAST_RUNS: &str = "Recent maintenance";
pub(crate) const NO_RUNS: &str = "No purge, hold, erasure or suspension is recorded.";
pub(crate) const FIX: &str = "Fix";
pub(crate) const POLICIES: &str = "Policies and triggers";
pub(crate) const NO_MODELS: &str = "The explorer does not know the models of the application. Pass them to `Explorer::models` to compare the policies in code, too.";
pub(crate) const VERIFY: &str = "Verify now";
pub(crate) const VERIFIED: &str = "Verification";
pub(crate) const WHOLE: &str = "The audit is intact.";
pub(crate) const NO_TABLES: &str = "There are no audited tables that you can see.";
pub(crate) const COLUMNS: &str = "Columns";
pub(crate) const AUDITED_SINCE: &str = "Audited since";
pub(crate) const AUDIT_ENDED: &str = "ended";
pub(crate) const KEPT_FOR: &str = "Retention";
pub(crate) const FOR_EVER: &str = "unlimited";
pub(crate) const HOLDS: &str = "Legal holds";
pub(crate) const NO_HOLDS: &str = "There are no legal holds.";
pub(crate) const EXPORT: &str = "Export…";
pub(crate) const EXPORT_TITLE: &str = "Export";
pub(crate) const EXPORT_RECORDED: &str = "Each export is recorded with its search.";
pub(crate) const OR_MORE: &str = "or more";
pub(crate) const AS_FILE: &str = "As a file";
pub(crate) const FORMAT: &str = "Format";
pub(crate) const DOWNLOAD: &str = "Download";
pub(crate) const REPORT: &str = "Incident report";
pub(crate) const REPORT_HELP: &str = "One page to print: times, actors, reasons and values of the newest 200 changes, and the search that found them.";
pub(crate) const REPORT_TITLE: &str = "Title";
pub(crate) const MAKE_REPORT: &str = "Create the report";
pub(crate) const MADE_BY: &str = "Created by";
pub(crate) const MADE_AT: &str = "Created at";
pub(crate) const FOUND_BY: &str = "Found by";
pub(crate) const EVERYTHING: &str = "all changes";
pub(crate) const CONTAINS: &str = "Contains";
pub(crate) const NEWEST_OF: &str = "the newest of";
pub(crate) const NO_FORMAT: &str = "the format must be csv, json or ndjson";
pub(crate) const NO_FORM: &str = "the form is incomplete; open the page again and send its form";
pub(crate) const REVERT_TITLE: &str = "Revert";
pub(crate) const REVERT_TRANSACTION: &str = "Revert transaction";
pub(crate) const REVERT_RECORD: &str = "Revert";
pub(crate) const TO_STATE_OF: &str = "to its state of";
pub(crate) const REVERT_HELP: &str =
    "The next page shows a preview. Nothing changes until you confirm it there.";
pub(crate) const REASON: &str = "Reason";
pub(crate) const PREVIEW: &str = "Show the preview";
pub(crate) const CANCEL: &str = "Cancel";
pub(crate) const BACK: &str = "Back";
pub(crate) const NO_REASON: &str = "give a reason of at most 2,000 bytes";
pub(crate) const NOTHING_TO_REVERT: &str = "There is nothing to revert.";
pub(crate) const WOULD_PUT_BACK: &str = "would be made by this revert:";
pub(crate) const REVERT_NOW: &str = "Revert now";
pub(crate) const NOTHING_REVERTED: &str = "Nothing was changed, because of these conflicts:";
pub(crate) const ONE_TRANSACTION: &str = "transaction";
pub(crate) const TRANSACTIONS: &str = "transactions";
pub(crate) const WHOLE_HISTORY: &str = "Full history";
pub(crate) const NUL: &str = "a text cannot contain the character NUL";
pub(crate) const UNMASK: &str = "Masked values";
pub(crate) const UNMASK_HELP: &str = "Shows values that were recorded before their column was masked. Your name and the reason are recorded.";
pub(crate) const SHOW_UNMASKED: &str = "Show masked values";
