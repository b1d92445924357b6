//! The audit schema's patches. What is read and changed is one object a file, in
//! `threadline/sql`; a migration has to be one text. So the patches are made
//! from those files mechanically, and never edited.
//!
//! A release freezes its patches: databases have run them. A file that changes
//! later moves from its patch into the newest, and the frozen patch leaves the
//! table.

use std::{fs, io};

use threadline_test_server::root;

/// What each patch is made of, in the order in which PostgreSQL needs it.
const PATCHES: &[(&str, &[&str])] = &[
    (
        "0001_tables",
        &[
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
            "storage/token_keys",
            "storage/indexes",
        ],
    ),
    (
        "0002_code",
        &[
            "capture/key_text",
            "capture/bounded_key",
            "capture/record_key",
            "capture/key_in_image",
            "capture/json_image",
            "capture/columns_of",
            "capture/base_type",
            "capture/json_form",
            "capture/present_columns",
            "capture/too_large",
            "capture/whole_image",
            "capture/row_image",
            "capture/own_rows",
            "capture/placeholder",
            "capture/redacted_image",
            "capture/token_pad",
            "capture/new_token_key",
            "capture/token",
            "capture/with_tokens",
            "capture/key_columns_of",
            "capture/generation_of",
            "capture/fingerprint",
            "capture/audited_relation",
            "capture/settings_needed",
            "capture/plain_columns",
            "capture/columns_match",
            "capture/columns_stand",
            "capture/columns_now",
            "capture/redaction_now",
            "capture/redacted_change",
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
            "capture/capture_template",
            "capture/plain_images",
            "capture/named_images",
            "policy/capture_version",
            "policy/policy",
            "policy/filled",
            "policy/quoted",
            "policy/token_expression",
            "policy/image_expression",
            "policy/built_for",
            "policy/known_table_of",
            "policy/audited_table_of",
            "policy/live_key",
            "policy/key_expression",
            "capture/json_array_or_null",
            "capture/key_condition",
            "policy/capture_source",
            "policy/pinned_settings",
            "policy/build_function",
            "policy/former_table",
            "policy/find_audited_table",
            "policy/expected_triggers",
            "policy/drop_triggers",
            "policy/check_condition",
            "policy/parses_foreign_code",
            "policy/install_triggers",
            "policy/treatment",
            "policy/whole_xid",
            "posting/highest_id",
            "posting/set_sequence",
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
            "read/json_documents",
            "read/populate",
            "read/jsonb_merge",
            "read/audit_changes",
            "read/record_changes",
            "read/audit_transactions",
            "read/changes",
            "read/transactions",
            "verify/finding",
            "verify/whereabouts",
            "verify/audit_call",
            "verify/mending",
            "verify/trigger_drift",
            "verify/column_drift",
            "verify/function_drift",
            "verify/stray_triggers",
            "verify/posting_drift",
            "verify/own_objects",
            "verify/note_installed_code",
            "verify/ways_to_undo",
            "verify/audit_drift",
            "verify/table_drift",
            "policy/unnoted_renames",
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
            "policy/token_keys_stand",
            "policy/as_decided",
            "policy/write_policy",
            "policy/audit",
            "policy/refresh",
            "policy/end_audit",
            "policy/unaudit",
            "action/record_action",
            "action/actions",
            "explore/first_transaction_since",
            "explore/last_transaction_by",
            "time_travel/settled",
            "time_travel/last_captured",
            "time_travel/renames_of",
            "time_travel/renamed_image",
            "time_travel/current_names",
            "time_travel/column_policy",
            "time_travel/redaction",
            "time_travel/redacted",
            "time_travel/live_expression",
            "time_travel/live_image",
            "time_travel/settle",
            "time_travel/blind_truncates",
            "time_travel/truncated_unseen",
            "time_travel/settled_record",
            "time_travel/record_as_of",
            "time_travel/rows_as_of",
            "revert/relation_of",
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
            "revert/put_record_back",
            "revert/revert_record",
            "verify/unaudited_tables_but",
            "verify/unaudited_tables",
            "verify/values_differ",
            "verify/comparable_columns",
            "verify/chain_obstacle",
            "verify/chain_drift",
            "access/suspend",
            "access/resume",
        ],
    ),
];

