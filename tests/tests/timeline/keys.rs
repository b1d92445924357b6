//! A part of a key: what it finds, and at what cost.

use diesel::prelude::*;
use threadline::{Filter, RecordKey, timeline};
use threadline_tests::{Database, assert_value, run, value};

const OWNERS: &str = "
    CREATE TABLE package_owners (package_id int, owner_id int, kind int, note text, PRIMARY KEY (package_id, owner_id, kind));
    SELECT threadline.audit('package_owners');";

fn owners() -> Filter {
    Filter::new().table("package_owners")
}

fn notes(conn: &mut PgConnection, filter: Filter) -> Vec<String> {
    let page = timeline(filter).limit(1000).page(conn).unwrap();
    page.entries
        .iter()
        .rev()
        .map(|entry| {
            let key = entry.change.key.as_ref().unwrap();
            format!(
                "{} {} {} {}",
                entry.change.operation, key["package_id"], key["owner_id"], key["kind"]
            )
        })
        .collect()
}

#[test]
fn a_part_of_a_key_finds_inserts_updates_deletions_and_moved_keys() {
    let (_, conn) = &mut Database::with(OWNERS);
    for posted in [false, true] {
        for sql in [
            "INSERT INTO package_owners VALUES (11, 5, 0), (1, 11, 0), (110, 5, 0), (2, 5, 11)",
            "UPDATE package_owners SET note = 'x' WHERE package_id = 11",
            "UPDATE package_owners SET package_id = 3 WHERE package_id = 11",
            "UPDATE package_owners SET package_id = 11 WHERE package_id = 110",
            "DELETE FROM package_owners WHERE package_id = 11",
        ] {
            run(conn, sql);
        }
        if posted {
            run(conn, "SELECT threadline.post()");
            assert_value(conn, "SELECT count(*) FROM threadline.journal", "0");
        }
        assert_eq!(
            notes(conn, owners().key("package_id", 11)),
            [
                "insert 11 5 0",
                "update 11 5 0",
                "update 3 5 0",
                "update 11 5 0",
                "delete 11 5 0"
            ]
        );
        assert_eq!(notes(conn, owners().key("owner_id", 11)), ["insert 1 11 0"]);
        assert_eq!(notes(conn, owners().key("kind", 11)), ["insert 2 5 11"]);
        assert_eq!(
            notes(conn, owners().key("package_id", 2).key("kind", 11)),
            ["insert 2 5 11"]
        );
        assert_eq!(
            notes(conn, owners().key("package_id", 2).key("owner_id", 6)),
            [""; 0]
        );
        let both = owners().key("package_id", 2).key("package_id", 11);
        assert_eq!(notes(conn, both), [""; 0]);
        let whole = owners()
            .key("kind", 0)
            .key("package_id", 1)
            .key("owner_id", 11);
        assert_eq!(notes(conn, whole), ["insert 1 11 0"]);
        run(
            conn,
            "DROP TABLE package_owners; TRUNCATE threadline.ledger_changes, threadline.journal",
        );
        run(conn, OWNERS);
    }
}

#[test]
fn a_text_in_a_key_may_contain_what_looks_like_its_end() {
    let (_, conn) = &mut Database::with(
        r#"CREATE TABLE cells (a text, b text, c char(8), PRIMARY KEY (a, b, c)); SELECT threadline.audit('cells')"#,
    );
    let texts = [
        "",
        "x",
        "\"",
        "x\", \"y",
        "\\",
        "\\\", \"x",
        "[\"",
        "é%_'",
        "\n",
    ];
    for a in texts {
        for b in texts {
            diesel::sql_query("INSERT INTO cells VALUES ($1, $2, 'z')")
                .bind::<diesel::sql_types::Text, _>(a)
                .bind::<diesel::sql_types::Text, _>(b)
                .execute(conn)
                .unwrap();
        }
    }
    let long = "l".repeat(3000);
    diesel::sql_query("INSERT INTO cells VALUES ($1, $1, 'long')")
        .bind::<diesel::sql_types::Text, _>(&long)
        .execute(conn)
        .unwrap();
    let cells = || Filter::new().table("cells");
    for a in texts {
        for column in ["a", "b"] {
            let count = timeline(cells().key(column, a)).count(conn).unwrap();
            assert_eq!(count, texts.len() as u64, "{column} {a:?}");
        }
        for b in texts {
            let both = cells().key("b", b).key("a", a);
            assert_eq!(timeline(both).count(conn).unwrap(), 1, "{a:?} {b:?}");
        }
    }
    for column in ["a", "b"] {
        assert_eq!(timeline(cells().key(column, &long)).count(conn).unwrap(), 1);
    }
    // Blanks at the end of a char(n) are no part of its value.
    for z in ["z", "z       "] {
        assert_eq!(timeline(cells().key("c", z)).count(conn).unwrap(), 81);
    }
}

