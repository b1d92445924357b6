//! A move to another server by logical replication, which copies rows and applies changes,
//! and does not replicate sequences.

use std::thread::sleep;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use threadline_tests::{Database, assert_rows, assert_value, connect, run, value};

use super::club::{Club, SOUND, found, pg_restore, refresh_all};

/// Tables of the audit that can be replicated. The journal is posted first; entries that
/// could not be posted are not replicated.
const CARRIED: &str = "threadline.altered_columns, threadline.audit_actions, threadline.audited_tables, threadline.installed_code,
    threadline.known_partitions, threadline.ledger_changes, threadline.ledger_transactions, threadline.posting, threadline.renamed_columns,
    threadline.schema_versions, threadline.session_suspensions, threadline.suspended_writes, threadline.suspensions, threadline.hash_keys,
    threadline.watched_partitions";

struct Move {
    club: Club,
    /// The new server, and the database on it.
    server: Database,
    url: String,
}

impl Move {
    /// Starts both servers, with the application's tables on the new one, which records
    /// nothing yet.
    fn begin() -> Self {
        let club = Club::on(Database::alone());
        let server = Database::alone();
        run(
            &mut server.connect(),
            "CREATE DATABASE club TEMPLATE template0",
        );
        let url = server.server().url_of("club");
        let tables = club.dump(&["--format=custom", "--schema-only", "--schema=public"]);
        // All but its triggers, because there is no audit yet.
        pg_restore(server.server(), &url, &tables, &[]).unwrap_err();
        Self { club, server, url }
    }

    fn publish(&self, what: &str) {
        let publisher = &mut self.club.database.connect();
        run(publisher, &format!("CREATE PUBLICATION moving FOR {what}"));
        let subscriber = &mut connect(&self.url);
        // Otherwise 18 tables are copied one a second.
        run(
            subscriber,
            "ALTER SYSTEM SET wal_retrieve_retry_interval = '10ms'",
        );
        run(
            subscriber,
            "ALTER SYSTEM SET max_sync_workers_per_subscription = 3",
        );
        run(subscriber, "SELECT pg_reload_conf()");
        let from = self.club.database.url();
        run(
            subscriber,
            &format!("CREATE SUBSCRIPTION moving CONNECTION '{from}' PUBLICATION moving"),
        );
    }

    /// Ends the subscription after writes have stopped and the last change has arrived.
    fn switch_over(&self, last: &str) {
        let publisher = &mut self.club.database.connect();
        let subscriber = &mut connect(&self.url);
        wait_until(
            subscriber,
            "NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')",
        );
        let there = value(publisher, last).unwrap();
        wait_until(subscriber, &format!("({last})::text = '{there}'"));
        run(subscriber, "DROP SUBSCRIPTION moving");
    }

    fn copy_audit(&self, arguments: &[&str]) {
        let audit = self
            .club
            .dump(&[&["--format=custom", "--schema=threadline"], arguments].concat());
        pg_restore(self.server.server(), &self.url, &audit, &[]).unwrap();
    }

    /// Copies the triggers, which need the audit's schema.
    fn copy_triggers(&self) {
        let all = self.club.dump(&["--format=custom", "--schema-only"]);
        let list = self
            .server
            .server()
            .run("pg_restore", &["--list", all.to_str().unwrap()]);
        let triggers: Vec<_> = list
            .lines()
            .filter(|line| line.contains(" TRIGGER ") && line.contains("!threadline_"))
            .collect();
        let chosen = threadline_tests::scratch_dir().join("triggers");
        std::fs::write(&chosen, triggers.join("\n")).unwrap();
        pg_restore(
            self.server.server(),
            &self.url,
            &all,
            &["--use-list", chosen.to_str().unwrap()],
        )
        .unwrap();
    }
}

