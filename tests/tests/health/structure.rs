use diesel::prelude::*;
use threadline::{Finding, Models};
use threadline_tests::{Database, NEWEST, Sent, run};

use super::{USERS, User, found, health};

/// Returns the findings of `verify` of the same kind.
fn verified(conn: &mut PgConnection) -> Vec<String> {
    let mut findings = Models::new(vec![]).verify().run(conn).unwrap().findings;
    findings.retain(|finding| !finding.code.as_str().ends_with("unaudited"));
    findings.iter().map(line).collect()
}

fn line(finding: &Finding) -> String {
    format!(
        "{} {}",
        finding.code,
        finding.table.as_deref().unwrap_or("-")
    )
}

#[test]
fn it_finds_the_structure_that_verify_finds() {
    for (damage, expected) in [
        ("SELECT 1", &[][..]),
        (
            "ALTER TABLE plain DISABLE TRIGGER ALL",
            &["trigger-disabled public.plain"; 2],
        ),
        (
            "ALTER TABLE plain ENABLE REPLICA TRIGGER \"!threadline_capture_1\"",
            &["trigger-disabled public.plain"],
        ),
        (
            "ALTER TABLE plain ENABLE TRIGGER \"!threadline_capture_1\"",
            &["trigger-altered public.plain"],
        ),
        (
            "DROP TRIGGER \"!threadline_capture_1\" ON plain",
            &["trigger-missing public.plain"],
        ),
        (
            "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION threadline.capture_1();
             ALTER TABLE plain ENABLE ALWAYS TRIGGER \"!threadline_capture_1\"",
            &["trigger-altered public.plain"],
        ),
        (
            "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" AFTER INSERT OR DELETE OR UPDATE OF note ON plain FOR EACH ROW EXECUTE FUNCTION threadline.capture_1();
             ALTER TABLE plain ENABLE ALWAYS TRIGGER \"!threadline_capture_1\"",
            &["trigger-altered public.plain"],
        ),
        (
            "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" AFTER INSERT OR DELETE OR UPDATE ON plain FOR EACH ROW WHEN (false) EXECUTE FUNCTION threadline.capture_1();
             ALTER TABLE plain ENABLE ALWAYS TRIGGER \"!threadline_capture_1\"",
            &["trigger-altered public.plain"],
        ),
        (
            "ALTER TABLE parts_1 DISABLE TRIGGER \"!threadline_capture_3\"",
            &["partition-unseen public.parts_1"],
        ),
        (
            "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2)",
            &["partition-truncate-unseen public.parts_2"],
        ),
        ("ALTER TABLE plain ADD more int, ADD others text", &["columns-added public.plain"]),
        ("ALTER TABLE plain RENAME note TO remark", &["columns-outdated public.plain"]),
        ("ALTER TABLE plain ALTER note TYPE varchar", &["columns-outdated public.plain"]),
        ("ALTER TABLE plain DROP note", &["columns-outdated public.plain"]),
        ("ALTER TABLE plain DROP note, ADD note text", &[]),
        ("ALTER TABLE secretive ADD more int", &["columns-changed public.secretive"]),
        ("ALTER TABLE chosen ADD more int", &["columns-changed public.chosen"]),
        ("DROP TABLE plain", &["table-dropped public.plain"]),
        (
            "DROP TABLE plain; CREATE TABLE plain (id int PRIMARY KEY, note text)",
            &["table-recreated public.plain"],
        ),
        (
            "UPDATE threadline.audited_tables SET capture_version = 0 WHERE id = 2",
            &["capture-outdated public.secretive"],
        ),
        // With another name or schema it is the same table.
        ("ALTER TABLE plain RENAME TO other; ALTER TABLE secretive SET SCHEMA elsewhere", &[]),
        ("SELECT threadline.unaudit('plain'); DROP TABLE plain", &[]),
    ] {
        let (_, conn) = &mut Database::with(
            "CREATE TABLE plain (id int PRIMARY KEY, note text); CREATE TABLE secretive (id int PRIMARY KEY, note text, v int GENERATED ALWAYS AS (id) STORED);
             CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
             CREATE TABLE chosen (id int PRIMARY KEY, a int, b int); CREATE TABLE several (LIKE chosen INCLUDING ALL); CREATE SCHEMA elsewhere;
             SELECT threadline.audit('plain'), threadline.audit('secretive', mask => ARRAY['note']), threadline.audit('parts'),
                    threadline.audit('chosen', columns => ARRAY['a']),
                    threadline.audit('several', operations => ARRAY['update', 'insert'], condition => 'NEW.a > 1')",
        );
        run(conn, damage);
        let health = health(conn);
        let shown: Vec<_> = health.findings.iter().map(line).collect();
        assert_eq!(shown, expected, "after {damage}");
        assert_eq!(shown, verified(conn), "after {damage}");
        let error = found(&health).iter().any(|finding| finding.starts_with("error"));
        assert_eq!(health.healthy, !error, "after {damage}");
        // Names are compared as text.
        run(conn, "SET quote_all_identifiers = on");
        let quoted: Vec<_> = self::health(conn).findings.iter().map(line).collect();
        assert_eq!(quoted, expected, "after {damage}, with quotes");
        assert_eq!(quoted, verified(conn), "after {damage}, with quotes");
    }
}

