//! Random writes of the application's triggers and functions, nested in each other. Whatever the
//! order of their capture, the changes of each record must follow from each other and end with
//! the live row, before posting and after.

use std::fmt;
use std::ops::Range;

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use threadline_tests::{Database, Dice, now, rows, run, value};

/// The number of runs, each with another seed. THREADLINE_SEEDS asks for more, or for
/// some: `100`, or `57..58`.
const SEEDS: Range<u64> = 1..21;
const TRANSACTIONS: usize = 6;
const TABLES: [&str; 2] = ["one", "two"];

/// Everything that a run does, so that parts of it can be left out.
#[derive(Clone)]
struct Scenario {
    tables: Vec<String>,
    code: Vec<String>,
    transactions: Vec<Vec<String>>,
    /// How many entries are posted after each transaction, and in each call at the end.
    posts: Vec<usize>,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.tables.iter().chain(&self.code) {
            writeln!(f, "{line};")?;
        }
        for (transaction, post) in self.transactions.iter().zip(&self.posts) {
            writeln!(f, "BEGIN;")?;
            for statement in transaction {
                writeln!(f, "SAVEPOINT s; {statement};")?;
            }
            writeln!(f, "COMMIT; SELECT threadline.post({post});")?;
        }
        Ok(())
    }
}

/// Where a statement stands: a trigger and a function know a key, `k`.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Transaction,
    Function,
    Trigger,
}

struct Writer {
    dice: Dice,
    keys: [&'static str; 2],
}

impl Writer {
    fn scenario(seed: u64) -> Scenario {
        let mut writer = Self {
            dice: Dice::new(seed),
            keys: ["id", "id"],
        };
        let mut tables = vec![];
        for (at, name) in TABLES.into_iter().enumerate() {
            writer.table(at, name, &mut tables);
        }
        let mut code = vec![];
        for name in ["f0", "f1"] {
            let body = writer.body(Within::Function);
            code.push(format!(
                "CREATE FUNCTION {name}(k int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN {body} RETURN k; END $$"
            ));
        }
        for number in 0..2 + writer.dice.roll(3) {
            writer.trigger(number, &mut code);
        }
        let transactions = (0..TRANSACTIONS)
            .map(|at| {
                (0..1 + writer.dice.roll(3))
                    .map(|_| writer.top_level(at))
                    .collect()
            })
            .collect();
        let posts = (0..=TRANSACTIONS)
            .map(|_| match writer.dice.roll(3) {
                0 => 1 + writer.dice.roll(6),
                _ => 0,
            })
            .collect();
        Scenario {
            tables,
            code,
            transactions,
            posts,
        }
    }

    fn table(&mut self, at: usize, name: &str, setup: &mut Vec<String>) {
        let columns = "id int NOT NULL, part int NOT NULL DEFAULT 0, parent int, body text, n int NOT NULL DEFAULT 0";
        let audit = match self.dice.roll(8) {
            0 => format!("SELECT threadline.audit('{name}', mask => '{{body}}')"),
            1 => format!("SELECT threadline.audit('{name}', hash => '{{body}}')"),
            _ => format!("SELECT threadline.audit('{name}')"),
        };
        match self.dice.roll(6) {
            0 => {
                self.keys[at] = "part, id";
                setup.push(format!(
                    "CREATE TABLE {name} ({columns}, PRIMARY KEY (part, id))"
                ));
            }
            1 => {
                self.keys[at] = "id, part";
                setup.push(format!("CREATE TABLE {name} ({columns}, PRIMARY KEY (id, part)) PARTITION BY LIST (part)"));
                setup.push(format!(
                    "CREATE TABLE {name}_0 PARTITION OF {name} FOR VALUES IN (0)"
                ));
                setup.push(format!(
                    "CREATE TABLE {name}_1 PARTITION OF {name} FOR VALUES IN (1)"
                ));
                setup.push(format!("CREATE TABLE {name}_2 PARTITION OF {name} DEFAULT"));
            }
            2 => {
                setup.push(format!(
                    "CREATE TABLE {name} ({columns}, PRIMARY KEY (id)) PARTITION BY RANGE (id)"
                ));
                setup.push(format!(
                    "CREATE TABLE {name}_0 PARTITION OF {name} FOR VALUES FROM (MINVALUE) TO (4)"
                ));
                setup.push(format!("CREATE TABLE {name}_1 PARTITION OF {name} DEFAULT"));
            }
            3 => {
                let on_delete = self.dice.pick(&["CASCADE", "SET NULL"]);
                setup.push(format!(
                    "CREATE TABLE {name} ({columns}, PRIMARY KEY (id), FOREIGN KEY (parent) REFERENCES {name} ON UPDATE CASCADE ON DELETE {on_delete})"
                ));
            }
            _ => setup.push(format!("CREATE TABLE {name} ({columns}, PRIMARY KEY (id))")),
        }
        // Rows from before the audit.
        setup.push(format!(
            "INSERT INTO {name} (id, body) SELECT k, 'a' FROM generate_series(1, 3) AS k"
        ));
        setup.push(audit);
    }

