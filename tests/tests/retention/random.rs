use chrono::{DateTime, Utc};
use diesel::prelude::*;
use threadline_tests::{Database, Dice, rows, run, seeds, value};

use crate::age;

/// Makes some writes by one of several people, in one transaction: of the given number of
/// kinds, of which the last two change keys.
fn write(conn: &mut PgConnection, dice: &mut Dice, kinds: u64) {
    let actor = ["ada", "grace", "nobody"][dice.below(3) as usize];
    let mut sql = format!(
        "BEGIN; SELECT threadline.set_context('{{\"actor\": {{\"type\": \"user\", \"id\": \"{actor}\"}}}}');"
    );
    for _ in 0..=dice.below(4) {
        let (id, n) = (dice.below(12), dice.below(100));
        sql += &match dice.below(kinds) {
            0..=2 => format!(
                "INSERT INTO things (id, name) SELECT {id}, 'n{n}' WHERE NOT EXISTS (SELECT FROM things AS t WHERE t.id = {id});"
            ),
            3..=5 => format!("UPDATE things SET name = {n} WHERE id = {id};"),
            6 => format!("DELETE FROM things WHERE id = {id};"),
            7 => format!(
                "UPDATE things SET id = CASE id WHEN {id} THEN {n} % 12 ELSE {id} END WHERE id IN ({id}, {n} % 12) AND 2 = (SELECT count(*) FROM things AS t WHERE t.id IN ({id}, {n} % 12));"
            ),
            _ => format!(
                "UPDATE things SET id = {n} % 12 WHERE id = {id} AND NOT EXISTS (SELECT FROM things AS t WHERE t.id = {n} % 12);"
            ),
        };
    }
    run(conn, &format!("{sql} COMMIT"));
}

const ALTERATIONS: [&str; 5] = [
    "ALTER TABLE things ALTER name TYPE text USING left(name, 1)",
    "ALTER TABLE things RENAME n TO amount; ALTER TABLE things RENAME name TO n; ALTER TABLE things RENAME amount TO name",
    "ALTER TABLE things DROP n",
    "ALTER TABLE things ADD more int DEFAULT 7",
    "ALTER TABLE things RENAME n TO other",
];

fn answers(conn: &mut PgConnection, instants: &[DateTime<Utc>]) -> Vec<String> {
    instants
        .iter()
        .map(|at| {
            let at = at.to_rfc3339();
            let refused = diesel::sql_query(format!("SELECT FROM threadline.rows_as_of('things', '{at}')"))
                .execute(conn)
                .err();
            // The same for single records.
            let single = rows(
                conn,
                &format!(
                    "SELECT k::text, r.image, r.unrecorded
                     FROM generate_series(0, 11) AS k, threadline.record_as_of('things', k::text, '{at}') AS r
                     WHERE r.state = 'there' ORDER BY k::text COLLATE \"C\""
                ),
            );
            if let Some(refused) = refused {
                let refused = refused.to_string();
                assert!(
                    refused.contains("while capture was suspended") || refused.contains("recorded only their number"),
                    "{refused}"
                );
                return format!("{refused}: {single:?}");
            }
            let table = rows(
                conn,
                &format!("SELECT record_key, image, unrecorded FROM threadline.rows_as_of('things', '{at}') ORDER BY record_key"),
            );
            assert_eq!(table, single, "{at}");
            table.join("\n")
        })
        .collect()
}