#[test]
fn the_first_columns_of_a_key_are_found_along_its_index() {
    let (_, conn) = &mut Database::with(OWNERS);
    run(
        conn,
        "INSERT INTO package_owners SELECT n % 3000, n, 0 FROM generate_series(1, 30000) AS n;
         UPDATE package_owners SET package_id = 5000 WHERE package_id = 11 AND owner_id < 3100;
         SELECT threadline.post()",
    );
    run(conn, "VACUUM ANALYZE");
    run(conn, "SET max_parallel_workers_per_gather = 0");
    let read = |conn: &mut PgConnection| -> i64 {
        value(
            conn,
            "SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) + sum(pg_stat_get_xact_tuples_fetched(i.indexrelid))
                  + (SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class WHERE relname = 'ledger_changes')
             FROM pg_index AS i WHERE i.indrelid = 'threadline.ledger_changes'::regclass",
        )
        .unwrap()
        .parse()
        .unwrap()
    };
    for (filter, expected) in [
        (owners().key("package_id", 11), 12),
        (owners().key("package_id", 11).key("kind", 0), 12),
        (owners().key("package_id", 11).key("owner_id", 3011), 2),
    ] {
        conn.transaction::<_, threadline::Error, _>(|conn| {
            let before = read(conn);
            let count = timeline(filter.clone()).page(conn)?.entries.len();
            assert_eq!(count, expected);
            let entries = read(conn) - before;
            assert!(entries < 200, "{entries} entries: {filter:?}");
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_database_role_is_found_by_its_name_at_login() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes')",
    );
    run(conn, "INSERT INTO notes VALUES (1)");
    run(conn, "SELECT threadline.post()");
    run(conn, "INSERT INTO notes VALUES (2)");
    let me = value(conn, "SELECT session_user").unwrap();
    let count = |conn: &mut PgConnection, role: &str| {
        let parsed = Filter::parse([("session_user", role)]).unwrap();
        timeline(parsed).count(conn).unwrap()
    };
    assert_eq!(count(conn, &me), 2);
    assert_eq!(count(conn, "somebody_else"), 0);
}

#[test]
fn a_key_is_found_however_its_values_are_written() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE readings (at timestamptz, n numeric, PRIMARY KEY (at, n));
         CREATE TABLE sums (f float8 PRIMARY KEY);
         CREATE TABLE devices (id uuid PRIMARY KEY);
         SELECT threadline.audit('readings'), threadline.audit('sums'), threadline.audit('devices');
         INSERT INTO readings VALUES ('2026-07-01 12:00+02', 1.50);
         INSERT INTO sums VALUES (1e20);
         INSERT INTO devices VALUES ('6a2f41a3-c54c-4f4c-9f8e-1b2c3d4e5f60')",
    );
    let found = |conn: &mut PgConnection, table: &str, key: &[&str]| {
        let filter = Filter::new()
            .table(table)
            .record(RecordKey::of(key.iter().copied()));
        timeline(filter).page(conn).unwrap().entries.len()
    };
    for posted in [false, true] {
        for at in [
            "2026-07-01 12:00+02",
            "2026-07-01T10:00:00Z",
            "2026-07-01 10:00:00",
            "2026-07-01T10:00:00+00:00",
        ] {
            for n in ["1.5", "1.50", "15e-1"] {
                assert_eq!(found(conn, "readings", &[at, n]), 1, "{at} {n}");
            }
            assert_eq!(found(conn, "readings", &[at, "1.51"]), 0);
        }
        for filter in [
            Filter::new()
                .table("readings")
                .key("at", "2026-07-01 12:00+02"),
            Filter::new().table("readings").key("n", "1.50"),
            Filter::new()
                .table("readings")
                .key("n", "1.50")
                .key("at", "2026-07-01 10:00Z"),
            Filter::new().table("sums").key("f", "1e20"),
        ] {
            assert_eq!(timeline(filter).page(conn).unwrap().entries.len(), 1);
        }
        assert_eq!(found(conn, "sums", &["1e20"]), 1);
        assert_eq!(found(conn, "sums", &["100000000000000000000"]), 1);
        assert_eq!(found(conn, "sums", &["much"]), 0);
        assert_eq!(
            found(conn, "devices", &["6A2F41A3-C54C-4F4C-9F8E-1B2C3D4E5F60"]),
            1
        );
        if !posted {
            run(conn, "SELECT threadline.post()");
        }
    }
}
