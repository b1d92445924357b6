//! pg_upgrade, which keeps only the OIDs of tables and types, and transaction ids.

use std::env;
use std::path::PathBuf;

use threadline_tests::{Database, run, value};

use super::club::{Club, SOUND, found, refresh_all};

/// The folder with the programs of a newer server; otherwise the server is upgraded to
/// its own version, which also changes the OIDs of everything except tables and types.
const NEWER: &str = "THREADLINE_UPGRADE_TO";

#[test]
fn an_upgraded_server_goes_on_where_it_was() {
    let mut club = Club::on(Database::alone());
    let major = "SELECT current_setting('server_version_num')::int / 10000";
    let before = value(&mut club.database.connect(), major);
    let expression = "SELECT min(oid) FROM pg_attrdef WHERE adrelid = 'redacted'::regclass";
    // So that the expression's OID does not match by chance.
    run(
        &mut club.database.connect(),
        "CREATE TABLE later (id int); DROP TABLE later",
    );
    let oid_before = value(&mut club.database.connect(), expression);
    club.database
        .own_server()
        .upgrade(env::var_os(NEWER).map(PathBuf::from));
    let conn = &mut club.database.connect();
    assert_ne!(
        value(conn, expression),
        oid_before,
        "else this shows nothing"
    );
    // Versions deparse views differently, so they are compared within one.
    let unchecked = if value(conn, major) == before {
        vec![]
    } else {
        vec!["audit-unchecked threadline"]
    };
    assert_eq!(found(conn), unchecked);
    club.before.goes_on(conn);
    refresh_all(conn);
    assert_eq!(found(conn), unchecked);
    run(conn, "SELECT threadline.note_installed_code()");
    assert_eq!(found(conn), SOUND);
}
