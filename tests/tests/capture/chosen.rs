//! Tables with policies that record only a part.

use threadline_tests::{assert_rows, changes, error_of, rolled_back_with, rows, run};

const NO_EXPRESSION: &str = "threadline: the condition under which table public.orders is recorded has a quote, a comment, a semicolon, a backslash or a dollar sign that does not belong into an expression";

const ORDERS: &str =
    "CREATE TABLE orders (id int PRIMARY KEY, status text, note text, amount numeric)";

#[test]
fn only_chosen_columns_are_recorded_also_after_new_ones() {
    let conn = &mut rolled_back_with(ORDERS);
    run(
        conn,
        "SELECT threadline.audit('orders', columns => ARRAY['status', 'note'], mask => ARRAY['note']);
         INSERT INTO orders VALUES (1, 'new', 'secret', 5);
         UPDATE orders SET amount = 6;
         ALTER TABLE orders ADD token text DEFAULT 'secret';
         UPDATE orders SET amount = 7, status = 'paid', token = 'secret2';
         ALTER TABLE orders RENAME status TO state;
         SELECT threadline.refresh('orders');
         UPDATE orders SET amount = 8, state = 'sent', token = 'secret3', note = 'secret4'",
    );
    assert_eq!(
        changes(conn),
        [
            r#"insert | orders | {"id": 1} | NULL | NULL | {"id": 1, "note": "***", "status": "new"} | "#,
            r#"update | orders | {"id": 1} | {"status": "new"} | {"status": "paid"} | NULL | "#,
            r#"update | orders | {"id": 1} | {"note": "***", "state": "paid"} | {"note": "***", "state": "sent"} | NULL | "#,
        ]
    );
}

#[test]
fn only_chosen_operations_are_recorded() {
    let conn = &mut rolled_back_with(ORDERS);
    run(
        conn,
        "SELECT threadline.audit('orders', operations => ARRAY['update', 'delete']);
         INSERT INTO orders VALUES (1, 'new', '', 5), (2, 'new', '', 6);
         UPDATE orders SET status = 'paid'; DELETE FROM orders WHERE id = 1; TRUNCATE orders;
         SET LOCAL session_replication_role = replica;
         INSERT INTO orders VALUES (3, 'new', '', 5); DELETE FROM orders;
         SELECT threadline.refresh('orders')",
    );
    let recorded = "SELECT op, record_key FROM threadline.audit_changes ORDER BY id";
    assert_rows(conn, recorded, ["U | 1", "U | 2", "D | 1", "D | 3"]);
    run(
        conn,
        "SET LOCAL session_replication_role = origin; SELECT threadline.audit('orders'); INSERT INTO orders VALUES (4); TRUNCATE orders",
    );
    assert_eq!(rows(conn, recorded)[4..], ["I | 4", "T | 4"]);
}

#[test]
fn only_rows_that_meet_the_condition_are_recorded() {
    let conn = &mut rolled_back_with(ORDERS);
    run(
        conn,
        "SELECT threadline.audit('orders', operations => ARRAY['update'], condition => 'OLD.status IS DISTINCT FROM NEW.status');
         INSERT INTO orders VALUES (1, 'new', '', 5), (2, 'new', '', 6);
         UPDATE orders SET amount = 7; UPDATE orders SET status = 'paid' WHERE id = 1; UPDATE orders SET status = 'paid', amount = 8",
    );
    assert_rows(
        conn,
        "SELECT record_key, changed_to FROM threadline.audit_changes ORDER BY id",
        [
            r#"1 | {"status": "paid"}"#,
            r#"2 | {"amount": 8, "status": "paid"}"#,
        ],
    );
    // PostgreSQL's own messages explain the error in a condition.
    assert_eq!(
        error_of(
            conn,
            "SELECT threadline.audit('orders', condition => 'OLD.amount > 5')"
        ),
        "INSERT trigger's WHEN condition cannot reference OLD values"
    );
    assert_eq!(
        error_of(
            conn,
            "SELECT threadline.audit('orders', operations => ARRAY['update'], condition => 'NEW.total > 5')"
        ),
        "column new.total does not exist"
    );
    // Text that closes the condition and continues is refused.
    run(
        conn,
        "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    assert_eq!(
        error_of(
            conn,
            "SELECT threadline.audit('orders', operations => ARRAY['update'], condition => 'true) EXECUTE FUNCTION public.other(); --')"
        ),
        NO_EXPRESSION
    );
    assert_eq!(
        error_of(
            conn,
            "SELECT threadline.audit('orders', operations => ARRAY['update'],
                 condition => 'true) EXECUTE FUNCTION public.other(); CREATE TRIGGER t AFTER UPDATE ON public.orders FOR EACH ROW WHEN (true')"
        ),
        NO_EXPRESSION
    );
    assert_eq!(
        error_of(
            conn,
            "SELECT threadline.audit('orders', operations => ARRAY['update'], condition => 'NEW.amount > 5) OR (true')"
        ),
        "threadline: the condition under which table public.orders is recorded is not one expression"
    );
    run(
        conn,
        "SELECT threadline.audit('orders', operations => ARRAY['update'], condition => 'NEW.amount > 5')",
    );
    assert_rows(
        conn,
        "SELECT policy ->> 'condition', deparsed_condition FROM threadline.audited_tables",
        ["NEW.amount > 5 | (new.amount > (5)::numeric)"],
    );
    assert_eq!(
        error_of(
            conn,
            "SELECT threadline.audit('orders', operations => ARRAY['truncate', 'upsert'])"
        ),
        "threadline: truncate, upsert for table public.orders is not a valid list of operations; it needs one or more of insert, update and delete, and can add truncate"
    );
    assert_eq!(
        error_of(
            conn,
            "SELECT threadline.audit('orders', columns => ARRAY['total'])"
        ),
        "threadline: table public.orders has no column total; its columns are: id, status, note, amount"
    );
}

#[test]
fn past_states_are_incomplete_where_not_every_change_is_recorded() {
    let conn = &mut rolled_back_with(ORDERS);
    for policy in [
        "operations => ARRAY['update']",
        "condition => 'NEW.amount > 5', operations => ARRAY['insert']",
    ] {
        run(
            conn,
            &format!("SELECT threadline.audit('orders', {policy})"),
        );
        assert_rows(
            conn,
            "SELECT state FROM threadline.record_as_of('orders', '1', clock_timestamp())",
            ["incomplete"],
        );
        assert!(
            error_of(
                conn,
                "SELECT * FROM threadline.rows_as_of('orders', clock_timestamp())"
            )
            .contains("not every change is recorded")
        );
    }
}
