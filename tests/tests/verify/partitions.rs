use threadline_tests::{Database, changes, run};

use super::{drift, findings, found};

const LOG: &str = "
    CREATE TABLE log (id int PRIMARY KEY, line text) PARTITION BY RANGE (id);
    CREATE TABLE log_a PARTITION OF log FOR VALUES FROM (0) TO (10);
    SELECT threadline.audit('log');
    INSERT INTO log VALUES (1, 'a');
";

#[test]
fn a_partition_that_came_since_is_found_for_its_truncate() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, LOG);
    for partition in [
        "CREATE TABLE log_b PARTITION OF log FOR VALUES FROM (10) TO (20)",
        "CREATE TABLE log_c (id int PRIMARY KEY, line text); ALTER TABLE log ATTACH PARTITION log_c FOR VALUES FROM (20) TO (30)",
        "CREATE TABLE log_d PARTITION OF log FOR VALUES FROM (30) TO (40) PARTITION BY RANGE (id)",
    ] {
        run(conn, partition);
        let table = partition.split_whitespace().nth(2).unwrap();
        drift(
            conn,
            "",
            &[&format!("partition-truncate-unseen public.{table}")],
        );
    }
    run(conn, "INSERT INTO log VALUES (11, 'b'); TRUNCATE log_b");
    assert_eq!(changes(conn).len(), 3);
}

#[test]
fn a_partition_whose_triggers_do_not_fire_is_found() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, LOG);
    drift(
        conn,
        "ALTER TABLE log_a DISABLE TRIGGER ALL",
        &[
            "partition-unseen public.log_a",
            "partition-truncate-unseen public.log_a",
        ],
    );
    drift(
        conn,
        "DROP TRIGGER \"!threadline_truncate_1\" ON log_a",
        &["partition-truncate-unseen public.log_a"],
    );
    drift(
        conn,
        "CREATE TRIGGER again AFTER DELETE ON log_a FOR EACH ROW EXECUTE FUNCTION threadline.capture_1()",
        &["trigger-duplicated public.log_a"],
    );
}

#[test]
fn a_detached_partition_keeps_a_trigger_and_leaves_rows_unaccounted_for() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, LOG);
    run(conn, "ALTER TABLE log DETACH PARTITION log_a");
    assert_eq!(
        found(conn),
        [
            "row-missing public.log",
            "trigger-stray public.log_a",
            "table-unaudited public.log_a"
        ]
    );
}

#[test]
fn a_table_that_is_written_through_others_since_is_found() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(
        conn,
        "CREATE TABLE animals (id int PRIMARY KEY, name text); SELECT threadline.audit('animals');
         CREATE TABLE beings (id int PRIMARY KEY, name text); SELECT threadline.audit('beings');",
    );
    drift(
        conn,
        "ALTER TABLE animals INHERIT beings",
        &[
            "inherited-since public.animals",
            "inherited-since public.beings",
        ],
    );
    drift(
        conn,
        "ALTER TABLE animals NO INHERIT beings",
        &[
            "captured-by-row public.animals",
            "captured-by-row public.beings",
        ],
    );
    run(
        conn,
        "CREATE TABLE cats () INHERITS (animals); ALTER TABLE cats ADD PRIMARY KEY (id); SELECT threadline.audit('cats')",
    );
    assert_eq!(found(conn), ["inherited-since public.animals"]);
}

#[test]
fn a_table_that_became_a_partition_is_found() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(
        conn,
        "CREATE TABLE old (id int PRIMARY KEY, line text); SELECT threadline.audit('old');
         CREATE TABLE whole (id int PRIMARY KEY, line text) PARTITION BY RANGE (id);",
    );
    run(
        conn,
        "ALTER TABLE whole ATTACH PARTITION old FOR VALUES FROM (0) TO (100); INSERT INTO whole VALUES (1, 'a')",
    );
    assert_eq!(
        found(conn),
        ["table-attached public.old", "table-unaudited public.whole"]
    );
    assert_eq!(changes(conn).len(), 1);

    run(conn, "SELECT threadline.audit('whole')");
    let attached = findings(conn).remove(0);
    assert_eq!(
        (attached.code.as_str(), attached.message.as_str()),
        (
            "table-attached",
            "it became a partition of public.whole, which is audited, too; its changes are recorded twice"
        )
    );
    run(conn, attached.mend.as_deref().unwrap());
    run(
        conn,
        "INSERT INTO whole VALUES (2, 'a'); INSERT INTO old VALUES (3, 'a')",
    );
    assert_eq!(changes(conn).len(), 3);
}