/// For any writes, alterations and holds: after each batch of a purge, all queries about
/// kept instants return the same as before. Without changes of keys and alterations, and
/// with many changes, images are kept ahead of the removal.
#[test]
fn every_kept_instant_is_answered_as_before_whatever_goes() {
    for seed in seeds(0..4) {
        let dice = &mut Dice::new(seed);
        let plain = seed % 2 == 1;
        let (_, conn) = &mut Database::with(
            "CREATE TABLE things (id int PRIMARY KEY DEFERRABLE, name text, n text);
             INSERT INTO things SELECT k, 'old', 'zero' FROM generate_series(0, 5) AS k;
             SELECT threadline.audit('things', keep => '30 months')",
        );
        for era in 0..3 {
            for _ in 0..if plain { 24 } else { 8 } {
                write(conn, dice, if plain { 7 } else { 9 });
            }
            if era > 0 && !plain {
                // The first converts only values from before the horizon.
                let one = if era == 1 {
                    0
                } else {
                    dice.below(ALTERATIONS.len() as u64)
                };
                let alteration = ALTERATIONS[one as usize];
                let altered = diesel::connection::SimpleConnection::batch_execute(
                    conn,
                    &format!("BEGIN; {alteration}; SELECT threadline.refresh('things'); COMMIT"),
                );
                if altered.is_err() {
                    run(conn, "ROLLBACK");
                }
            }
            if era < 2 {
                age_all(conn);
            }
        }
        run(conn, "SELECT threadline.post()");
        if dice.below(2) == 0 {
            run(
                conn,
                "SELECT threadline.hold('some', actor_type => 'user', actor_id => 'ada')",
            );
        }
        purge_twice(conn, dice, plain, seed);
        assert_eq!(
            rows(
                conn,
                "SELECT DISTINCT images FROM threadline.purges WHERE table_id IS NOT NULL"
            ),
            [if plain { "ahead" } else { "by batch" }],
            "seed {seed}"
        );
    }
}

/// The same where the record of the table is not continuous: with gaps in the audit,
/// suspensions, truncations of unknown rows, other keys, holds on records that move later, and
/// policies that change during a run.
#[test]
fn every_kept_instant_is_answered_as_before_where_the_record_has_gaps() {
    for seed in seeds(0..4) {
        let dice = &mut Dice::new(1000 + seed);
        // Without changes of keys, images may be kept ahead.
        let moves = seed % 3 < 2;
        let (_, conn) = &mut Database::with(
            "CREATE TABLE things (id int PRIMARY KEY DEFERRABLE, code int GENERATED ALWAYS AS (11 - id) STORED NOT NULL, name text, n text);
             INSERT INTO things (id, name, n) SELECT k, 'old', 'zero' FROM generate_series(0, 5) AS k;
             SELECT threadline.audit('things', keep => '30 months');
             UPDATE threadline.audited_tables SET truncate_limit = 2",
        );
        for era in 0..3 {
            for _ in 0..10 {
                write(conn, dice, if moves { 9 } else { 7 });
                match dice.below(16) {
                    0 => run(
                        conn,
                        &format!("SELECT threadline.hold('one', 'things', '{}')", dice.below(12)),
                    ),
                    1 => run(conn, "TRUNCATE things; INSERT INTO things VALUES (1, DEFAULT, 'a'), (2, DEFAULT, 'b')"),
                    2 => {
                        run(conn, "SELECT threadline.unaudit('things')");
                        write(conn, dice, 7);
                        run(
                            conn,
                            "UPDATE things SET n = 'in the gap'; SELECT threadline.audit('things', keep => '30 months')",
                        );
                    }
                    3 => run(
                        conn,
                        &format!(
                            "BEGIN; SELECT threadline.suspend('load'); UPDATE things SET n = 'load'; DELETE FROM things WHERE id = {}; COMMIT;
                             SELECT threadline.post()",
                            dice.below(12)
                        ),
                    ),
                    4 if era < 2 => {
                        let key = if dice.below(2) == 0 { "id" } else { "code" };
                        run(
                            conn,
                            &format!(
                                "ALTER TABLE things DROP CONSTRAINT things_pkey;
                                 ALTER TABLE things ADD PRIMARY KEY ({key}) DEFERRABLE;
                                 SELECT threadline.refresh('things')"
                            ),
                        );
                    }
                    _ => {}
                }
            }
            if era < 2 {
                age_all(conn);
            }
        }
        run(conn, "SELECT threadline.post()");
        purge_twice(conn, dice, false, seed);
    }
}

