use diesel::PgConnection;
use threadline_tests::{Database, rows, run, value};

use crate::follower::Follower;
use crate::load::fill;

/// pgbench's tables: their keys, and the balances in them.
const TABLES: [(&str, &str, Option<&str>); 4] = [
    ("pgbench_accounts", "aid", Some("abalance")),
    ("pgbench_branches", "bid", Some("bbalance")),
    ("pgbench_tellers", "tid", Some("tbalance")),
    ("pgbench_history", "id", None),
];

/// The state from the audit, for tables that are rebuilt from it.
const RECORDED: &str = "
    CREATE SCHEMA initial;
    CREATE AGGREGATE laid_over(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}');
    CREATE VIEW recorded_changes AS
        SELECT t.table_name, c.id, c.transaction_id, c.op, c.record_key, c.changed_from, c.changed_to, c.row_data
        FROM threadline.audit_changes AS c
        LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id;";

/// pgbench's tables, audited, and a follower of their changes.
pub(crate) struct Bank {
    pub(crate) follower: Follower,
    pub(crate) conn: Option<PgConnection>,
    pub(crate) database: Database,
}

impl Bank {
    /// Fills the tables, audits them, and keeps a copy of the rows.
    pub(crate) fn open(database: Database, branches: u64) -> Self {
        fill(&database, branches);
        let mut bank = Self {
            follower: Follower::start(database.url()),
            conn: None,
            database,
        };
        let conn = bank.conn();
        run(
            conn,
            "ALTER TABLE pgbench_history ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        );
        run(conn, RECORDED);
        for (table, _, _) in TABLES {
            run(
                conn,
                &format!(
                    "SELECT threadline.audit('{table}');
                     CREATE TABLE initial.{table} AS TABLE {table}"
                ),
            );
        }
        bank
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        let database = &self.database;
        self.conn.get_or_insert_with(|| database.connect())
    }

    /// Kills the server and starts it again; the changes that the follower has are still
    /// there.
    pub(crate) fn crash(&mut self) {
        self.database.own_server().kill();
        self.conn = None;
        self.database.own_server().restart();
        self.check_seen();
    }

    /// Returns the number of committed transactions.
    pub(crate) fn transactions(&mut self) -> u64 {
        self.count("SELECT count(*) FROM pgbench_history")
    }

    /// Returns whether a client is connected, or its work is still being rolled back.
    pub(crate) fn is_busy(&mut self, client: &str) -> bool {
        self.count(&format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{client}'"
        )) > 0
    }

    /// Asserts that the audit is complete and correct, whether posted or not.
    pub(crate) fn check(&mut self) {
        self.check_completeness();
        self.post_all();
        self.check_completeness();
        self.check_positions();
        for (table, key, balance) in TABLES {
            self.rebuild_forward(table, key);
            self.rebuild_backward(table, key);
            if let Some(balance) = balance {
                self.check_differences(table, key, balance);
            }
        }
    }

