use threadline_tests::{assert_rows, assert_value, run, value};

use super::{Protected, forbidden};

/// A role with the right to purge removes what the policies allow, and nothing else.
#[test]
fn a_purger_removes_what_is_older_than_the_policies_keep_it_and_nothing_else() {
    let mut protected = Protected::new();
    let (purger, holder) = (protected.role("purger"), protected.role("holder"));
    run(
        &mut protected.admin,
        &format!("CREATE ROLE {purger}; CREATE ROLE {holder}"),
    );
    let protection = protected.protection().purger(&purger).holder(&holder);
    protection.apply(&mut protected.admin).unwrap();
    let app = &mut protected.application();
    run(app, "SELECT threadline.audit('items', keep => '3 years')");
    run(app, "INSERT INTO items VALUES (1), (2)");
    run(
        &mut protected.admin,
        "UPDATE threadline.journal SET captured_at = captured_at - interval '4 years', occurred_at = occurred_at - interval '4 years'",
    );
    run(&mut protected.admin, "SELECT threadline.post()");
    run(app, "INSERT INTO items VALUES (3)");

    let session = &mut protected.session("purger");
    for statement in [
        "DELETE FROM threadline.ledger_changes",
        "UPDATE threadline.audited_tables SET policy = policy || '{\"keep\": \"1 day\"}'",
        r#"SELECT threadline.set_terms('items', '{"keep": "1 day"}')"#,
        "SELECT threadline.set_retention('1 day', NULL)",
        "UPDATE threadline.retention SET floor = NULL",
        "SELECT threadline.purge_batch(NULL, 100)",
        "INSERT INTO threadline.purges (table_id, kept_since, action_id, purged_by) VALUES (1, now(), 1, '')",
        "DELETE FROM threadline.legal_holds",
        "SELECT threadline.hold('x', 'items')",
    ] {
        forbidden(session, statement);
    }
    let lawyer = &mut protected.session("holder");
    let hold = value(lawyer, "SELECT threadline.hold('lawsuit', 'items', '1')").unwrap();
    let release = format!("SELECT threadline.release({hold}, 'settled')");
    forbidden(session, &release);
    forbidden(lawyer, "SELECT threadline.purge()");
    assert_value(session, "SELECT threadline.purge()", "1");
    run(lawyer, &release);
    assert_rows(
        lawyer,
        "SELECT record_key FROM threadline.audit_changes ORDER BY 1",
        ["1", "3"],
    );
    assert_value(session, "SELECT threadline.purge()", "1");
    assert_rows(
        session,
        "SELECT record_key FROM threadline.audit_changes",
        ["3"],
    );
    // No other role can.
    for statement in [
        "SELECT threadline.purge()",
        "SELECT threadline.hold('x', 'items')",
        "SELECT threadline.release(1, 'x')",
        "SELECT threadline.set_retention('1 day', NULL)",
    ] {
        forbidden(app, statement);
    }
    protected.protect();
    forbidden(session, "SELECT threadline.purge()");
    forbidden(lawyer, "SELECT threadline.hold('x', 'items')");
}

/// An application's operations on its own tables need no other right.
#[test]
fn an_application_lets_one_of_its_tables_take_the_place_of_another() {
    let (app, protected) = &mut Protected::with_items(
        "INSERT INTO items VALUES (1), (2);
         CREATE TABLE items_new (LIKE items INCLUDING ALL);
         INSERT INTO items_new VALUES (2);
         ALTER TABLE items RENAME TO items_old;
         ALTER TABLE items_new RENAME TO items",
    );
    run(
        app,
        "SELECT threadline.audit('items', continues => 'items_old')",
    );
    assert_rows(
        &mut protected.admin,
        "SELECT op, record_key FROM threadline.audit_changes ORDER BY id",
        ["I | 1", "I | 2", "D | 1"],
    );
    let other = &mut protected.session("other");
    run(other, "CREATE TABLE theirs (id int PRIMARY KEY, name text)");
    for call in [
        "SELECT threadline.audit('theirs', continues => 'items')",
        "SELECT threadline.give_history('items', 'theirs')",
        "SELECT threadline.record_replacement('items', 'theirs')",
    ] {
        let error = super::refused(other, call);
        assert!(
            error.contains("permission denied") || error.contains("must be owner"),
            "{call}: {error}"
        );
    }
}

/// The application decides the retention of its tables, down to the floor set by the
/// owner of the audit.
#[test]
fn an_application_keeps_nothing_for_less_than_the_floor() {
    let mut protected = Protected::new();
    let owner = protected.role("owner");
    run(
        &mut protected.admin,
        &format!("SET ROLE {owner}; SELECT threadline.set_retention('1 year', NULL); RESET ROLE"),
    );
    let app = &mut protected.application();
    run(app, "SELECT threadline.audit('items', keep => '3 years')");
    for statement in [
        "SELECT threadline.audit('items', keep => '1 day')",
        "SELECT threadline.audit('items', mask => ARRAY['name'], keep => '1 day')",
    ] {
        let error = super::refused(app, statement);
        assert!(
            error.contains("the minimum is 1 year"),
            "{statement}: {error}"
        );
    }
}
