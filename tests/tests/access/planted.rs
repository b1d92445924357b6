//! Objects that were added to the audit's schema, or changed there, while the application
//! owned it.

use diesel::connection::SimpleConnection;
use threadline_tests::{Database, assert_contains, assert_rows, assert_value, rows, run};

use super::{ITEMS, Protected, forbidden};

/// Returns the result of `protect` after statements of the schema's owner, and the
/// findings of `verify`; then everything is rolled back.
fn planted(protected: &mut Protected, sql: &str) -> (String, Vec<String>) {
    let protection = protected.protection();
    let admin = &mut protected.admin;
    run(admin, "BEGIN");
    run(admin, sql);
    let found = rows(
        admin,
        "SELECT code, message FROM threadline.audit_drift() WHERE code IN ('audit-altered', 'audit-unchecked')",
    );
    run(admin, "SAVEPOINT planted");
    // As in a session of psql.
    let refusal = admin
        .batch_execute(
            &protection
                .to_string()
                .replace("BEGIN;\n", "")
                .replace("\nCOMMIT;", ""),
        )
        .expect_err("protected in spite of it")
        .to_string();
    run(admin, "ROLLBACK");
    (refusal, found)
}

/// Asserts what protection and `verify` say of what was planted.
#[track_caller]
fn assert_planted(protected: &mut Protected, sql: &str, refused: &str, reported: &str) {
    let (refusal, found) = planted(protected, sql);
    assert_contains(&refusal, &format!("\n  {refused}\n"));
    let reported = format!("audit-altered | {reported}");
    assert!(found.contains(&reported), "{reported}: {found:?}");
}

#[test]
fn protection_refuses_and_verify_reports_what_threadline_did_not_install() {
    let mut protected = Protected::new();
    protected.application();
    let plants = [
        (
            "CREATE FUNCTION threadline.door() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM threadline.journal'",
            "function threadline.door()",
        ),
        (
            "CREATE TRIGGER door BEFORE INSERT ON threadline.journal FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger door on threadline.journal",
        ),
        (
            "CREATE RULE door AS ON INSERT TO threadline.ledger_changes DO INSTEAD NOTHING",
            "rule door on threadline.ledger_changes",
        ),
        (
            "CREATE POLICY door ON threadline.audit_actions USING (false)",
            "policy door on threadline.audit_actions",
        ),
        (
            "CREATE TABLE threadline.door (x int)",
            "table threadline.door",
        ),
        (
            "CREATE TABLE public.child () INHERITS (threadline.ledger_changes)",
            "table public.child",
        ),
        (
            "CREATE VIEW threadline.door AS SELECT 1 AS x",
            "view threadline.door",
        ),
        (
            "CREATE MATERIALIZED VIEW threadline.door AS SELECT 1 AS x",
            "materialized view threadline.door",
        ),
        (
            "CREATE SEQUENCE threadline.door",
            "sequence threadline.door",
        ),
        (
            "CREATE DOMAIN threadline.door AS text",
            "type threadline.door",
        ),
        (
            "CREATE TYPE threadline.door AS ENUM ('a')",
            "type threadline.door",
        ),
        (
            "CREATE COLLATION threadline.door (locale = 'C')",
            "collation threadline.door",
        ),
        (
            "CREATE OPERATOR threadline.=== (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = jsonb_eq)",
            "operator threadline.===(jsonb,jsonb)",
        ),
        (
            "CREATE CAST (threadline.finding AS text) WITH INOUT AS ASSIGNMENT",
            "cast (threadline.finding AS text)",
        ),
        (
            "CREATE INDEX door ON threadline.journal ((xact_id::text))",
            "index threadline.door",
        ),
        (
            "ALTER TABLE threadline.journal ADD CONSTRAINT door CHECK (table_id <> 7)",
            "table constraint door on threadline.journal",
        ),
        (
            "CREATE TABLE public.refers (id int REFERENCES threadline.audited_tables)",
            "table constraint refers_id_fkey on public.refers",
        ),
        (
            "CREATE STATISTICS public.door ON id, xact_id FROM threadline.journal",
            "statistics object public.door",
        ),
    ];
    for (sql, object) in plants {
        let said = format!("{object} was not installed by Threadline");
        assert_planted(&mut protected, sql, &said, &said);
    }
}