/// Writes the patches that are not what their files make.
pub(crate) fn write() -> Result<(), String> {
    for (path, text) in stale()? {
        fs::write(root().join(&path), text).map_err(|error| format!("{path}: {error}"))?;
        println!("wrote {path}");
    }
    Ok(())
}

/// Fails when a patch is not what its files make.
pub(crate) fn check() -> Result<(), String> {
    let stale: Vec<String> = stale()?.into_iter().map(|(path, _)| path).collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not what threadline/sql makes:\n  {}\nrun `cargo xtask schema`",
        stale.join("\n  ")
    ))
}

/// The patches to be written: their paths, and what is to stand there.
fn stale() -> Result<Vec<(String, String)>, String> {
    every_file_has_its_place()?;
    let mut stale = vec![];
    for (patch, files) in PATCHES {
        let up = format!("threadline/migrations/{patch}/up.sql");
        let down = format!("threadline/migrations/{patch}/down.sql");
        let mut texts = vec![(up, text_of(patch, files)?)];
        let back = fs::read_to_string(root().join(&down)).map_err(|error| format!("{down}: {error}"))?;
        for copy in copies(patch)? {
            texts.push((format!("{copy}/up.sql"), texts[0].1.clone()));
            texts.push((format!("{copy}/down.sql"), back.clone()));
        }
        stale.extend(texts.into_iter().filter(|(path, text)| {
            fs::read_to_string(root().join(path)).ok().as_ref() != Some(text)
        }));
    }
    Ok(stale)
}

/// The quickstart's own copies of a patch, as `generate` wrote them.
fn copies(patch: &str) -> Result<Vec<String>, String> {
    let folder = "examples/quickstart/migrations";
    let entries = fs::read_dir(root().join(folder)).map_err(|error| format!("{folder}: {error}"))?;
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(&format!("_threadline_{patch}")))
        .map(|name| format!("{folder}/{name}"))
        .collect())
}

fn text_of(patch: &str, files: &[&str]) -> Result<String, String> {
    let mut parts = vec![];
    for file in files {
        let path = format!("threadline/sql/{file}.sql");
        let part = fs::read_to_string(root().join(&path));
        parts.push(part.map_err(|error| format!("{path}: {error}"))?);
    }
    let number = patch.split('_').next().unwrap_or_default();
    parts.push(format!(
        "INSERT INTO threadline.schema_patches (version) VALUES ({});\n",
        number.trim_start_matches('0')
    ));
    if number > "0001" {
        parts.push("SELECT threadline.note_installed_code();\n".to_owned());
    }
    Ok(parts.join("\n"))
}

/// A new file that nobody put into a patch would be installed nowhere.
fn every_file_has_its_place() -> Result<(), String> {
    let sql = root().join("threadline/sql");
    let unreadable = |error: io::Error| format!("threadline/sql: {error}");
    for folder in fs::read_dir(&sql).map_err(unreadable)? {
        for file in fs::read_dir(folder.map_err(unreadable)?.path()).map_err(unreadable)? {
            let path = file.map_err(unreadable)?.path().with_extension("");
            let name = path
                .strip_prefix(&sql)
                .unwrap_or(&path)
                .display()
                .to_string();
            if !PATCHES
                .iter()
                .any(|(_, files)| files.contains(&name.as_str()))
            {
                return Err(format!(
                    "threadline/sql/{name}.sql is in no patch: add it to PATCHES in xtask/src/schema.rs, after what it calls"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn patches_are_what_their_files_make() {
        super::check().unwrap();
    }
}