    /// Asserts four changes and one transaction row for each transaction of the bank.
    fn check_completeness(&mut self) {
        let transactions = self.transactions();
        // An amount of 0 changes no balance.
        let idle = self.count("SELECT count(*) FROM pgbench_history WHERE delta = 0");
        let counts = rows(
            self.conn(),
            "SELECT table_name, op, count(*) FROM recorded_changes GROUP BY 1, 2 ORDER BY 1, 2",
        );
        let mut expected: Vec<_> = TABLES
            .iter()
            .map(|(table, _, balance)| match balance {
                Some(_) => format!("{table} | U | {}", transactions - idle),
                None => format!("{table} | I | {transactions}"),
            })
            .collect();
        expected.sort();
        assert_eq!(counts, expected);
        assert_eq!(
            self.count("SELECT count(*) FROM threadline.audit_transactions"),
            transactions
        );
        let orphans = "SELECT count(*) FROM recorded_changes WHERE NOT EXISTS (
                           SELECT FROM threadline.audit_transactions AS x WHERE x.id = transaction_id)";
        assert_eq!(self.count(orphans), 0);
        // Each transaction row has the changes of one transaction of the bank.
        let mixed = "SELECT count(*) FROM (
                         SELECT transaction_id FROM recorded_changes
                         GROUP BY transaction_id
                         HAVING count(*) FILTER (WHERE op = 'I') <> 1 OR count(DISTINCT table_name) <> count(*)
                     ) AS mixed";
        assert_eq!(self.count(mixed), 0);
    }

    /// Asserts that the copy of the rows, with all changes applied, is the present state.
    fn rebuild_forward(&mut self, table: &str, key: &str) {
        let touched = touched(table, &format!("kept.{key}"));
        self.compare(
            table,
            &format!("TABLE {table}"),
            &format!("SELECT kept.* FROM initial.{table} AS kept WHERE NOT {touched}"),
            &format!(
                "SELECT {key}::text AS record, 0 AS place, to_jsonb(kept) AS image
                 FROM initial.{table} AS kept WHERE {touched}
                 UNION ALL
                 SELECT record_key, id, CASE op WHEN 'I' THEN row_data WHEN 'U' THEN changed_to END
                 FROM recorded_changes WHERE table_name = '{table}'"
            ),
        );
    }

    /// Asserts that the present state, with all changes undone, is the copy.
    fn rebuild_backward(&mut self, table: &str, key: &str) {
        let touched = touched(table, &format!("live.{key}"));
        self.compare(
            table,
            &format!("TABLE initial.{table}"),
            &format!("SELECT live.* FROM {table} AS live WHERE NOT {touched}"),
            &format!(
                "SELECT {key}::text AS record, -9223372036854775808 AS place, to_jsonb(live) AS image
                 FROM {table} AS live
                 WHERE {touched} AND NOT EXISTS (
                     SELECT FROM recorded_changes WHERE table_name = '{table}' AND op = 'I' AND record_key = live.{key}::text)
                 UNION ALL
                 SELECT record_key, -id, changed_from FROM recorded_changes WHERE table_name = '{table}' AND op = 'U'"
            ),
        );
    }

    /// Compares in both directions, exactly: for = a char(84) equals its value without
    /// blanks.
    fn compare(&mut self, table: &str, expected: &str, untouched: &str, layers: &str) {
        let rebuilt = format!(
            "{untouched}
             UNION ALL
             SELECT built.* FROM (
                 SELECT laid_over(image ORDER BY place) AS image FROM ({layers}) AS layers GROUP BY record
             ) AS records
             CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, image) AS built"
        );
        run(
            self.conn(),
            &format!(
                "DROP TABLE IF EXISTS rebuilt, expected;
                 CREATE TEMP TABLE rebuilt AS SELECT row::text FROM ({rebuilt}) AS row;
                 CREATE TEMP TABLE expected AS SELECT row::text FROM ({expected}) AS row"
            ),
        );
        for (these, those) in [("rebuilt", "expected"), ("expected", "rebuilt")] {
            let odd = rows(
                self.conn(),
                &format!("TABLE {these} EXCEPT ALL TABLE {those} LIMIT 10"),
            );
            assert_eq!(odd, [""; 0], "{these} and not {those}, for: {expected}");
        }
    }

    /// Asserts that each balance is the sum of its recorded differences, and that each of
    /// them begins where the one before it ended.
    fn check_differences(&mut self, table: &str, key: &str, balance: &str) {
        let differences = format!(
            "SELECT record_key, id,
                    (changed_from ->> '{balance}')::bigint AS before, (changed_to ->> '{balance}')::bigint AS after
             FROM recorded_changes WHERE table_name = '{table}'"
        );
        let unequal = format!(
            "SELECT count(*) FROM {table} AS live
             LEFT JOIN (
                 SELECT record_key, sum(after - before) AS total FROM ({differences}) AS d GROUP BY record_key
             ) AS recorded ON record_key = {key}::text
             WHERE {balance} <> coalesce(total, 0)"
        );
        assert_eq!(self.count(&unequal), 0, "balances of {table}");
        let torn = format!(
            "SELECT count(*) FROM (
                 SELECT before, lag(after, 1, 0::bigint) OVER (PARTITION BY record_key ORDER BY id) AS until_then
                 FROM ({differences}) AS d
             ) AS steps
             WHERE before <> until_then"
        );
        assert_eq!(self.count(&torn), 0, "balances of {table}");
    }

    pub(crate) fn count(&mut self, query: &str) -> u64 {
        let count = value(self.conn(), query).expect("a count is never NULL");
        count.parse().expect("a number")
    }
}

/// Whether anything is recorded of a record. Rebuilding the many others from JSON takes
/// most of the time.
fn touched(table: &str, key: &str) -> String {
    format!(
        "EXISTS (SELECT FROM recorded_changes WHERE table_name = '{table}' AND record_key = {key}::text)"
    )
}
