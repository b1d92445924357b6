//! The SQL of the audit schema. The sources have one object a file, in `threadline/sql`;
//! a migration has to be one text. So `threadline/migrations` is generated from those
//! files, and never edited.
//!
//! A release freezes its version of the schema, because databases have run it: `cargo
//! xtask freeze` copies its code and records the checksums of all files that may not
//! change from then on. Later changes make the next version, see
//! `threadline/src/install/versions.rs`.

use std::{fs, io};

use threadline_test_server::root;

use crate::frozen;
use crate::script::{Schema, Step, Version, Way};
use crate::versions::VERSIONS;

/// The tables of the first version, in the order in which PostgreSQL needs them.
const TABLES: &[&str] = &[
    "storage/schema",
    "storage/installed_code",
    "storage/watched_partitions",
    "storage/audited_tables",
    "storage/journal",
    "storage/ledger_transactions",
    "storage/ledger_changes",
    "storage/audit_actions",
    "storage/suspensions",
    "storage/session_suspensions",
    "storage/hash_keys",
    "storage/indexes",
];

/// The code of the newest version.
const CODE: &[&str] = &[
    "capture/key_text",
    "capture/bounded_key",
    "capture/key_in_image",
    "capture/json_image",
    "capture/columns_of",
    "capture/base_type",
    "capture/merges_values",
    "capture/json_form",
    "capture/present_columns",
    "capture/too_large",
    "capture/whole_image",
    "capture/row_image",
    "capture/large_image",
    "capture/own_rows",
    "capture/placeholder",
    "capture/redacted_image",
    "erasure/is_erased",
    "erasure/erased_image",
    "erasure/erased_columns",
    "erasure/without_marks",
    "capture/hash_pad",
    "capture/new_hash_key",
    "capture/hash",
    "capture/with_hashes",
    "capture/key_columns_of",
    "capture/generation_of",
    "capture/fingerprint_but",
    "capture/fingerprint",
    "capture/audited_relation",
    "capture/settings_needed",
    "capture/is_plain_type",
    "capture/plain_columns",
    "capture/columns_match",
    "capture/columns_stand",
    "capture/columns_now",
    "capture/redaction_now",
    "capture/redacted_change",
    "capture/changed_apart",
    "capture/careful_change",
    "capture/captured_relation",
    "capture/suspended_session",
    "capture/suspended",
    "capture/withheld",
    "capture/plans_foreign_code",
    "capture/readable",
    "capture/current_transaction",
    "capture/set_context",
    "posting/read_context",
    "capture/require_actor",
    "capture/image_of",
    "capture/append_truncated",
    "capture/capture_truncate",
    "codegen/capture_template",
    "codegen/plain_images",
    "codegen/named_images",
    "policy/capture_version",
    "policy/policy",
    "policy/redacts",
    "codegen/filled",
    "codegen/quoted",
    "codegen/hash_expression",
    "codegen/image_expression",
    "policy/built_for",
    "policy/known_table_of",
    "policy/audited_table_of",
    "policy/is_hash",
    "policy/live_key",
    "policy/key_hash",
    "policy/record_key",
    "codegen/key_expression",
    "capture/json_array_or_null",
    "codegen/key_condition",
    "codegen/capture_source",
    "codegen/pinned_settings",
    "codegen/build_function",
    "policy/former_table",
    "policy/find_audited_table",
    "policy/expected_triggers",
    "policy/drop_triggers",
    "policy/unquoted",
    "policy/check_condition",
    "policy/check_keep",
    "policy/subject_table_of",
    "policy/check_personal",
    "policy/personal_data",
    "policy/parses_foreign_code",
    "policy/install_triggers",
    "policy/policy_of_column",
    "policy/full_xid",
    "posting/highest_id",
    "posting/sequences_behind",
    "posting/set_sequences",
    "posting/entry_key",
    "posting/in_utc",
    "posting/instants_of",
    "posting/entry_transactions",
    "posting/reordered_entries",
    "posting/pending_changes",
    "posting/pending_transactions",
    "posting/post_batch",
    "posting/renumber_entries",
    "posting/post",
    "posting/post_if_much",
    "posting/waiting",
    "posting/post_all",
    "posting/post_again",
    "read/key_value",
    "read/composite_key_json",
    "read/key_json",
    "read/exact_members",
    "read/exact_numbers",
    "read/exact_images",
    "read/exact_image",
    "read/json_documents",
    "read/populate_rows",
    "read/misfits",
    "read/jsonb_merge",
    "read/audit_changes",
    "read/record_changes",
    "read/image_left",
    "read/keys_of_record",
    "read/audit_transactions",
    "retention/kept_changes",
    "read/unmasked",
    "read/former_names",
    "read/hiding",
    "read/hidings",
    "read/hidden_names",
    "read/shown_image",
    "read/changes",
    "read/transactions",
    "verify/finding",
    "verify/locate_table",
    "verify/audit_call",
    "verify/fix_for",
    "verify/trigger_drift",
    "verify/column_drift",
    "verify/function_drift",
    "verify/stray_triggers",
    "verify/posting_drift",
    "erasure/all_names",
    "erasure/names_one_of",
    "erasure/recorded_again",
    "erasure/erasure_drift",
    "verify/own_objects",
    "verify/note_installed_code",
    "verify/ways_to_undo",
    "verify/audit_drift",
    "verify/table_drift",
    "health/structure_drift",
    "health/position_at",
    "health/counters",
    "health/in_force_until",
    "health/metrics",
    "health/metrics_findings",
    "policy/rebuild_captures",
    "policy/unnoted_renames",
    "time_travel/type_labels",
    "time_travel/labels_since",
    "time_travel/stored_in",
    "time_travel/with_column_states",
    "time_travel/altered_at",
    "time_travel/unnoted_alterations",
    "time_travel/rows_of_partition",
    "time_travel/partitions_left",
    "time_travel/left_with_partition",
    "time_travel/note_partitions",
    "policy/check_auditable",
    "action/own_transaction",
    "action/own_action",
    "verify/note_tampering",
    "verify/watch",
    "policy/lock_policies",
    "policy/hand_over",
    "policy/take_back",
    "policy/require_handed_over",
    "policy/note_condition",
    "policy/note_absent",
    "policy/hash_keys_match",
    "policy/columns_noted",
    "policy/as_decided",
    "policy/write_policy",
    "policy/set_terms",
    "policy/give_history",
    "policy/record_replacement",
    "policy/looks_secret",
    "policy/secret_columns",
    "policy/ask_about_secrets",
    "policy/audit_as_decided",
    "policy/audit",
    "policy/audit_as_before",
    "policy/refresh",
    "policy/refresh_all",
    "policy/end_audit",
    "policy/unaudit",
    "action/record_action",
    "action/actions",
    "retention/kept_for",
    "retention/held",
    "retention/hold",
    "retention/release",
    "retention/set_retention",
    "retention/is_held",
    "retention/purge_end",
    "retention/straddling",
    "retention/purgeable",
    "retention/overlay",
    "retention/keep_images",
    "retention/keep_images_ahead",
    "retention/keeps_images_ahead",
    "retention/begin_purge",
    "retention/purge_batch",
    "retention/purge",
    "retention/purge_preview",
    "erasure/lock_erasing",
    "erasure/named_in",
    "erasure/subject_keys",
    "erasure/personal_tables",
    "erasure/chosen_columns",
    "erasure/begin_erasure",
    "erasure/owners_before",
    "erasure/changes_of_person",
    "erasure/live_records",
    "erasure/subject_changes",
    "erasure/erase_record",
    "erasure/refuse_unknown",
    "erasure/find_records",
    "erasure/find_new_changes",
    "erasure/refuse_held",
    "erasure/names_actor",
    "erasure/erased_context",
    "erasure/erase_texts",
    "erasure/erase_unposted",
    "erasure/erase",
    "read/first_transaction_since",
    "read/last_transaction_by",
    "time_travel/replayed_until",
    "time_travel/open_writers",
    "time_travel/why_not_final",
    "time_travel/is_final",
    "time_travel/last_captured",
    "time_travel/renames_of",
    "time_travel/renamed_image",
    "time_travel/former_image",
    "time_travel/current_names",
    "time_travel/renamed_column",
    "time_travel/alterations_of",
    "time_travel/relabel",
    "time_travel/relabelled_image",
    "time_travel/still_true",
    "time_travel/lay",
    "time_travel/laid",
    "time_travel/unrecorded",
    "time_travel/column_policy",
    "time_travel/redaction",
    "time_travel/redacted",
    "codegen/live_expression",
    "time_travel/live_image",
    "time_travel/await_final",
    "time_travel/blind_truncates",
    "time_travel/truncated_unseen",
    "time_travel/final_record",
    "time_travel/record_as_of",
    "time_travel/rows_as_of",
    "revert/relation_of",
    "associate/name_then",
    "associate/key_parts",
    "associate/compared_as",
    "associate/referring_columns",
    "associate/column_now",
    "associate/reference_in",
    "associate/reference_name",
    "associate/image_shown",
    "associate/shows_reference",
    "associate/referring_rows",
    "associate/referring_spans",
    "associate/changes_in_spans",
    "associate/associated_changes",
    "associate/index_reference",
    "revert/own_changes",
    "revert/set_deferred",
    "revert/unrestorable",
    "revert/changed_since",
    "revert/referencing",
    "revert/put_row",
    "revert/delete_row",
    "revert/revert_change",
    "revert/put_side_effects_back",
    "revert/revert_changes",
    "revert/revert_transaction",
    "revert/key_now",
    "revert/key_then",
    "revert/lasting_image",
    "revert/put_record_back",
    "revert/revert_record",
    "verify/unaudited_tables_but",
    "verify/unaudited_tables",
    "verify/values_differ",
    "verify/comparable_columns",
    "verify/chain_obstacle",
    "verify/next_key",
    "verify/chain_drift",
    "access/suspend",
    "access/unmask",
    "access/resume",
];