#[track_caller]
fn wait_until(conn: &mut PgConnection, condition: &str) {
    let began = Instant::now();
    while value(conn, &format!("SELECT {condition}")).as_deref() != Some("true") {
        assert!(began.elapsed() < Duration::from_secs(60), "{condition}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_application_is_replicated_and_the_audit_dumped_at_the_switch() {
    let mut moving = Move::begin();
    moving.publish("TABLES IN SCHEMA public");
    moving.club.write();
    moving.switch_over("SELECT max(id) FROM plain WHERE n > 0");
    moving.copy_audit(&[]);
    moving.copy_triggers();
    let conn = &mut connect(&moving.url);
    refresh_all(conn);
    assert_eq!(found(conn), SOUND);
    // As for any other table, the application sets its own sequences.
    run(conn, "SELECT setval('ids', 1000)");
    moving.club.before.goes_on(conn);
    assert_eq!(found(conn), SOUND);
}

#[test]
fn the_ledger_is_replicated_too_and_the_sequences_are_set_right() {
    let mut moving = Move::begin();
    moving.copy_audit(&["--schema-only"]);
    moving.publish(&format!(
        "TABLE plain, redacted, parts_north, parts_south, people, chosen, {CARRIED}"
    ));
    moving.club.write();
    let publisher = &mut moving.club.database.connect();
    while value(publisher, "SELECT threadline.post()").as_deref() != Some("0") {}
    moving.switch_over("SELECT max(last_position) FROM threadline.posting");
    moving.copy_triggers();
    let conn = &mut connect(&moving.url);
    let behind = [
        "sequence-behind threadline.audit_actions_id_seq",
        "sequence-behind threadline.audited_tables_id_seq",
        "sequence-behind threadline.entry_ids",
    ];
    let findings = found(conn);
    assert_eq!(findings[..3], behind);

    // Writes that come too early do not fail.
    run(conn, "SELECT setval('ids', 1000)");
    run(
        conn,
        "SELECT threadline.record_action('member.early', 'admin', 'grace'); INSERT INTO plain VALUES (500)",
    );
    assert_rows(
        conn,
        "SELECT name FROM threadline.actions ORDER BY id DESC LIMIT 1",
        ["member.early"],
    );
    run(conn, "SELECT threadline.post()");
    let last = "SELECT key, actor_id FROM threadline.changes ORDER BY id DESC LIMIT 1";
    assert_rows(conn, last, ["{\"id\": 500} | NULL"]);

    refresh_all(conn);
    assert_eq!(found(conn), SOUND);
    run(
        conn,
        "CREATE TABLE later (id int PRIMARY KEY, pin text); SELECT threadline.audit('later', hash => ARRAY['pin'])",
    );
    run(conn, "INSERT INTO later VALUES (1, '1234')");
    let tables = "SELECT count(DISTINCT table_name) FROM threadline.changes";
    assert_value(conn, tables, "6");
    assert_eq!(found(conn), SOUND);
}

/// As change data capture does, for example.
#[test]
fn a_publication_of_all_tables_keeps_nobody_from_posting() {
    let club = Club::new();
    let conn = &mut club.database.connect();
    run(conn, "CREATE PUBLICATION everything FOR ALL TABLES");
    club.before.goes_on(conn);
    // Nor the entries that were set aside.
    run(
        conn,
        "ALTER TABLE threadline.ledger_changes ADD CONSTRAINT refused CHECK (record_key <> '77') NOT VALID",
    );
    run(conn, "INSERT INTO plain VALUES (77)");
    run(conn, "SELECT threadline.post()");
    assert_eq!(threadline::waiting(conn).unwrap().set_aside, 1);
    run(
        conn,
        "ALTER TABLE threadline.ledger_changes DROP CONSTRAINT refused; SELECT threadline.post_again()",
    );
    run(conn, "SELECT threadline.post()");
    let waiting = threadline::waiting(conn).unwrap();
    assert_eq!((waiting.set_aside, waiting.entries), (0, 0));
}
