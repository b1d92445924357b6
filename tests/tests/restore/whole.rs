//! A restore of the whole database keeps everything that was recorded.

use threadline_tests::{Database, assert_rows, connect, run, scratch_dir, value};

use super::club::{Club, RESTORED, SOUND, found, pg_restore, refresh_all, restore};

/// Also before a refresh.
#[test]
fn a_dump_in_the_custom_format_goes_on_by_itself() {
    let club = Club::shared();
    let (_, conn) = &mut club.restored();
    assert_eq!(found(conn), RESTORED);
    club.before.goes_on(conn);
    assert_eq!(found(conn), RESTORED);
    refresh_all(conn);
    assert_eq!(found(conn), SOUND);
}

/// A new version of the schema builds the capture functions again, from columns that the
/// restore numbered anew.
#[test]
fn a_dump_restored_and_upgraded_before_a_refresh_records_the_same() {
    let club = Club::shared();
    let (_, conn) = &mut club.restored();
    run(conn, "SELECT threadline.rebuild_captures()");
    assert_eq!(found(conn), RESTORED);
    club.before.goes_on(conn);
    refresh_all(conn);
    assert_eq!(found(conn), SOUND);
}

/// PostgreSQL then quotes the names in the settings of functions.
#[test]
fn a_dump_restored_where_all_identifiers_are_quoted_is_as_it_was() {
    let club = Club::shared();
    let restored = Database::empty();
    let file = club.dump(&["--format=custom"]);
    let quoted = format!(
        "ALTER DATABASE {} SET quote_all_identifiers = on",
        restored.name()
    );
    run(&mut restored.connect(), &quoted);
    restore(&restored, &file, &[]).unwrap();
    let conn = &mut restored.connect();
    assert_eq!(found(conn), RESTORED);
    club.before.goes_on(conn);
    run(conn, "SET quote_all_identifiers = off");
    assert_eq!(found(conn), RESTORED);
    run(
        conn,
        "RESET quote_all_identifiers; SELECT threadline.refresh_all()",
    );
    assert_eq!(found(conn), SOUND);
    run(conn, "SET quote_all_identifiers = off");
    assert_eq!(found(conn), SOUND);
}

#[test]
fn a_dump_in_the_directory_format_is_restored_by_several_jobs() {
    let club = Club::shared();
    let restored = Database::empty();
    let folder = scratch_dir().join("folder");
    club.dump_to(&folder, &["--format=directory", "--jobs=2"]);
    restore(&restored, &folder, &["--jobs=2"]).unwrap();
    let conn = &mut restored.connect();
    refresh_all(conn);
    assert_eq!(found(conn), SOUND);
    club.before.goes_on(conn);
    assert_eq!(found(conn), SOUND);
}

/// psql loads a plain dump in one transaction.
#[test]
fn a_plain_dump_is_restored_in_one_transaction() {
    let club = Club::shared();
    let restored = Database::empty();
    let file = club.dump(&["--format=plain"]).display().to_string();
    let url = restored.url();
    restored.server().run(
        "psql",
        &[
            "--dbname",
            &url,
            "-q1",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            &file,
        ],
    );
    let conn = &mut restored.connect();
    refresh_all(conn);
    assert_eq!(found(conn), SOUND);
    club.before.goes_on(conn);
}

/// Transaction ids start again there, and OIDs are those of other tables.
#[test]
fn on_another_server_transaction_ids_begin_again_and_mislead_nobody() {
    let mut club = Club::new();
    run(
        &mut club.database.connect(),
        "DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$",
    );
    club.write();
    let file = club.dump(&["--format=custom"]);
    let other = Database::alone();
    run(
        &mut other.connect(),
        "CREATE DATABASE other TEMPLATE template0",
    );
    let url = other.server().url_of("other");
    pg_restore(other.server(), &url, &file, &[]).unwrap();
    let conn = &mut connect(&url);
    let newest = "SELECT max(xact_id::text::bigint) > pg_current_xact_id()::text::bigint FROM threadline.audit_transactions";
    assert_eq!(
        value(conn, newest).as_deref(),
        Some("true"),
        "else this shows nothing"
    );
    refresh_all(conn);
    club.before.goes_on(conn);
    // Transaction ids show when a column was renamed.
    run(
        conn,
        "ALTER TABLE plain RENAME n TO count; UPDATE plain SET count = 70 WHERE id = 1; SELECT threadline.refresh('plain')",
    );
    let history = "SELECT coalesce(row_data -> 'n', changed_to -> 'n', changed_to -> 'count') FROM threadline.changes
        WHERE table_name = 'plain' AND key = '{\"id\": 1}' ORDER BY id";
    assert_rows(conn, history, ["0", "1", "70"]);
    assert_rows(
        conn,
        "SELECT renamed_at > (SELECT max(captured_at) FROM threadline.changes WHERE changed_to ? 'n') FROM threadline.renamed_columns",
        ["true"],
    );
    assert_eq!(found(conn), SOUND);
}