    fn trigger(&mut self, number: usize, code: &mut Vec<String>) {
        let at = self.dice.roll(TABLES.len());
        let is_row = !self.dice.one_in(4);
        let timing = self.dice.pick(&["BEFORE", "AFTER", "AFTER"]);
        let events = self.dice.pick(&[
            "INSERT",
            "UPDATE",
            "DELETE",
            "INSERT OR UPDATE",
            "UPDATE OR DELETE",
            "INSERT OR UPDATE OR DELETE",
        ]);
        let depth = 1 + self.dice.roll(3);
        let body = self.body(Within::Trigger);
        let changed = match self.dice.roll(4) {
            0 if *timing == "BEFORE" && is_row => {
                "IF TG_OP <> 'DELETE' THEN NEW.n := (NEW.n + 1) % 4; END IF;"
            }
            _ => "",
        };
        let skipped = match self.dice.roll(8) {
            0 if *timing == "BEFORE" && is_row => "IF k = 2 THEN RETURN NULL; END IF;",
            _ => "",
        };
        code.push(format!(
            "CREATE FUNCTION t{number}() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE k int := coalesce(NEW.id, OLD.id, 2); BEGIN
             IF pg_trigger_depth() <= {depth} THEN {body} END IF; {changed} {skipped} IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
        ));
        let level = if is_row { "ROW" } else { "STATEMENT" };
        code.push(format!(
            "CREATE TRIGGER t{number} {timing} {events} ON {} FOR EACH {level} EXECUTE FUNCTION t{number}()",
            TABLES[at]
        ));
    }

    fn body(&mut self, within: Within) -> String {
        let statements: Vec<_> = (0..1 + self.dice.roll(2))
            .map(|_| self.statement(within))
            .collect();
        let statements = statements.join("; ");
        match self.dice.roll(6) {
            0 => format!("BEGIN {statements}; EXCEPTION WHEN OTHERS THEN NULL; END;"),
            1 => format!(
                "BEGIN {}; RAISE 'undone'; EXCEPTION WHEN OTHERS THEN {statements}; END;",
                self.statement(within)
            ),
            _ => format!("{statements};"),
        }
    }

    fn top_level(&mut self, at: usize) -> String {
        let table = *self.dice.pick(&TABLES);
        match self.dice.roll(20) {
            0 if at > 2 => format!("TRUNCATE {table}"),
            5 if at > 2 => format!("CLUSTER {table} USING {table}_pkey"),
            6 => format!("SELECT FROM {table} FOR UPDATE"),
            1 => {
                let (one, two) = (
                    self.statement(Within::Transaction),
                    self.statement(Within::Transaction),
                );
                format!("SAVEPOINT undone; {one}; ROLLBACK TO undone; {two}")
            }
            2..5 => format!(
                "INSERT INTO {table} (id, part, body) SELECT k, 0, 'a' FROM generate_series(1, 5) AS k ON CONFLICT DO NOTHING"
            ),
            _ => self.statement(Within::Transaction),
        }
    }