pub(crate) const CODE_FILE: &str = "threadline/migrations/code.sql";
const TABLES_FILE: &str = "threadline/migrations/0001_tables/up.sql";
const QUICKSTART: &str = "examples/quickstart/migrations";

/// Writes the texts that differ from their files.
pub(crate) fn write() -> Result<(), String> {
    every_file_has_its_place()?;
    write_stale(made()?)?;
    rename_copy()?;
    write_stale(copy()?)
}

/// Fails if a text differs from its files, or a frozen file has changed.
pub(crate) fn check() -> Result<(), String> {
    every_file_has_its_place()?;
    frozen::check()?;
    newest_is_declared()?;
    let mut texts = made()?;
    texts.extend(copy()?);
    let stale: Vec<String> = stale(texts).into_iter().map(|(path, _)| path).collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not what threadline/sql makes:\n  {}\nrun `cargo xtask schema`",
        stale.join("\n  ")
    ))
}

fn write_stale(texts: Vec<(String, String)>) -> Result<(), String> {
    for (path, text) in stale(texts) {
        fs::write(root().join(&path), text).map_err(|error| format!("{path}: {error}"))?;
        println!("wrote {path}");
    }
    Ok(())
}

/// Returns the texts to write, by their paths.
fn stale(mut texts: Vec<(String, String)>) -> Vec<(String, String)> {
    texts.retain(|(path, text)| fs::read_to_string(root().join(path)).ok().as_ref() != Some(text));
    texts
}