#[test]
fn protection_refuses_and_verify_reports_what_was_altered() {
    let mut protected = Protected::new();
    protected.application();
    for (sql, object) in [
        (
            "CREATE OR REPLACE FUNCTION threadline.suspended() RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp RETURN true",
            "function threadline.suspended()",
        ),
        (
            "CREATE OR REPLACE FUNCTION threadline.require_handed_over(target regclass) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS 'BEGIN END'",
            "function threadline.require_handed_over(regclass)",
        ),
        (
            "ALTER FUNCTION threadline.post(integer) SET search_path = public",
            "function threadline.post(integer)",
        ),
        (
            "ALTER FUNCTION threadline.post_all() SECURITY DEFINER",
            "function threadline.post_all()",
        ),
        (
            "CREATE OR REPLACE VIEW threadline.waiting AS SELECT 0::bigint AS entries, NULL::timestamptz AS since, 0::bigint AS set_aside, NULL::timestamptz AS last_posted_at",
            "view threadline.waiting",
        ),
        (
            "ALTER TABLE threadline.audit_actions ENABLE ROW LEVEL SECURITY",
            "table threadline.audit_actions",
        ),
        (
            "ALTER TABLE threadline.ledger_changes SET UNLOGGED",
            "table threadline.ledger_changes",
        ),
        (
            "ALTER TABLE threadline.ledger_changes ALTER captured_at SET DEFAULT now()",
            "table threadline.ledger_changes",
        ),
        (
            "ALTER TABLE threadline.ledger_changes ADD x int",
            "table threadline.ledger_changes",
        ),
        (
            "ALTER SEQUENCE threadline.entry_ids INCREMENT -1",
            "sequence threadline.entry_ids",
        ),
    ] {
        assert_planted(
            &mut protected,
            sql,
            &format!("{object} is not what Threadline installs"),
            &format!("{object} is not as it was installed"),
        );
        // The schema's owner could write here, too.
        let (refusal, found) = planted(
            &mut protected,
            &format!("{sql}; SELECT threadline.note_installed_code()"),
        );
        assert_contains(&refusal, object);
        assert_eq!(found, [""; 0]);
    }
    let (refusal, found) = planted(
        &mut protected,
        "DROP INDEX threadline.ledger_changes_position",
    );
    assert_contains(
        &refusal,
        "\n  index threadline.ledger_changes_position is missing\n",
    );
    assert_eq!(
        found,
        ["audit-altered | index threadline.ledger_changes_position is missing"]
    );
    let (_, found) = planted(
        &mut protected,
        "ALTER VIEW threadline.actions OWNER TO CURRENT_USER; DROP VIEW threadline.waiting",
    );
    assert!(
        found
            .iter()
            .any(|f| f.contains("of its objects belong to role")),
        "{found:?}"
    );
}

#[test]
fn a_capture_function_is_compared_with_its_table() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let source = "RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DELETE FROM threadline.journal; RETURN NULL; END'";
    let (refusal, _) = planted(
        protected,
        &format!("CREATE FUNCTION threadline.capture_99() {source}"),
    );
    assert_contains(
        &refusal,
        "\n  function threadline.capture_99() belongs to no table on record; drop it",
    );
    let (refusal, _) = planted(
        protected,
        &format!(
            "CREATE FUNCTION threadline.capture_1(x int) {}",
            source.replace("trigger", "int")
        ),
    );
    assert_contains(
        &refusal,
        "function threadline.capture_1(integer) was not installed",
    );
    let replaced = format!("CREATE OR REPLACE FUNCTION threadline.capture_1() {source}");
    let (refusal, _) = planted(protected, &replaced);
    assert_contains(
        &refusal,
        "\n  function threadline.capture_1() is not what Threadline writes for public.items; run SELECT threadline.refresh('public.items')",
    );

    // If a table is gone or no longer audited, its capture function cannot be checked.
    run(app, "SELECT threadline.unaudit('items')");
    run(&mut protected.admin, &replaced);
    protected.protect();
    assert_value(
        &mut protected.admin,
        "SELECT prosrc FROM pg_proc WHERE oid = 'threadline.capture_1()'::regprocedure AND NOT prosecdef",
        "BEGIN RETURN NULL; END",
    );
    run(
        app,
        "SELECT threadline.audit('items'); INSERT INTO items VALUES (1); DROP TABLE items",
    );
    protected.protect();
    assert_rows(
        &mut protected.admin,
        "SELECT op FROM threadline.changes",
        ["insert"],
    );
    run(
        app,
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items'); INSERT INTO items VALUES (2)",
    );
    assert_rows(
        &mut protected.admin,
        "SELECT table_id FROM threadline.audit_changes ORDER BY id",
        ["1", "1"],
    );
}

