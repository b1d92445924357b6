//! The audit schema's patches. A migration is one frozen text; what is read and
//! changed is one object a file, in `threadline/sql`. The patches are made from
//! those files mechanically, and never edited.

use std::fs;

use crate::run::root;

/// What each patch is made of, in the order in which PostgreSQL needs it.
const PATCHES: &[(&str, &[&str])] = &[
    (
        "0001_audit_schema",
        &[
            "storage/schema",
            "storage/audited_tables",
            "storage/audit_transactions",
            "storage/audit_changes",
            "storage/audit_actions",
        ],
    ),
    (
        "0002_capture",
        &[
            "capture/key_text",
            "capture/record_key",
            "capture/key_in_image",
            "capture/json_image",
            "capture/columns_of",
            "capture/row_image",
            "capture/placeholder",
            "capture/redacted_image",
            "capture/key_columns_of",
            "capture/fingerprint",
            "capture/columns_match",
            "capture/open_transaction",
            "capture/current_transaction",
            "capture/require_actor",
            "capture/capture_changed_table",
            "capture/capture_truncate",
            "policy/capture_version",
            "policy/policy",
            "policy/image_expression",
            "policy/key_expression",
            "policy/capture_source",
            "policy/audited_table_of",
            "policy/find_audited_table",
            "policy/install_triggers",
            "policy/audit",
            "policy/refresh",
            "policy/unaudit",
        ],
    ),
    (
        "0003_reading",
        &[
            "read/json_array_or_null",
            "read/key_json",
            "read/exact_numbers",
            "read/numeric_columns",
            "read/policy_image",
            "read/fill_excluded",
            "read/populate",
            "read/jsonb_merge",
            "read/changes",
            "read/transactions",
        ],
    ),
];

/// Writes the patches.
pub(crate) fn write() -> Result<(), String> {
    for (patch, text) in patches()? {
        let path = path_of(&patch);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Fails when a patch is not what its files make.
pub(crate) fn check() -> Result<(), String> {
    let stale: Vec<String> = patches()?
        .into_iter()
        .filter(|(patch, text)| fs::read_to_string(path_of(patch)).ok().as_ref() != Some(text))
        .map(|(patch, _)| patch)
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "threadline/migrations is not what threadline/sql makes: {}; run `cargo xtask schema`",
        stale.join(", ")
    ))
}

fn path_of(patch: &str) -> std::path::PathBuf {
    root()
        .join("threadline/migrations")
        .join(patch)
        .join("up.sql")
}

fn patches() -> Result<Vec<(String, String)>, String> {
    PATCHES
        .iter()
        .enumerate()
        .map(|(number, (patch, files))| {
            let mut parts = vec![];
            for file in *files {
                let path = root()
                    .join("threadline/sql")
                    .join(file)
                    .with_extension("sql");
                parts.push(
                    fs::read_to_string(&path)
                        .map_err(|error| format!("{}: {error}", path.display()))?,
                );
            }
            parts.push(format!(
                "INSERT INTO threadline.schema_patches (version) VALUES ({});\n",
                number + 1
            ));
            Ok(((*patch).to_owned(), parts.join("\n")))
        })
        .collect()
}
