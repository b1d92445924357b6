//! `pg_restore --data-only` into a database with existing tables.

use std::fs;

use threadline_tests::{
    Database, assert_contains, assert_rows, assert_value, rows, run, scratch_dir, value,
};

use super::club::{Club, RESTORED, SOUND, found, refresh_all, restore};

const DATA: &str = "--data-only";

/// The application's data without its history. One session does it all, so that capture can
/// be suspended in it.
#[test]
fn a_load_in_a_suspended_session_is_not_recorded() {
    let club = Club::shared();
    let migrated = Club::migrated();
    let dump = club.dump(&["--format=plain", DATA, "--exclude-schema=threadline"]);
    let load = scratch_dir().join("load.sql");
    let data = fs::read_to_string(dump).unwrap();
    let suspend = "SELECT threadline.suspend('restore', for_session => true);";
    fs::write(&load, format!("{suspend}\n{data}")).unwrap();
    let (url, load) = (migrated.url(), load.display().to_string());
    migrated.server().run(
        "psql",
        &["--dbname", &url, "-q", "-v", "ON_ERROR_STOP=1", "-f", &load],
    );
    let conn = &mut migrated.connect();
    assert_value(conn, "SELECT count(*) FROM redacted", "4");
    assert_rows(conn, "SELECT * FROM threadline.changes", []);
    assert_eq!(found(conn), ["capture-suspended"]);
    run(conn, "UPDATE redacted SET name = 'recorded' WHERE id = 1");
    assert_value(conn, "SELECT count(*) FROM threadline.changes", "1");
}

/// With its history: the audit of the migrated database is replaced by that of the dump.
#[test]
fn the_audit_of_the_dump_replaces_that_of_the_migrated_database() {
    let club = Club::shared();
    let migrated = Club::migrated();
    // A table that the dump of the other database lacks, which takes ids that it uses.
    run(
        &mut migrated.connect(),
        "SELECT threadline.unaudit('plain'), threadline.unaudit('people');
         CREATE TABLE another (id int PRIMARY KEY); SELECT threadline.audit('another')",
    );
    let dump = club.dump(&["--format=custom"]);
    let conn = &mut migrated.connect();
    run(
        conn,
        "DROP SCHEMA threadline CASCADE; CREATE SCHEMA threadline",
    );
    restore(&migrated, &dump, &[DATA, "--exclude-schema=threadline"]).unwrap();
    restore(&migrated, &dump, &["--schema=threadline"]).unwrap();
    let list = migrated
        .server()
        .run("pg_restore", &["--list", dump.to_str().unwrap()]);
    let triggers: Vec<_> = list
        .lines()
        .filter(|line| line.contains(" TRIGGER ") && line.contains("!threadline_"))
        .collect();
    let chosen = scratch_dir().join("triggers");
    fs::write(&chosen, triggers.join("\n")).unwrap();
    let list = ["--use-list", chosen.to_str().unwrap()];
    restore(&migrated, &dump, &list).unwrap();
    assert_eq!(
        found(conn),
        [&RESTORED[..], &["table-unaudited public.another"]].concat()
    );
    refresh_all(conn);
    assert_eq!(found(conn), ["table-unaudited public.another"]);
    club.before.goes_on(conn);
}

/// The tables from the same dump, and its data afterwards: then ids and policies agree,
/// without conflicts.
#[test]
fn tables_and_data_of_one_dump_go_on_after_a_refresh() {
    let club = Club::shared();
    let restored = Database::empty();
    let dump = club.dump(&["--format=custom"]);
    restore(&restored, &dump, &["--schema-only"]).unwrap();
    restore(&restored, &dump, &[DATA, "--disable-triggers"]).unwrap();
    let conn = &mut restored.connect();
    // ENABLE TRIGGER ALL, by pg_restore, made them fire only for the application.
    let findings = found(conn);
    assert!(
        findings.contains(&"trigger-altered public.plain".to_owned()),
        "{findings:?}"
    );
    club.before.is_kept(conn);
    refresh_all(conn);
    assert_eq!(found(conn), SOUND);
    club.before.goes_on(conn);
}

/// A way to avoid: it loses no change, but later readers cannot tell which changes were
/// only loaded.
#[test]
fn a_load_that_is_recorded_loses_no_change_and_keeps_nobody_from_posting() {
    for arguments in [&[DATA][..], &[DATA, "--disable-triggers"]] {
        let club = Club::new();
        let migrated = Club::migrated();
        let dump = club.dump(&["--format=custom"]);
        let error = restore(&migrated, &dump, arguments).unwrap_err();
        for table in ["audited_tables", "hash_keys", "posting"] {
            assert_contains(&error, &format!("COPY failed for table \"{table}\""));
        }
        let conn = &mut migrated.connect();
        let there = &mut club.database.connect();
        run(conn, "INSERT INTO plain VALUES (-1)");
        while value(conn, "SELECT threadline.post()").as_deref() != Some("0") {}
        while value(there, "SELECT threadline.post()").as_deref() != Some("0") {}
        assert_eq!(threadline::waiting(conn).unwrap().set_aside, 0);
        assert_eq!(threadline::waiting(conn).unwrap().entries, 0);
        let content = "SELECT op, record_key, previous_key, changed_from, changed_to, row_data, actor_id, captured_at
            FROM threadline.ledger_changes AS c JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id ORDER BY captured_at, c.id";
        let (recorded, before) = (rows(conn, content), rows(there, content));
        let lost: Vec<_> = before
            .iter()
            .filter(|change| !recorded.contains(change))
            .collect();
        assert!(lost.is_empty(), "{arguments:?}: {lost:#?}");
        let loaded = if arguments.len() == 1 { 19 } else { 0 };
        assert_eq!(recorded.len(), before.len() + loaded + 1, "{arguments:?}");
    }
}