/// A finding about the table of a model is found by the table's name.
#[test]
fn a_model_s_findings_are_the_same_where_all_identifiers_are_quoted() {
    for damage in [
        "SELECT 1",
        "ALTER TABLE users ADD more int",
        "DROP TRIGGER \"!threadline_capture_1\" ON users",
        "SELECT threadline.unaudit('users')",
    ] {
        let (_, conn) = &mut Database::with(USERS);
        run(conn, "SELECT threadline.audit('users')");
        run(conn, damage);
        let models = threadline::models![User];
        let of = |conn: &mut PgConnection| {
            let health = models.health(conn).unwrap();
            let verified = models.verify().run(conn).unwrap();
            (found(&health), health.models, verified.findings)
        };
        let plain = of(conn);
        run(conn, "SET quote_all_identifiers = on");
        assert_eq!(of(conn), plain, "after {damage}");
    }
}

/// The fixes of a health check's findings work.
#[test]
fn fixes_of_the_health_check_fix() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (LIKE a INCLUDING ALL); CREATE TABLE c (LIKE a INCLUDING ALL);
         SELECT threadline.audit('a'), threadline.audit('b'), threadline.audit('c');
         DROP TRIGGER \"!threadline_capture_1\" ON a; ALTER TABLE b DISABLE TRIGGER ALL; ALTER TABLE c ADD x int",
    );
    let before = health(conn);
    assert!(!before.healthy);
    for finding in &before.findings {
        run(conn, finding.fix.as_deref().unwrap());
    }
    assert_eq!(found(&health(conn)), [""; 0]);
}

#[test]
fn without_a_schema_or_with_an_older_one_it_says_so_and_counts_nothing() {
    let empty = Database::empty();
    let health = threadline::models![User]
        .health(&mut empty.connect())
        .unwrap();
    assert_eq!(found(&health), ["error schema-missing -"]);
    assert!(!health.healthy);
    assert_eq!(health.counters, None);

    let (_, conn) =
        &mut Database::with("UPDATE threadline.schema_versions SET version = version - 1");
    let health = threadline::models![User].health(conn).unwrap();
    assert_eq!(found(&health), ["error schema-outdated -"]);
    assert_eq!(health.installed_version, Some(NEWEST - 1));
}

/// Tables from a dump have other OIDs.
#[test]
fn tables_from_a_dump_are_found() {
    let (database, conn) = &mut Database::with("CREATE TABLE before (id int PRIMARY KEY)");
    run(conn, USERS);
    run(conn, "SELECT threadline.audit('users'); DROP TABLE before");
    let (_, conn) = &mut database.restored().connected();
    let models = threadline::models![User];
    assert_eq!(found(&models.health(conn).unwrap()), [""; 0]);
    run(conn, "ALTER TABLE users DISABLE TRIGGER ALL");
    assert_eq!(
        found(&models.health(conn).unwrap()),
        ["error trigger-disabled public.users"; 2]
    );
}

/// A load balancer checks every few seconds.
#[test]
fn it_asks_as_many_queries_of_many_tables_as_of_one() {
    let count = |tables: usize| {
        let (_, conn) = &mut Database::with(USERS);
        run(conn, "SELECT threadline.audit('users')");
        for table in 1..tables {
            run(
                conn,
                &format!(
                    "CREATE TABLE t{table} (id int PRIMARY KEY); SELECT threadline.audit('t{table}')"
                ),
            );
        }
        let sent = Sent::default();
        conn.set_instrumentation(sent.log());
        let specs = std::iter::repeat_with(<User as threadline::AuditedModel>::spec).take(tables);
        let health = Models::new(specs.collect()).health(conn).unwrap();
        assert!(health.healthy);
        assert_eq!(health.models.len(), tables);
        assert_eq!(health.counters.unwrap().audited_tables, tables as i64);
        sent.take().len()
    };
    assert_eq!(count(1), 5);
    assert_eq!(count(12), 5);
}