#[test]
fn nothing_is_found_in_a_schema_as_it_was_installed() {
    let mut protected = Protected::new();
    protected.application();
    let findings = "SELECT code, message FROM threadline.table_drift()";
    assert_rows(&mut protected.admin, findings, []);
    // Also to a reader, who only has the right to see it.
    assert_rows(&mut protected.session("auditor"), findings, []);
    let database = Database::new();
    assert_rows(&mut database.connect(), findings, []);
    // After a restore of the schema alone, there is nothing to compare with.
    run(
        &mut protected.admin,
        "DELETE FROM threadline.installed_code",
    );
    let codes = "SELECT code FROM threadline.audit_drift()";
    assert_rows(&mut protected.admin, codes, ["audit-unchecked"]);
    // Another major version deparses views differently.
    protected.protect();
    run(
        &mut protected.admin,
        "UPDATE threadline.installed_code SET server_major = 14, shown_digest = 'other'",
    );
    assert_rows(&mut protected.admin, codes, ["audit-unchecked"]);
    protected.protect();
    assert_rows(&mut protected.admin, findings, []);
}
/// Rights that were granted before to a role that is not one of those named.
#[test]
fn rights_that_were_given_before_end_with_protection() {
    let mut protected = Protected::new();
    protected.application();
    let other = protected.role("other");
    run(
        &mut protected.admin,
        &format!(
            "GRANT ALL ON SCHEMA threadline TO {other} WITH GRANT OPTION;
             GRANT ALL ON ALL TABLES IN SCHEMA threadline TO {other} WITH GRANT OPTION; GRANT ALL ON ALL SEQUENCES IN SCHEMA threadline TO PUBLIC;
             GRANT UPDATE (op) ON threadline.journal TO {other};
             GRANT ALL ON FUNCTION threadline.suspend(text, text, text, boolean) TO {other}"
        ),
    );
    protected.protect();
    assert_rows(
        &mut protected.admin,
        "SELECT code, message FROM threadline.table_drift()",
        [],
    );
    let other = &mut protected.session("other");
    for attempt in [
        "DELETE FROM threadline.journal",
        "UPDATE threadline.journal SET op = 'D'",
        "SELECT nextval('threadline.entry_ids')",
        "CREATE TABLE threadline.mine (x int)",
        "SELECT threadline.suspend('why not')",
        "SELECT * FROM threadline.hash_keys",
    ] {
        forbidden(other, attempt);
    }
}

/// Somebody created it under a wrong `search_path`, or moved it, and needs its rows.
#[test]
fn a_table_of_the_application_in_the_schema_of_the_audit_is_moved_out_and_not_dropped() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE orders (id int PRIMARY KEY, parent int REFERENCES orders);
         CREATE INDEX ON orders (parent);
         SELECT threadline.audit('orders');
         INSERT INTO orders VALUES (1);
         ALTER TABLE orders SET SCHEMA threadline",
    );
    let findings = "SELECT concat_ws(' | ', message, fix) FROM threadline.audit_drift() WHERE message NOT LIKE 'index %'";
    assert_rows(
        conn,
        findings,
        [
            "table threadline.orders was not installed by Threadline | ALTER TABLE threadline.orders SET SCHEMA public;",
        ],
    );
    run(conn, "ALTER TABLE threadline.orders SET SCHEMA public");
    assert_rows(conn, "SELECT * FROM threadline.table_drift()", []);
}
