//! Most records take a fast path, and those that were inserted again or moved take a slow
//! one. On random histories both give the same, and the former table.

use diesel::prelude::*;
use threadline_tests::{Database, Dice, assert_contains, rows, run, seeds, value};

const STEPS: usize = 40;

/// Tables, each audited after or before it has rows.
const TABLES: [&str; 6] = [
    "CREATE TABLE r (id int PRIMARY KEY DEFERRABLE, a int, b text);
     SELECT threadline.audit('r')",
    "CREATE TABLE r (id int PRIMARY KEY DEFERRABLE, a int, b text);
     INSERT INTO r SELECT k, k, 'old ' || k FROM generate_series(1, 12) AS k;
     SELECT threadline.audit('r')",
    "CREATE TABLE r (id int PRIMARY KEY DEFERRABLE, a int, b text);
     INSERT INTO r SELECT k, k, 'old ' || k FROM generate_series(1, 6) AS k;
     SELECT threadline.audit('r', ignore => ARRAY['a'])",
    "CREATE TABLE r (id int PRIMARY KEY DEFERRABLE, a int, b text);
     INSERT INTO r SELECT k, k, 'old ' || k FROM generate_series(1, 6) AS k;
     SELECT threadline.audit('r', mask => ARRAY['b'])",
    "CREATE TABLE r (id int, region int DEFAULT 1, a int, b text, PRIMARY KEY (region, id) DEFERRABLE);
     INSERT INTO r SELECT k, 1, k, 'old ' || k FROM generate_series(1, 6) AS k;
     SELECT threadline.audit('r')",
    "CREATE TABLE r (id int PRIMARY KEY, a int, b text) PARTITION BY RANGE (id);
     CREATE TABLE r_low PARTITION OF r FOR VALUES FROM (MINVALUE) TO (8);
     CREATE TABLE r_high PARTITION OF r FOR VALUES FROM (8) TO (MAXVALUE);
     INSERT INTO r SELECT k, k, 'old ' || k FROM generate_series(1, 12) AS k;
     SELECT threadline.audit('r')",
];

/// The same function, with every record on the slow path.
const LONG_ROAD: &str = "
    DO $do$
    DECLARE
        long text := replace(
            replace(pg_get_functiondef('threadline.rows_as_of'::regproc), 'threadline.rows_as_of(', 'threadline.by_the_long_road('),
            'tl_is_plain := tl_renames IS NULL AND tl_alterations IS NULL', 'tl_is_plain := false');
    BEGIN
        ASSERT long LIKE '%tl_is_plain := false%';
        EXECUTE long;
    END
    $do$";

fn insert(id: usize, a: usize, b: &str) -> String {
    format!(
        "INSERT INTO r (id, a, b) SELECT {id}, {a}, '{b}' WHERE NOT EXISTS (SELECT FROM r WHERE id = {id})"
    )
}

fn statement(dice: &mut Dice, is_partitioned: bool) -> String {
    let id = 1 + dice.roll(14);
    let other = 1 + dice.roll(14);
    let n = dice.roll(100);
    let moves = if is_partitioned { 0 } else { 5 };
    match dice.roll(16 + moves) {
        0..=3 => insert(id, n, "new"),
        4..=8 => format!("UPDATE r SET a = {n} WHERE id = {id}"),
        9 | 10 => format!("UPDATE r SET b = 'b' || {n}, a = NULL WHERE id % 3 = {id} % 3"),
        11 | 12 => format!("DELETE FROM r WHERE id = {id}"),
        13 => format!("DELETE FROM r WHERE id % 4 = {id} % 4"),
        14 => format!(
            "UPDATE r SET b = NULL WHERE id = {id}; UPDATE r SET b = 'again' WHERE id = {id}"
        ),
        15 if n < 15 => "TRUNCATE r".to_owned(),
        15 => format!("DELETE FROM r WHERE id = {id}; {}", insert(id, n, "back")),
        16 | 17 => format!(
            "UPDATE r SET id = {other} WHERE id = {id} AND NOT EXISTS (SELECT FROM r WHERE id = {other})"
        ),
        // Two swap their keys, or all move up.
        18 | 19 => format!(
            "UPDATE r SET id = CASE WHEN id = {id} THEN {other} ELSE {id} END, a = {n} WHERE id IN ({id}, {other}) AND {id} <> {other}"
        ),
        _ => "UPDATE r SET id = id + 1".to_owned(),
    }
}

struct Answers {
    plain: usize,
    compared: usize,
}

