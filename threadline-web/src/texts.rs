//! The texts of the pages and of the script.

use serde_json::{Map, Value};

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
pub(crate) const NOTHING_DIFFERS: &str = "No recorded value differs.";
pub(crate) const TRUNCATED_AT: &str = "A TRUNCATE removed this record at";
pub(crate) const ONLY_NUMBER_ON_RECORD: &str = "Only the number of rows is on record:";
pub(crate) const NO_KEY: &str = "the table had no primary key.";
pub(crate) const OTHER_FORM_OF_KEY: &str =
    "its key was recorded in another form, as a value or as a keyed hash.";
pub(crate) const OTHER_KEY: &str = "the primary key of the table was";
pub(crate) const CHANGES_OF_THAT_TIME: &str = "Changes of that time";
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
pub(crate) use threadline::__cli::NOBODY;
pub(crate) const NO_SOURCE: &str = "no source";
pub(crate) const REMOVE: &str = "Remove filter";
pub(crate) const EXCEPT: &str = "Except";
pub(crate) const MORE_COLUMN: &str = "more column";
pub(crate) const MORE_COLUMNS: &str = "more columns";
pub(crate) const WHOLE_CHANGE: &str = "Show the full values";
pub(crate) const MORE_VALUES: &str = "more; a filter narrows the list";
pub(crate) const CHANGES_HERE: &str = "changes on this page are of transaction";
pub(crate) const THE_NEWEST: &str = "The newest";
pub(crate) const COUNTED_IN: &str = "Counts are of the newest";
pub(crate) const TIMES_ARE_UTC: &str = "Times are in UTC.";
pub(crate) const SHOW_NEW: &str = "Show newer changes";
pub(crate) const SEEN_BEFORE: &str = "Changes below this line were on the page before.";
pub(crate) const NO_CHANGE: &str = "There is no such change that you can see";
pub(crate) const VALUE: &str = "Value";
pub(crate) const AND: &str = "and";
pub(crate) const BY: &str = "by";
pub(crate) const WHOLE_KEY: &str = "Show the full key";
pub(crate) const CHANGE: &str = "Change";
pub(crate) const OF: &str = "of";
pub(crate) const NO_STATE: &str = "The state is not known:";
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
pub(crate) const AMONG_THE_NEWEST: &str = "Most among the newest";
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
pub(crate) const AS_FILE: &str = "As a file";
pub(crate) const FORMAT: &str = "Format";
pub(crate) const DOWNLOAD: &str = "Download";
pub(crate) const REPORT: &str = "Incident report";
pub(crate) const REPORT_HELP: &str = "One page to print: times, actors, reasons and values of the newest changes, at most 200, and the search that found them.";
pub(crate) const REPORT_TITLE: &str = "Title";
pub(crate) const MAKE_REPORT: &str = "Create the report";
pub(crate) const MADE_BY: &str = "Created by";
pub(crate) const MADE_AT: &str = "Created at";
pub(crate) const FOUND_BY: &str = "Found by";
pub(crate) const EVERYTHING: &str = "all changes";
pub(crate) const CONTAINS: &str = "Contains";
pub(crate) const NEWEST_OF: &str = "the newest of";
pub(crate) const OTHERS_ARE_IN: &str = "The others are in";
pub(crate) const THE_TIMELINE: &str = "the timeline";
pub(crate) const AND_IN_BUNDLE: &str = "and in the report as JSON.";
pub(crate) const NO_FORMAT: &str = "the format must be csv, json or ndjson";
pub(crate) const NO_FORM: &str = "the form is incomplete; open the page again and send its form";
pub(crate) const SLOW_FORM: &str = "the form did not arrive within 30 seconds; send it again";
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
pub(crate) const OF_THESE_THE_NEWEST: &str = "the newest";
pub(crate) const ARE_SHOWN: &str =
    "are shown. After the revert, the timeline and the pages of its transactions have all of them.";
pub(crate) const REVERT_NOW: &str = "Revert now";
pub(crate) const NOTHING_REVERTED: &str = "Nothing was changed, because of these conflicts:";
pub(crate) const ONE_TRANSACTION: &str = "transaction";
pub(crate) const TRANSACTIONS: &str = "transactions";
pub(crate) const WHOLE_HISTORY: &str = "Full history";
pub(crate) const NUL: &str = "a text cannot contain the character NUL";
pub(crate) const UNMASK: &str = "Masked values";
pub(crate) const UNMASK_HELP: &str = "Shows values that were recorded before their column was masked. Your name and the reason are recorded.";
pub(crate) const SHOW_UNMASKED: &str = "Show masked values";
pub(crate) const NARROWED: (&str, &str) = (
    "Your access has changed",
    "Your access is not the same as when this export began. Export again: the new file contains what you can see now.",
);
pub(crate) const NO_STORAGE: &str = "The file of the export could not be written";
pub(crate) const NO_STORAGE_HELP: &str = "The operator of this application must make sure that the directory of exports exists, is writable and has space, and that the export is below its maximum size. A narrower search makes a smaller file.";
pub(crate) const TOO_MANY_EXPORTS: &str =
    "you have 5 exports; remove one of them on the page of exports first";