/// Makes everything two years older.
fn age_all(conn: &mut PgConnection) {
    age(conn, "2 years");
    run(
        conn,
        "UPDATE threadline.renamed_columns SET renamed_at = renamed_at - interval '2 years';
         UPDATE threadline.altered_columns SET altered_at = altered_at - interval '2 years', noted_at = noted_at - interval '2 years';
         UPDATE threadline.audited_tables SET chained_since = chained_since - interval '2 years';
         UPDATE threadline.ledger_transactions SET extended_until = extended_until - interval '2 years';
         UPDATE threadline.suspended_writes SET occurred_at = occurred_at - interval '2 years', ended_at = ended_at - interval '2 years'",
    );
}

/// The second purge continues from the images of the first.
fn purge_twice(conn: &mut PgConnection, dice: &mut Dice, plain: bool, seed: u64) {
    for (keep, inside) in [("30 months", "29 months"), ("1 year", "11 months")] {
        run(
            conn,
            &format!("SELECT threadline.audit('things', keep => '{keep}')"),
        );
        let held = held_changes(conn);
        let purged = purge(conn, dice, plain, (keep, inside), seed);
        assert!(purged > 0 || !held.is_empty(), "seed {seed}");
        let left = held_changes(conn);
        assert!(
            held.iter().all(|change| left.contains(change)),
            "seed {seed}: {held:?}, {left:?}"
        );
        if dice.below(2) == 0 {
            run(
                conn,
                "SELECT threadline.release(h.id, 'settled') FROM threadline.legal_holds AS h WHERE h.released_at IS NULL",
            );
        }
    }
}

/// The changes of held records, under every key that they got later.
fn held_changes(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "WITH RECURSIVE keys (key) AS (
             SELECT unnest(h.record_keys) FROM threadline.legal_holds AS h WHERE h.released_at IS NULL
             UNION
             SELECT c.record_key FROM keys AS k JOIN threadline.audit_changes AS c ON c.previous_key = k.key
         )
         SELECT c.id FROM threadline.audit_changes AS c WHERE c.record_key IN (SELECT key FROM keys) OR c.previous_key IN (SELECT key FROM keys)",
    )
}

/// Purges in batches of any size, the first of a plain history small, and asks about kept
/// instants after each; returns the number of removed changes.
fn purge(
    conn: &mut PgConnection,
    dice: &mut Dice,
    plain: bool,
    (keep, inside): (&str, &str),
    seed: u64,
) -> u64 {
    let instants: Vec<_> = rows(
        conn,
        &format!(
            "SELECT DISTINCT captured_at + s * interval '1 microsecond' AS at FROM threadline.audit_changes, generate_series(0, 1) AS s
             WHERE captured_at > now() - interval '{inside}'
               AND captured_at > (SELECT greatest(t.audited_since, t.chained_since) FROM threadline.audited_tables AS t)
             ORDER BY at"
        ),
    )
    .iter()
    .map(|at| DateTime::parse_from_rfc3339(at).unwrap().to_utc())
    .collect();
    let before = answers(conn, &instants);
    let mut purged = 0;
    let mut batch = if plain { 1 } else { 1 + dice.below(9) };
    loop {
        if !plain && dice.below(24) == 0 {
            // During a run, or before it.
            run(conn, "SELECT threadline.audit('things', keep => '9 years')");
            assert_eq!(
                value(conn, &format!("SELECT threadline.purge({batch})")),
                None
            );
            run(
                conn,
                &format!("SELECT threadline.audit('things', keep => '{keep}')"),
            );
        }
        let gone: Option<u64> = value(conn, &format!("SELECT threadline.purge({batch})"))
            .map(|gone| gone.parse().unwrap());
        // Some of them after each batch, all of them at the end.
        let asked: Vec<_> = (0..instants.len())
            .filter(|_| gone.is_none() || dice.below(12) == 0)
            .collect();
        let after = answers(
            conn,
            &asked.iter().map(|&i| instants[i]).collect::<Vec<_>>(),
        );
        for (&i, after) in asked.iter().zip(&after) {
            assert_eq!(
                &before[i], after,
                "seed {seed}, at {}, after {purged} and {gone:?}",
                instants[i]
            );
        }
        match gone {
            Some(gone) => purged += gone,
            None => return purged,
        }
        batch = 1 + dice.below(9);
    }
}
