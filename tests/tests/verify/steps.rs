//! A large ledger is compared in steps, with the findings of one run.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use diesel::prelude::*;
use threadline::{Finding, FindingCode, Models, ResumePoint, post};
use threadline_tests::{Database, run};

/// Creates records with every kind of disagreement, among others that agree, under keys
/// of several kinds; some still in the journal.
fn damaged() -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(
        r#"
        CREATE TABLE items (id int PRIMARY KEY DEFERRABLE, v int); CREATE TABLE names (a text, b int, v int, PRIMARY KEY (a, b));
        CREATE TABLE cut (id int PRIMARY KEY, v int); CREATE TABLE keyless (line text); CREATE TABLE empty (id int PRIMARY KEY);
        SELECT threadline.audit('items'), threadline.audit('names'), threadline.audit('cut'), threadline.audit('keyless', keyless => true), threadline.audit('empty');
        INSERT INTO items SELECT k, k FROM generate_series(1, 40) AS k; UPDATE items SET v = v + 1; UPDATE items SET id = id + 1 WHERE id > 20;
        INSERT INTO names SELECT chr(96 + k % 7) || '"é', k, k FROM generate_series(1, 30) AS k;
        UPDATE names SET a = '' WHERE b = 5; UPDATE names SET b = b + 100 WHERE b % 5 = 0;
        INSERT INTO cut SELECT k, k FROM generate_series(1, 10) AS k; TRUNCATE cut; INSERT INTO cut SELECT k, k FROM generate_series(5, 15) AS k;
        INSERT INTO keyless VALUES ('x');
        "#,
    );
    post(&mut conn).unwrap();
    run(
        &mut conn,
        "SET session_replication_role = replica;
         ALTER TABLE items DISABLE TRIGGER ALL; ALTER TABLE names DISABLE TRIGGER ALL; ALTER TABLE cut DISABLE TRIGGER ALL;
         UPDATE items SET v = -1 WHERE id % 9 = 0; DELETE FROM items WHERE id % 10 = 1; INSERT INTO items VALUES (21, 0);
         UPDATE names SET v = -1 WHERE b % 4 = 0; DELETE FROM names WHERE b % 11 = 3;
         UPDATE cut SET v = -1 WHERE id > 12;
         SET session_replication_role = origin;
         SELECT threadline.refresh('items'), threadline.refresh('names'), threadline.refresh('cut');
         UPDATE items SET v = 7 WHERE id % 6 = 0; UPDATE names SET v = 8 WHERE b % 3 = 0; DELETE FROM cut WHERE id = 14; INSERT INTO items VALUES (77, 1)",
    );
    (database, conn)
}

fn models() -> Models {
    Models::new(vec![])
}

fn of_records(findings: Vec<Finding>) -> Vec<Finding> {
    findings
        .into_iter()
        .filter(|finding| !finding.examples.is_empty())
        .collect()
}

#[test]
fn steps_of_any_size_find_what_one_run_finds() {
    let (_, conn) = &mut damaged();
    let once = models().verify().examples(3).run(conn).unwrap();
    let codes: Vec<_> = once.findings.iter().map(|finding| &finding.code).collect();
    for code in [
        FindingCode::ChainBroken,
        FindingCode::RowAltered,
        FindingCode::RowMissing,
        FindingCode::RowUnrecorded,
    ] {
        assert!(codes.contains(&&code), "{codes:?}");
    }
    assert_eq!(once.stopped, None);
    for changes in [1, 2, 7, 50, 100_000] {
        let mut seen = BTreeMap::new();
        let stepped = models()
            .verify()
            .examples(3)
            .run_in_steps(conn, changes, |at| {
                seen.insert(at.table.clone(), at.steps);
                assert_eq!(at.tables, 4);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(stepped, once, "{changes}");
        assert_eq!(seen.len(), 4);
        assert_eq!(seen["public.items"] > 1, changes < 100, "{seen:?}");
    }
}

#[test]
fn a_stopped_run_continues_where_it_stopped() {
    let (_, conn) = &mut damaged();
    let once = of_records(models().verify().run(conn).unwrap().findings);
    let mut records: BTreeMap<_, i64> = BTreeMap::new();
    let mut resume: Option<ResumePoint> = None;
    let mut runs = 0;
    loop {
        let models = models();
        let mut verify = models.verify();
        if let Some(point) = resume.take() {
            // It may be kept in a file meanwhile.
            let point: ResumePoint = point.to_string().parse().unwrap();
            verify = verify.resume(point);
        }
        let part = verify
            .run_in_steps(conn, 9, |_| ControlFlow::Break(()))
            .unwrap();
        for finding in of_records(part.findings) {
            *records
                .entry((finding.table, finding.code.to_string()))
                .or_default() += finding.records;
        }
        runs += 1;
        match part.stopped {
            Some(point) => resume = Some(point),
            None => break,
        }
    }
    assert!(runs > 20, "{runs}");
    let expected: BTreeMap<_, _> = once
        .into_iter()
        .map(|finding| ((finding.table, finding.code.to_string()), finding.records))
        .collect();
    assert_eq!(records, expected);
}

/// Writes in between are compared in the step of their record.
#[test]
fn writes_between_steps_are_no_alarm() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, v int); SELECT threadline.audit('items'); INSERT INTO items SELECT k, k FROM generate_series(10, 90) AS k",
    );
    let other = &mut database.connect();
    post(conn).unwrap();
    let stepped = models()
        .verify()
        .run_in_steps(conn, 10, |at| {
            let steps = at.steps;
            run(
                other,
                &format!("UPDATE items SET v = v + 1; DELETE FROM items WHERE id = {}; UPDATE items SET id = 1000 - id WHERE id = 90 - {steps}", 10 + steps),
            );
            if steps % 2 == 0 {
                post(other).unwrap();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(of_records(stepped.findings), []);
}

#[test]
fn a_point_that_is_none_is_refused() {
    assert!("public.items".parse::<ResumePoint>().is_err());
    // Of a dropped table: everything is compared.
    let (database, _) = damaged();
    let conn: &mut PgConnection = &mut database.connect();
    let point: ResumePoint = r#"{"table": "public.gone", "after": "7"}"#.parse().unwrap();
    let once = models().verify().run(conn).unwrap();
    assert_eq!(models().verify().resume(point).run(conn).unwrap(), once);
}
