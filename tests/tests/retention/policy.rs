use diesel::prelude::*;
use threadline::{ModelStatus, models};
use threadline_tests::{Database, assert_rows, assert_value, rolled_back_with, run, value};

use crate::Order;

#[test]
fn the_retention_is_part_of_the_policy_and_rebuilds_nothing() {
    let (database, conn) =
        &mut Database::with("CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL)");
    let models = models![Order];
    models.install(conn).unwrap();
    let status = |conn: &mut PgConnection| models.status(conn).unwrap().models[0].status.clone();
    assert_eq!(status(conn), ModelStatus::Current);
    let built = "SELECT built_at FROM threadline.audited_tables";
    let before = value(conn, built);
    // Writers of the table do not block a change of only the retention.
    let mut writer = database.connect();
    run(&mut writer, "BEGIN; INSERT INTO orders VALUES (1, 1)");
    run(
        conn,
        "SET lock_timeout = '5s'; SELECT threadline.audit('orders', keep => '10 years')",
    );
    assert_eq!(status(conn), ModelStatus::PolicyDiffers);
    run(&mut writer, "COMMIT");
    models.install(conn).unwrap();
    assert_eq!(status(conn), ModelStatus::Current);
    run(conn, "SELECT threadline.refresh('orders')");
    assert_eq!(status(conn), ModelStatus::Current);
    assert_eq!(value(conn, built), before);
    assert_rows(
        conn,
        "SELECT meta -> 'former_policy' ->> 'keep', meta -> 'policy' ->> 'keep'
         FROM threadline.audit_actions WHERE name = 'audit.policy_changed' ORDER BY id",
        ["3 years | 10 years", "10 years | 3 years"],
    );
    // A policy change of another kind includes it.
    run(
        conn,
        "SELECT threadline.audit('orders', mask => ARRAY['amount'], keep => '4 years')",
    );
    assert_value(
        conn,
        "SELECT policy ->> 'keep' FROM threadline.audited_tables",
        "4 years",
    );
}

#[test]
fn an_invalid_or_too_short_retention_is_refused() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
         SELECT threadline.set_retention('1 year', NULL)",
    );
    for (keep, message) in [
        ("7 yeers", "give a length of time such as '7 years'"),
        ("", "give a length of time such as '7 years'"),
        ("-1 year", "give a length of time such as '7 years'"),
        (
            "11 months",
            "cannot be kept for 11 months: the minimum is 1 year",
        ),
    ] {
        let error = conn
            .transaction(|conn| {
                diesel::sql_query("SELECT threadline.audit('orders', keep => $1)")
                    .bind::<diesel::sql_types::Text, _>(keep)
                    .execute(conn)
            })
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{keep}: {error}");
    }
    run(
        conn,
        "SELECT threadline.audit('orders', keep => '12 months')",
    );
    // A floor that is raised later applies to earlier policies, too.
    run(conn, "SELECT threadline.set_retention('5 years', NULL)");
    assert_rows(conn, "SELECT keep FROM threadline.kept_for", ["5 years"]);
}
