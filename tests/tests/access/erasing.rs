use threadline_tests::{assert_contains, assert_rows, rows, run, value};

use super::{Protected, forbidden};

/// A role with the right to erase can do so through the two functions, and no other role
/// can.
#[test]
fn an_eraser_makes_a_person_unreadable_and_nothing_else() {
    let mut protected = Protected::new();
    let eraser = protected.role("eraser");
    run(&mut protected.admin, &format!("CREATE ROLE {eraser}"));
    let protection = protected.protection().eraser(&eraser);
    protection.apply(&mut protected.admin).unwrap();
    let app = &mut protected.application();
    run(
        app,
        "CREATE TABLE people (id int PRIMARY KEY, email text); CREATE TABLE letters (id int PRIMARY KEY, person int, body text);
         INSERT INTO letters VALUES (1, 1, 'dear ada');
         SELECT threadline.audit('people', personal => ARRAY['email']);
         SELECT threadline.audit('letters', personal => ARRAY['body'], subject => '{\"person\": \"people\"}');
         INSERT INTO people VALUES (1, 'ada@a'), (2, 'bob@a'); UPDATE letters SET body = 'dear ada lovelace'",
    );
    let session = &mut protected.session("eraser");
    for statement in [
        "UPDATE threadline.ledger_changes SET row_data = NULL",
        "DELETE FROM threadline.erasures",
        "UPDATE threadline.erasures SET record_key = '2'",
        "INSERT INTO threadline.erased_records (erasure_id, table_id, record_key) VALUES (1, 1, '2')",
        "SELECT threadline.erase_record(NULL, NULL, 1)",
        "SELECT threadline.erase_texts(NULL, 1)",
        "SELECT threadline.erase_unposted(NULL)",
        "SELECT threadline.set_terms('people', '{}')",
        "SELECT threadline.purge()",
        "SELECT threadline.hold('x', 'people')",
        "DELETE FROM threadline.audit_actions",
    ] {
        forbidden(session, statement);
    }
    let schema = value(app, "SELECT current_schema()").unwrap();
    let erasure = value(
        session,
        &format!("SELECT threadline.begin_erasure('{schema}.people', '1', 'request 31')"),
    )
    .unwrap();
    while value(session, &format!("SELECT threadline.erase({erasure})")).as_deref() != Some("0") {}
    assert_rows(
        session,
        "SELECT coalesce(c.row_data, c.changed_from) FROM threadline.audit_changes AS c ORDER BY id",
        [
            r#"{"id": 1, "email": "erased:1"}"#,
            r#"{"id": 2, "email": "bob@a"}"#,
            r#"{"body": "erased:1"}"#,
        ],
    );
    assert_rows(
        session,
        "SELECT meta ->> 'session_user' FROM threadline.audit_actions WHERE name = 'audit.erased'",
        [eraser.as_str()],
    );
    for statement in [
        "SELECT threadline.begin_erasure('people', '2', 'x')".to_owned(),
        format!("SELECT threadline.erase({erasure})"),
    ] {
        forbidden(app, &statement);
    }
    protected.protect();
    forbidden(
        session,
        &format!("SELECT threadline.begin_erasure('{schema}.people', '2', 'x')"),
    );
}

/// No code of a table's owner runs with the rights of the owner of the audit.
#[test]
fn an_erasure_runs_no_code_of_a_tables_owner() {
    let (app, protected) = &mut Protected::with_items(
        "CREATE TABLE people (id int PRIMARY KEY, email text);
         CREATE TABLE letters (id int PRIMARY KEY, person int, body text);
         INSERT INTO letters VALUES (1, 1, 'dear ada');
         SELECT threadline.audit('people', personal => ARRAY['email']);
         SELECT threadline.audit('letters', personal => ARRAY['body'], subject => '{\"person\": \"people\"}');
         UPDATE letters SET body = 'dear ada lovelace';
         CREATE TABLE ran (as_whom text);
         GRANT INSERT ON ran TO PUBLIC;
         CREATE FUNCTION spy() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ran VALUES (current_user); RETURN true; END $$;
         ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON letters USING (spy())",
    );
    let schema = value(app, "SELECT current_schema()").unwrap();
    let owner = protected.role("owner");
    run(app, &format!("REVOKE SELECT ON letters FROM {owner}"));
    let admin = &mut protected.admin;
    let erasure = value(
        admin,
        &format!("SELECT threadline.begin_erasure('{schema}.people', '1', 'request 31')"),
    )
    .unwrap();
    let mut refused = String::new();
    for _ in 0..20 {
        match diesel::connection::SimpleConnection::batch_execute(
            admin,
            &format!("SELECT threadline.erase({erasure})"),
        ) {
            Ok(()) => {}
            Err(error) => refused = error.to_string(),
        }
    }
    // No change shows to whom the letter belongs.
    assert_contains(&refused, "cannot read table");
    assert_eq!(rows(app, "SELECT as_whom FROM ran"), Vec::<String>::new());
    run(app, &format!("GRANT SELECT ON letters TO {owner}"));
    while value(admin, &format!("SELECT threadline.erase({erasure})")).as_deref() != Some("0") {}
    assert_rows(
        admin,
        "SELECT changed_to FROM threadline.audit_changes WHERE op = 'U'",
        [r#"{"body": "erased:1"}"#],
    );
    assert_eq!(rows(app, "SELECT as_whom FROM ran"), Vec::<String>::new());
}