/// Returns the texts of the library, by their paths.
fn made() -> Result<Vec<(String, String)>, String> {
    Ok(vec![
        (TABLES_FILE.to_owned(), joined(TABLES)?),
        (CODE_FILE.to_owned(), replacing(&joined(CODE)?)),
    ])
}

/// Returns SQL that replaces a function in place, so that a write that calls it meanwhile
/// continues.
fn replacing(sql: &str) -> String {
    format!("\n{sql}")
        .replace("\nCREATE FUNCTION ", "\nCREATE OR REPLACE FUNCTION ")
        .replace("\nCREATE AGGREGATE ", "\nCREATE OR REPLACE AGGREGATE ")
}

/// Returns the quickstart's migration of the schema, as `generate` writes it.
fn copy() -> Result<Vec<(String, String)>, String> {
    let folder = copied_folder()?;
    let version = folder
        .split('_')
        .next()
        .unwrap_or_default()
        .replace('-', "");
    let versions = VERSIONS
        .iter()
        .map(|version| {
            let step = version.step.map(|step| -> Result<Step, String> {
                let folder = format!("threadline/migrations/{}", step.name);
                let up = read(&format!("{folder}/up.sql"))?.leak();
                let down = if step.down.is_empty() {
                    ""
                } else {
                    read(&format!("{folder}/down.sql"))?.leak()
                };
                Ok(Step { up, down, ..step })
            });
            let code = if version.number == newest() {
                read(CODE_FILE)?
            } else {
                read(&frozen::code_file(version.number))?
            };
            Ok(Version {
                step: step.transpose()?,
                code: code.leak(),
                ..*version
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    let schema = Schema(&versions);
    let way = Way {
        from: 0,
        to: newest(),
    };
    let path = format!("{QUICKSTART}/{folder}");
    Ok(vec![
        (format!("{path}/up.sql"), schema.up(way, Some(&version))),
        (format!("{path}/down.sql"), schema.down(way, &version)),
    ])
}

pub(crate) fn newest() -> i32 {
    VERSIONS.last().map_or(0, |version| version.number)
}

/// Returns the name of the quickstart's folder for the schema.
fn copied_folder() -> Result<String, String> {
    fs::read_dir(root().join(QUICKSTART))
        .map_err(|error| format!("{QUICKSTART}: {error}"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.contains("_threadline_schema_v"))
        .ok_or_else(|| {
            format!(
                "{QUICKSTART} has no folder *_threadline_schema_v{}",
                newest()
            )
        })
}

fn rename_copy() -> Result<(), String> {
    let folder = copied_folder()?;
    let (time, _) = folder
        .split_once("_threadline_schema_v")
        .unwrap_or_default();
    let named = format!("{time}_threadline_schema_v{}", newest());
    let dir = root().join(QUICKSTART);
    fs::rename(dir.join(folder), dir.join(named)).map_err(|error| format!("{QUICKSTART}: {error}"))
}

/// Fails if code that a release froze changed without a new version.
fn newest_is_declared() -> Result<(), String> {
    let frozen = frozen::code_file(newest());
    match fs::read_to_string(root().join(&frozen)) {
        Ok(text) if text != replacing(&joined(CODE)?) => Err(format!(
            "threadline/sql makes other code than {frozen}, which is frozen: declare version {} in threadline/src/install/versions.rs, with code!(\"code\"), and give version {} its frozen code",
            newest() + 1,
            newest()
        )),
        _ => Ok(()),
    }
}

pub(crate) fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

fn joined(files: &[&str]) -> Result<String, String> {
    let parts: Result<Vec<_>, _> = files
        .iter()
        .map(|file| read(&format!("threadline/sql/{file}.sql")))
        .collect();
    Ok(parts?.join("\n"))
}

/// Fails if a file is in no list: it would be installed nowhere.
fn every_file_has_its_place() -> Result<(), String> {
    let sql = root().join("threadline/sql");
    let unreadable = |error: io::Error| format!("threadline/sql: {error}");
    for folder in fs::read_dir(&sql).map_err(unreadable)? {
        let folder = folder.map_err(unreadable)?.path();
        // The README is next to the folders.
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder).map_err(unreadable)? {
            let path = file.map_err(unreadable)?.path().with_extension("");
            let name = path
                .strip_prefix(&sql)
                .unwrap_or(&path)
                .display()
                .to_string();
            if !TABLES.iter().chain(CODE).any(|file| *file == name) {
                return Err(format!(
                    "threadline/sql/{name}.sql is installed nowhere: add it to CODE in xtask/src/schema.rs, after what it calls"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn migrations_are_what_their_files_make_and_frozen_ones_stay() {
        super::check().unwrap();
    }
}