/// Whether rows were written later while capture was suspended.
fn is_refused(conn: &mut PgConnection, at: &str) -> bool {
    let asked = diesel::sql_query(format!(
        "SELECT count(*) FROM threadline.rows_as_of('r', '{at}')"
    ));
    match asked.execute(conn) {
        Ok(_) => false,
        Err(error) => {
            let message = error.to_string();
            assert_contains(&message, "while capture was suspended");
            true
        }
    }
}

/// Each record is as it was, or its state is incomplete; returns the number of the former.
fn compare_records(conn: &mut PgConnection, at: &str, copy: &[String], shows_all: bool) -> usize {
    let states = rows(
        conn,
        &format!(
            "SELECT k.record_key, r.state, r.image::text
             FROM (SELECT DISTINCT record_key FROM threadline.audit_changes WHERE record_key IS NOT NULL) AS k,
                  threadline.record_as_of('r', k.record_key, '{at}') AS r
             WHERE r.state <> 'incomplete'"
        ),
    );
    for state in &states {
        let [key, state, image] = state.splitn(3, " | ").collect::<Vec<_>>()[..] else {
            panic!("{state}");
        };
        if state == "there" {
            assert!(
                !shows_all || copy.iter().any(|row| row == image),
                "{key} at {at}: {image}, not in {copy:?}"
            );
        } else {
            let end = format!("\"id\": {key}}}");
            assert!(
                !copy.iter().any(|row| row.ends_with(&end)),
                "{key} at {at} is {state}"
            );
        }
    }
    states.len()
}

fn follow(seed: u64, bypass: bool) -> Answers {
    let (_, conn) = &mut Database::new().connected();
    let dice = &mut Dice::new(seed);
    let table = (seed as usize) % TABLES.len();
    run(conn, TABLES[table]);
    run(conn, LONG_ROAD);
    // The key in the form of the result; a composite one in its parts.
    let row = "SELECT to_jsonb(r.*)::text FROM r ORDER BY 1";
    let mut copies = vec![];
    let mut take = |conn: &mut PgConnection| {
        let rows = rows(conn, row);
        let at = value(conn, "SELECT clock_timestamp()::text").unwrap();
        copies.push((at, rows));
    };
    take(conn);
    for _ in 0..STEPS {
        run(conn, "BEGIN");
        if bypass && dice.one_in(8) {
            run(conn, "SELECT threadline.suspend('on purpose')");
        }
        for _ in 0..=dice.roll(2) {
            let statement = statement(dice, table == 5);
            run(conn, &statement);
        }
        run(conn, "COMMIT");
        if dice.one_in(if bypass { 2 } else { 4 }) {
            run(conn, "SELECT threadline.post()");
        }
        if dice.one_in(3) {
            take(conn);
        }
    }
    take(conn);

    let mut answers = Answers {
        plain: 0,
        compared: 0,
    };
    let of = |function: &str, at: &str, what: &str| {
        format!("SELECT {what} FROM threadline.{function}('r', '{at}') ORDER BY 1")
    };
    for (at, copy) in &copies {
        if bypass && is_refused(conn, at) {
            answers.compared += compare_records(conn, at, copy, table != 2 && table != 3);
            continue;
        }
        let all = "concat_ws(' | ', record_key, key, image, unrecorded)";
        assert_eq!(
            rows(conn, &of("rows_as_of", at, all)),
            rows(conn, &of("by_the_long_road", at, all)),
            "seed {seed} at {at}"
        );
        // Each separately.
        let alone = format!(
            "SELECT one.image, one.unrecorded
             FROM threadline.rows_as_of('r', '{at}') AS r, threadline.record_as_of('r', r.record_key, '{at}') AS one
             ORDER BY r.record_key"
        );
        let of_all = format!(
            "SELECT image, unrecorded FROM threadline.rows_as_of('r', '{at}') ORDER BY record_key"
        );
        assert_eq!(
            rows(conn, &alone),
            rows(conn, &of_all),
            "seed {seed} at {at}"
        );
        // A mask is not the former value, and an ignored column shows its present one.
        if table != 2 && table != 3 {
            assert_eq!(
                &rows(conn, &of("rows_as_of", at, "image::text")),
                copy,
                "seed {seed} at {at}"
            );
            answers.plain += copy.len();
        }
        answers.compared += copy.len();
    }
    answers
}

#[test]
fn the_fast_and_the_slow_path_agree() {
    let mut seen = Answers {
        plain: 0,
        compared: 0,
    };
    for seed in seeds(1..7) {
        let answers = follow(seed, false);
        seen.plain += answers.plain;
        seen.compared += answers.compared;
    }
    assert!(seen.plain > 100 && seen.compared > 200);
}

#[test]
fn the_fast_and_the_slow_path_agree_with_gaps() {
    let compared: usize = seeds(11..17).map(|seed| follow(seed, true).compared).sum();
    assert!(compared > 200);
}