    fn key(&mut self, within: Within) -> String {
        if within == Within::Transaction || self.dice.one_in(2) {
            return (1 + self.dice.roll(5)).to_string();
        }
        (*self
            .dice
            .pick(&["k", "k", "k % 5 + 1", "6 - k", "k + 10", "k - 10"]))
        .to_owned()
    }

    fn condition(&mut self, within: Within) -> String {
        let key = self.key(within);
        match self.dice.roll(8) {
            0 => "n = 0".to_owned(),
            1 => format!("id IN ({key}, {})", self.key(within)),
            2 => format!("id <> {key}"),
            3 => "true".to_owned(),
            4 => format!("part = {}", self.dice.roll(3)),
            _ => format!("id = {key}"),
        }
    }

    fn row(&mut self, within: Within) -> String {
        let key = self.key(within);
        let part = if self.dice.one_in(4) {
            self.dice.roll(3)
        } else {
            0
        };
        format!(
            "({key}, {part}, '{}', {})",
            self.dice.pick(&["a", "b"]),
            self.dice.roll(2)
        )
    }

    fn statement(&mut self, within: Within) -> String {
        let at = self.dice.roll(TABLES.len());
        let (table, keys) = (TABLES[at], self.keys[at]);
        let condition = self.condition(within);
        let key = self.key(within);
        let called = |dice: &mut Dice| {
            // A result of a statement in PL/pgSQL needs a target.
            if within == Within::Transaction && dice.one_in(4) {
                format!(" RETURNING {}(id)", dice.pick(&["f0", "f1"]))
            } else {
                String::new()
            }
        };
        // What a function writes under a key that the statement frees, without a trigger, is
        // captured before it is free: nothing tells this from a row that was there before.
        let kind = match within {
            Within::Function => *self.dice.pick(&[3, 6, 10, 14, 16]),
            _ => self.dice.roll(17),
        };
        match kind {
            0..3 => {
                let values: Vec<_> = (0..1 + self.dice.roll(3))
                    .map(|_| self.row(within))
                    .collect();
                let conflict = match self.dice.roll(4) {
                    0 => String::new(),
                    1 => format!(" ON CONFLICT ({keys}) DO UPDATE SET n = ({table}.n + 1) % 4"),
                    _ => " ON CONFLICT DO NOTHING".to_owned(),
                };
                format!(
                    "INSERT INTO {table} (id, part, body, n) VALUES {}{conflict}{}",
                    values.join(", "),
                    called(&mut self.dice)
                )
            }
            3..6 => format!(
                "UPDATE {table} SET n = (n + 1) % 4 WHERE {condition}{}",
                called(&mut self.dice)
            ),
            6 => format!(
                "UPDATE {table} SET body = CASE body WHEN 'a' THEN 'b' ELSE 'a' END, n = 0 WHERE {condition}{}",
                called(&mut self.dice)
            ),
            7 => format!(
                "UPDATE {table} SET id = {} WHERE id = {key}{}",
                self.key(within),
                called(&mut self.dice)
            ),
            8 => format!(
                "UPDATE {table} SET id = CASE WHEN id < 10 THEN id + 10 ELSE id - 10 END WHERE {condition}"
            ),
            9 => format!("UPDATE {table} SET part = (part + 1) % 3 WHERE {condition}"),
            10 | 11 => format!(
                "DELETE FROM {table} WHERE {condition}{}",
                called(&mut self.dice)
            ),
            12 => format!(
                "MERGE INTO {table} USING (VALUES ({key}), ({key} % 5 + 1)) AS s (id) ON {table}.id = s.id AND part = 0
                 WHEN MATCHED AND n = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET n = (n + 1) % 4 WHEN NOT MATCHED THEN INSERT (id, body) VALUES (s.id, 'a')"
            ),
            13 => format!(
                "WITH gone AS (DELETE FROM {table} WHERE {condition} RETURNING *) INSERT INTO {} SELECT * FROM gone ON CONFLICT DO NOTHING",
                self.dice.pick(&TABLES)
            ),
            14 => format!(
                "UPDATE {table} SET parent = {key} WHERE id = {} AND EXISTS (SELECT FROM {table} AS p WHERE p.id = {key})",
                self.key(within)
            ),
            // In a trigger it can hide how a row of the statement came to its place.
            15 if within == Within::Transaction => {
                format!("UPDATE {table} SET n = n WHERE {condition}")
            }
            _ if within != Within::Trigger => format!(
                "UPDATE {table} SET n = (n + 1) % 4 WHERE {condition}{}",
                match within {
                    Within::Transaction => format!(" AND {}(id) > 0", self.dice.pick(&["f0", "f1"])),
                    _ => String::new(),
                }
            ),
            _ => format!(
                "DELETE FROM {table} WHERE id = {key}; INSERT INTO {table} (id, body) VALUES ({key}, 'a')"
            ),
        }
    }
}

/// Returns what is wrong with a table's changes.
fn broken(conn: &mut PgConnection, table: &str) -> Option<String> {
    let broken = value(
        conn,
        &format!(
            "SELECT string_agg(tl_key || ': ' || tl_shown, E'\n' ORDER BY tl_key)
             FROM (
                 SELECT k.key AS tl_key, array_agg(c ORDER BY c.id) AS tl_changes,
                        string_agg(format('%s %s %s%s %s %s %s', c.id, c.op, c.previous_key || '->', c.record_key, c.changed_from, c.changed_to, c.row_data), E'\n    ' ORDER BY c.id) AS tl_shown
                 FROM threadline.audit_changes AS c
                 CROSS JOIN LATERAL (SELECT DISTINCT u FROM unnest(ARRAY[c.record_key, c.previous_key]) AS u WHERE u IS NOT NULL) AS k (key)
                 WHERE c.table_id = threadline.audited_table_of('{table}')
                 GROUP BY k.key
             ) AS recorded
             LEFT JOIN (
                 SELECT threadline.key_in_image(to_jsonb(l), t.key_columns, t.key_types) AS tl_live_key,
                        to_jsonb(l) - CASE WHEN t.policy ?| '{{mask,hash}}' THEN 'body' ELSE '' END AS tl_live
                 FROM {table} AS l JOIN threadline.audited_tables AS t ON t.id = threadline.audited_table_of('{table}')
             ) AS live ON tl_live_key = tl_key
             WHERE NOT is_chain(tl_changes, tl_key, tl_live)"
        ),
    );
    broken.map(|broken| format!("{table}: no chain: {broken}"))
}

fn drift(conn: &mut PgConnection, table: &str) -> Option<String> {
    let drift = value(
        conn,
        &format!("SELECT string_agg(d::text, E'\n') FROM threadline.chain_drift('{table}') AS d"),
    );
    drift.map(|drift| format!("{table}: {drift}"))
}

/// The rows of both tables after a transaction.
struct Copy {
    at: String,
    rows: [Vec<String>; 2],
}

impl Copy {
    fn new(conn: &mut PgConnection) -> Self {
        let rows = TABLES.map(|table| {
            rows(
                conn,
                &format!("SELECT (to_jsonb(t) - 'body')::text FROM {table} AS t ORDER BY 1"),
            )
        });
        Self {
            at: now(conn).to_rfc3339(),
            rows,
        }
    }

