use std::collections::{BTreeMap, BTreeSet};

use diesel::PgConnection;
use serde_json::{Map, Value};
use threadline_tests::{Database, Dice, rows, run, seeds};

/// Makes some writes, each in a transaction of its own, of single columns, several, or all.
fn write(conn: &mut PgConnection, dice: &mut Dice, times: u64) {
    for _ in 0..times {
        let (id, n) = (dice.below(10), dice.below(4));
        let sql = match dice.below(10) {
            0 | 1 => format!(
                "INSERT INTO things SELECT {id}, 'n{n}', {n}, '{{\"x\": {{\"y\": {n}}}}}' WHERE NOT EXISTS (SELECT FROM things AS t WHERE t.id = {id})"
            ),
            2 | 3 => format!("UPDATE things SET name = 'n{n}' WHERE id = {id}"),
            4 => format!("UPDATE things SET n = {n} WHERE id = {id}"),
            5 => format!("UPDATE things SET n = NULL, name = 'n{n}' WHERE id = {id}"),
            6 => format!(
                "UPDATE things SET doc = '{{\"x\": {{\"y\": {n}, \"z\": [{n}]}}}}' WHERE id = {id}"
            ),
            7 => format!("UPDATE things SET name = 'all', n = {n}, doc = '{{}}' WHERE id = {id}"),
            8 => format!("DELETE FROM things WHERE id = {id}"),
            _ => format!("UPDATE things SET n = n + 1 WHERE id IN ({id}, {})", id + 1),
        };
        run(conn, &sql);
    }
}

/// Makes some writes that are not recorded.
fn tamper(conn: &mut PgConnection, dice: &mut Dice) {
    run(conn, "ALTER TABLE things DISABLE TRIGGER USER");
    for _ in 0..dice.below(5) {
        let (id, n) = (dice.below(10), dice.below(4));
        let sql = match dice.below(6) {
            0 => format!("UPDATE things SET name = 'n{n}' WHERE id = {id}"),
            1 => format!("UPDATE things SET n = {n} WHERE id = {id}"),
            2 => format!("UPDATE things SET doc = doc || '{{\"w\": 1}}' WHERE id = {id}"),
            3 => format!("DELETE FROM things WHERE id = {id}"),
            4 => format!("INSERT INTO things (id) VALUES ({id}) ON CONFLICT DO NOTHING"),
            _ => format!("UPDATE things SET n = n WHERE id = {id}"),
        };
        run(conn, &sql);
    }
    run(
        conn,
        "ALTER TABLE things ENABLE TRIGGER USER; SELECT threadline.refresh('things')",
    );
}

/// Returns rows of which the first columns are texts and the others JSON.
fn parsed(line: &str, texts: usize) -> (Vec<String>, Vec<Value>) {
    let mut parts = line.split(" | ");
    let first = parts.by_ref().take(texts).map(str::to_owned).collect();
    let rest = parts.map(|json| serde_json::from_str(&json.replace("NULL", "null")).unwrap());
    (first, rest.collect())
}

fn differ(one: &Map<String, Value>, other: &Value) -> bool {
    let other = other.as_object().unwrap();
    one.iter()
        .any(|(name, value)| other.get(name).is_some_and(|found| found != value))
}

/// Replays each record on its own, and returns the broken ones with their codes.
fn replayed(conn: &mut PgConnection) -> BTreeSet<String> {
    let mut broken = BTreeSet::new();
    let live: BTreeMap<String, Value> = rows(conn, "SELECT id::text, to_jsonb(t) FROM things AS t")
        .iter()
        .map(|line| parsed(line, 1))
        .map(|(key, mut row)| (key[0].clone(), row.remove(0)))
        .collect();
    let mut known: BTreeMap<String, (bool, Map<String, Value>)> = BTreeMap::new();
    for line in rows(
        conn,
        "SELECT record_key, op, changed_from, changed_to, row_data FROM threadline.audit_changes ORDER BY id",
    ) {
        let (texts, images) = parsed(&line, 2);
        let [key, op] = <[String; 2]>::try_from(texts).unwrap();
        let [from, to, row] = <[Value; 3]>::try_from(images).unwrap();
        let shown = if op == "U" { &from } else { &row };
        match known.get(&key) {
            Some((there, state)) => {
                if (op == "I") == *there || op != "I" && differ(state, shown) {
                    broken.insert(format!("chain-broken | {key}"));
                }
            }
            None => drop(known.insert(key.clone(), (false, Map::new()))),
        }
        let (there, state) = known.get_mut(&key).unwrap();
        *there = op != "D";
        match op.as_str() {
            "D" => state.clear(),
            "I" => state.extend(row.as_object().unwrap().clone()),
            _ => state.extend(to.as_object().unwrap().clone()),
        }
    }
    for (key, (there, state)) in &known {
        let code = match (there, live.get(key)) {
            (false, Some(_)) => "row-unrecorded",
            (true, None) => "row-missing",
            (true, Some(row)) if differ(state, row) => "row-altered",
            _ => continue,
        };
        broken.insert(format!("{code} | {key}"));
    }
    broken
}

/// Most records are not compared value by value: see threadline.chain_suspects().
#[test]
fn the_broken_records_are_those_that_a_replay_of_each_finds() {
    let (mut found, mut sound) = (0, 0);
    for seed in seeds(0..12) {
        let dice = &mut Dice::new(seed);
        let (_, conn) = &mut Database::with(
            "CREATE TABLE things (id int PRIMARY KEY, name text, n int, doc jsonb);
             INSERT INTO things SELECT k, 'old', 0, '{}' FROM generate_series(0, 4) AS k;
             SELECT threadline.audit('things')",
        );
        write(conn, dice, 60);
        if dice.below(2) == 0 {
            run(conn, "SELECT threadline.post_all()");
        }
        if dice.below(4) > 0 {
            tamper(conn, dice);
        }
        let after = dice.below(30);
        write(conn, dice, after);
        let expected = replayed(conn);
        let drift: BTreeSet<_> = rows(
            conn,
            "SELECT code, record_key FROM threadline.chain_drift('things', NULL, 100)",
        )
        .into_iter()
        .collect();
        assert_eq!(drift, expected, "seed {seed}");
        found += drift.len();
        sound += usize::from(drift.is_empty());
    }
    assert!(found > 0 && sound > 0, "{found} broken, {sound} sound");
}