pub(crate) const NO_EXPORT: &str =
    "There is no such export of yours. Files are removed after a while; export again.";
pub(crate) const EXPORT_ELSEWHERE: &str = "This process of the application has no such export. It is in the process that began it, until that ends. If several processes share the requests, try this link again, or export again.";
pub(crate) const MORE_THAN: &str = "More than";
pub(crate) const AT_LEAST: &str = "At least";
pub(crate) const NOT_COUNTED: &str = "The changes were not counted, because that takes longer.";
pub(crate) const IF_MORE_THAN: &str = "If there are more than";
pub(crate) const THEN_IN_BACKGROUND: &str = "or if counting them takes too long, the export runs in the background. A page then shows its progress, and a link to the file.";
pub(crate) const IN_BACKGROUND: &str =
    "The export runs in the background. A page shows its progress, and then a link to the file.";
pub(crate) const MAKE_BUNDLE: &str = "Download as JSON";
pub(crate) const YOUR_EXPORTS: &str = "Your exports in the background";
pub(crate) const ALL_EXPORTS: &str = "Export again, and list your exports";
pub(crate) const EXPORT_BEGUN: &str = "Begun";
pub(crate) const EXPORT_STATE: &str = "State";
pub(crate) const EXPORT_WAITING: &str = "Waiting for other exports";
pub(crate) const EXPORT_COUNTING: &str = "Counting the changes";
pub(crate) const EXPORT_WRITING: &str = "Writing the file";
pub(crate) const EXPORT_DONE: &str = "The file is complete";
pub(crate) const EXPORT_FAILED: &str = "The export failed";
pub(crate) const EXPORT_CANCELLED: &str = "The export was cancelled";
pub(crate) const NOTHING_OFFERED: &str = "There is no file. What was written of it is removed.";
pub(crate) const GOES_ON: &str = "The export continues when you leave this page.";
pub(crate) const REMOVED_AT: &str = "The file is removed at";
pub(crate) const REFRESH: &str = "Refresh";
pub(crate) const CANCEL_EXPORT: &str = "Cancel the export";
pub(crate) const REMOVE_EXPORT: &str = "Remove";
pub(crate) const NOT_DONE: &str =
    "the file of this export is not complete; the page of the export shows its state";

/// The texts of the script by name. `{…}` is a place that it fills.
const SCRIPT: &[(&str, &str)] = &[
    ("zone", "Times are in UTC and in your time zone, {zone}."),
    (
        "same_zone",
        "Times are in UTC, which is also your time zone.",
    ),
    ("copy_value", "Copy the value of {column} {side}"),
    ("copy_state", "Copy the value of {column}"),
    ("before", "before"),
    ("after", "after"),
    ("copy_key", "Copy the key {key}"),
    ("copy_id", "Copy {id}"),
    ("copy_fix", "Copy the SQL"),
    ("copied", "Copied"),
    ("link_copied", "The link is copied"),
    (
        "copy_by_hand",
        "The browser does not allow this page to copy. Press Ctrl-C (on a Mac, Cmd-C) to copy the selected text.",
    ),
    ("close", "Close"),
    ("newer", "Show {count} newer changes"),
    ("one_newer", "Show 1 newer change"),
    ("newer_shown", "{count} newer changes are shown above"),
    ("none_newer", "There are no newer changes"),
    ("one_newer_shown", "1 newer change is shown above"),
    ("unfolded", "All columns and longer values are shown"),
    ("folded", "The change is shown short"),
    (
        "nothing_folded",
        "This change has no more columns and no longer values",
    ),
    (
        "not_loaded",
        "The change could not be loaded. Its link still works.",
    ),
    ("keys", "Keys"),
    ("key_search", "go to the search line; Escape leaves it"),
    ("key_next", "next change or row"),
    ("key_previous", "previous change or row"),
    ("key_open", "open the record or link of the selected row"),
    (
        "key_unfold",
        "show all columns and longer values of the selected change, or show it short again",
    ),
    (
        "key_transaction",
        "open the transaction of the selected change",
    ),
    (
        "key_earlier",
        "back in time: earlier state or older changes",
    ),
    ("key_later", "forth in time: later state or newer changes"),
    ("key_new", "show newer changes, and keep the place"),
    (
        "key_copy",
        "copy the link to the selected change, or to this page",
    ),
    ("key_home", "home"),
    ("key_help", "show this list; Escape closes it"),
];

/// Returns the texts of the script as JSON.
pub(crate) fn of_script() -> String {
    let texts: Map<String, Value> = SCRIPT
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Value::from(*text)))
        .collect();
    Value::from(texts).to_string()
}