    fn difference(&self, conn: &mut PgConnection) -> Option<String> {
        TABLES.iter().zip(&self.rows).find_map(|(table, rows_then)| {
            let recorded = rows(
                conn,
                &format!("SELECT (image - 'body')::text FROM threadline.rows_as_of('{table}', '{}') ORDER BY 1", self.at),
            );
            (recorded != *rows_then).then(|| {
                format!("{table} as of {}: {recorded:#?}, and it was {rows_then:#?}", self.at)
            })
        })
    }
}

/// Runs a scenario, and returns what is wrong.
fn failure(scenario: &Scenario) -> Option<String> {
    let (_database, mut conn) = Database::with(include_str!("is_chain.sql"));
    let conn = &mut conn;
    for line in scenario.tables.iter().chain(&scenario.code) {
        run(conn, line);
    }
    let mut copies = vec![];
    for (at, (transaction, post)) in scenario
        .transactions
        .iter()
        .zip(&scenario.posts)
        .enumerate()
    {
        run(conn, "BEGIN");
        for statement in transaction {
            run(conn, "SAVEPOINT s");
            // PostgreSQL refuses many of them.
            if conn.batch_execute(statement).is_err() {
                run(conn, "ROLLBACK TO s");
            }
        }
        run(conn, "COMMIT");
        if let Some(broken) = TABLES.iter().find_map(|table| broken(conn, table)) {
            return Some(format!("after transaction {at}: {broken}"));
        }
        if *post > 0 {
            run(conn, &format!("SELECT threadline.post({post})"));
            if let Some(broken) = TABLES.iter().find_map(|table| broken(conn, table)) {
                return Some(format!("after transaction {at}, partly posted: {broken}"));
            }
        }
        if at == 2 || at + 1 == scenario.transactions.len() {
            copies.push(Copy::new(conn));
        }
    }
    let check = |conn: &mut PgConnection| {
        TABLES
            .iter()
            .find_map(|table| broken(conn, table).or_else(|| drift(conn, table)))
            .or_else(|| copies.iter().find_map(|copy| copy.difference(conn)))
    };
    if let Some(broken) = check(conn) {
        return Some(format!("before posting: {broken}"));
    }
    let mut limit = 1 + scenario.posts.last().unwrap_or(&0);
    while value(conn, &format!("SELECT threadline.post({limit})")).as_deref() != Some("0") {
        limit += limit / 2 + 1;
        if let Some(broken) = TABLES.iter().find_map(|table| broken(conn, table)) {
            return Some(format!("partly posted: {broken}"));
        }
    }
    check(conn).map(|broken| format!("posted: {broken}"))
}

/// Leaves parts of a scenario out as long as something is wrong.
fn smallest(mut scenario: Scenario) -> Scenario {
    fn without<T: Clone>(of: &[T], at: usize) -> Vec<T> {
        let mut of = of.to_vec();
        of.remove(at);
        of
    }
    let mut tries = 0;
    loop {
        let mut smaller = vec![];
        for at in (0..scenario.transactions.len()).rev() {
            let mut less = scenario.clone();
            less.transactions.remove(at);
            less.posts.remove(at);
            smaller.push(less);
        }
        for at in (0..scenario.code.len()).rev() {
            if scenario.code[at].starts_with("CREATE TRIGGER") {
                let mut less = scenario.clone();
                less.code.remove(at);
                smaller.push(less);
            }
        }
        for (at, transaction) in scenario.transactions.iter().enumerate() {
            for statement in 0..transaction.len() {
                if transaction.len() > 1 {
                    let mut less = scenario.clone();
                    less.transactions[at] = without(transaction, statement);
                    smaller.push(less);
                }
            }
            if scenario.posts[at] > 0 {
                let mut less = scenario.clone();
                less.posts[at] = 0;
                smaller.push(less);
            }
        }
        let next = smaller.into_iter().find(|less| {
            tries += 1;
            tries < 200 && failure(less).is_some()
        });
        match next {
            Some(next) => scenario = next,
            None => return scenario,
        }
    }
}

fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("THREADLINE_SEEDS") else {
        return SEEDS;
    };
    let number = |text: &str| text.parse().unwrap();
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 1..1 + number(&asked),
    }
}

#[test]
fn changes_of_each_record_follow_from_each_other_whatever_writes_are_nested() {
    let mut failures = vec![];
    for seed in seeds() {
        let scenario = Writer::scenario(seed);
        if failure(&scenario).is_some() {
            let smallest = smallest(scenario);
            let failure = failure(&smallest);
            failures.push(format!("seed {seed}:\n{smallest}\n/* {failure:?} */"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
