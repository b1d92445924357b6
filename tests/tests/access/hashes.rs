//! With the key of a hash, values can be guessed until one gives it.

use threadline::Models;
use threadline_tests::{assert_rows, assert_value, rows, run};

use super::{Protected, forbidden};

#[test]
fn the_key_is_for_the_owner_alone_and_no_view_shows_it() {
    let (app, protected) = &mut Protected::with_items(
        "CREATE TABLE people (id int PRIMARY KEY, ssn text);
         SELECT threadline.audit('people', hash => ARRAY['ssn']);
         INSERT INTO people VALUES (1, '123-45-6789'), (2, '123-45-6789');
         UPDATE people SET ssn = '987-65-4321' WHERE id = 1;
         UPDATE people SET ssn = '123-45-6789' WHERE id = 1",
    );
    // Also earlier grants by hand.
    let auditor_role = protected.role("auditor");
    run(
        &mut protected.admin,
        &format!("GRANT ALL ON ALL TABLES IN SCHEMA threadline TO {auditor_role}"),
    );
    protected.protect();
    let auditor = &mut protected.session("auditor");
    for session in [&mut *app, &mut *auditor] {
        forbidden(session, "SELECT * FROM threadline.hash_keys");
        forbidden(
            session,
            "INSERT INTO threadline.hash_keys (inner_key, outer_key) VALUES ('', '')",
        );
        forbidden(session, "SELECT threadline.hash(1, '\"123-45-6789\"')");
        forbidden(session, "SELECT threadline.new_hash_key()");
    }
    run(app, &format!("GRANT SELECT ON people TO {auditor_role}"));
    let equal = "SELECT count(DISTINCT image ->> 'ssn') FROM threadline.changes AS c
         CROSS JOIN LATERAL unnest(ARRAY[row_data, changed_from, changed_to]) AS image";
    assert_value(auditor, equal, "2");
    assert_rows(
        auditor,
        "SELECT image ->> 'ssn' FROM threadline.record_as_of('people', '1', clock_timestamp())",
        ["***"],
    );

    let findings = |conn: &mut diesel::PgConnection| {
        let report = Models::new(vec![]).verify().table("people").run(conn);
        report.unwrap().findings.len()
    };
    assert_eq!(findings(auditor), 0);
    assert_eq!(findings(&mut protected.admin), 0);
    run(
        app,
        "ALTER TABLE people DISABLE TRIGGER ALL; UPDATE people SET ssn = '5'; ALTER TABLE people ENABLE TRIGGER ALL; SELECT threadline.refresh('people')",
    );
    assert_eq!(findings(auditor), 1, "the triggers were off");
    assert_eq!(findings(&mut protected.admin), 2, "who has the key sees it");

    let keys = rows(
        &mut protected.admin,
        "SELECT encode(key, 'hex') FROM threadline.hash_keys, unnest(ARRAY[inner_key, outer_key]) AS key",
    );
    assert_eq!(keys.len(), 2);
    let relations = rows(
        auditor,
        "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relkind IN ('r', 'v')
         AND has_table_privilege(oid, 'SELECT')",
    );
    assert!(relations.len() > 6, "{relations:?}");
    assert!(!relations.contains(&"threadline.hash_keys".to_owned()));
    for relation in relations {
        let shown = rows(auditor, &format!("SELECT r::text FROM {relation} AS r")).join("\n");
        assert!(
            !keys.iter().any(|key| shown.contains(key.as_str())),
            "{relation}"
        );
    }
    let sources = rows(auditor, "SELECT prosrc FROM pg_proc").join("\n");
    assert!(!keys.iter().any(|key| sources.contains(key.as_str())));
}
