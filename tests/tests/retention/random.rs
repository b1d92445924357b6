use chrono::{DateTime, Utc};
use diesel::prelude::*;
use threadline_tests::{Database, Dice, rows, run, value};

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
            let table = rows(
                conn,
                &format!("SELECT record_key, image, unrecorded FROM threadline.rows_as_of('things', '{at}') ORDER BY record_key"),
            );
            // The same for single records.
            let single = rows(
                conn,
                &format!(
                    "SELECT k::text, r.image, r.unrecorded
                     FROM generate_series(0, 11) AS k, threadline.record_as_of('things', k::text, '{at}') AS r
                     WHERE r.state = 'there' ORDER BY k::text COLLATE \"C\""
                ),
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
    let seeds = std::env::var("THREADLINE_SEEDS").map_or(4, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
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
                age(conn, "2 years");
                run(
                    conn,
                    "UPDATE threadline.renamed_columns SET renamed_at = renamed_at - interval '2 years';
                     UPDATE threadline.altered_columns SET altered_at = altered_at - interval '2 years', noted_at = noted_at - interval '2 years'",
                );
            }
        }
        run(conn, "SELECT threadline.post()");
        if dice.below(2) == 0 {
            run(
                conn,
                "SELECT threadline.hold('some', actor_type => 'user', actor_id => 'ada')",
            );
        }
        // The second purge continues from the images of the first.
        for (keep, inside) in [("30 months", "29 months"), ("1 year", "11 months")] {
            run(
                conn,
                &format!("SELECT threadline.audit('things', keep => '{keep}')"),
            );
            let first = if plain { 1 } else { 1 + dice.below(9) };
            let purged = purge(conn, dice, first, inside, seed);
            assert!(purged > 0, "seed {seed}");
            if dice.below(2) == 0 {
                run(
                    conn,
                    "SELECT threadline.release(h.id, 'settled') FROM threadline.legal_holds AS h WHERE h.released_at IS NULL",
                );
            }
        }
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

/// Purges in batches of any size, the first of a given one, and asks about kept instants after
/// each; returns the number of removed changes.
fn purge(conn: &mut PgConnection, dice: &mut Dice, first: u64, inside: &str, seed: u64) -> u64 {
    let instants: Vec<_> = rows(
        conn,
        &format!(
            "SELECT DISTINCT captured_at + s * interval '1 microsecond' AS at FROM threadline.audit_changes, generate_series(0, 1) AS s
             WHERE captured_at > now() - interval '{inside}' ORDER BY at"
        ),
    )
    .iter()
    .map(|at| DateTime::parse_from_rfc3339(at).unwrap().to_utc())
    .collect();
    let before = answers(conn, &instants);
    let mut purged = 0;
    let mut batch = first;
    loop {
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
