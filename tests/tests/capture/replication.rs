//! Writes of the apply worker of a subscription, on a server of its own.

use std::thread::sleep;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use threadline_tests::{Database, rows, run, value};

/// Ordinary tables on the publisher; on the subscriber, one of them is partitioned.
const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY, name text, email text)";
const EVENTS: &str =
    "CREATE TABLE events (region text, id int, name text, PRIMARY KEY (region, id))";
const MARKERS: &str = "CREATE TABLE markers (id int PRIMARY KEY)";

struct Replicated {
    publisher: Database,
    subscriber: Database,
    markers: u32,
}

impl Replicated {
    fn new() -> Self {
        let publisher = Database::alone();
        run(
            &mut publisher.connect(),
            &format!(
                "{ITEMS}; {EVENTS}; {MARKERS}; INSERT INTO items VALUES (1, 'copied', 'c@x'); CREATE PUBLICATION news FOR TABLE items, events, markers"
            ),
        );
        let (subscriber, mut conn) = Database::alone().connected();
        let conn = &mut conn;
        run(
            conn,
            &format!(
                "{ITEMS}; {MARKERS}; {EVENTS} PARTITION BY LIST (region);
                 CREATE TABLE events_eu PARTITION OF events FOR VALUES IN ('eu');
                 CREATE TABLE events_us PARTITION OF events FOR VALUES IN ('us');
                 SELECT threadline.audit('items', mask => ARRAY['email']); SELECT threadline.audit('events')"
            ),
        );
        run(
            conn,
            &format!(
                "CREATE SUBSCRIPTION news CONNECTION '{}' PUBLICATION news",
                publisher.url()
            ),
        );
        let mut replicated = Self {
            publisher,
            subscriber,
            markers: 0,
        };
        replicated
            .wait_until("NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')");
        replicated
    }

    /// Runs each text in a transaction of the publisher, and waits for the last.
    fn publish(&mut self, transactions: &[&str]) {
        let conn = &mut self.publisher.connect();
        for sql in transactions {
            run(conn, sql);
        }
        self.markers += 1;
        let marker = self.markers;
        run(conn, &format!("INSERT INTO markers VALUES ({marker})"));
        self.wait_until(&format!("EXISTS (SELECT FROM markers WHERE id = {marker})"));
    }

    fn wait_until(&mut self, condition: &str) {
        let conn = &mut self.subscriber.connect();
        let began = Instant::now();
        while value(conn, &format!("SELECT {condition}")).as_deref() != Some("true") {
            assert!(began.elapsed() < Duration::from_secs(60), "{condition}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Returns every change recorded at the subscriber, by transaction, and deletes them.
    fn recorded(&mut self) -> Vec<String> {
        let conn: &mut PgConnection = &mut self.subscriber.connect();
        let recorded = rows(
            conn,
            "SELECT dense_rank() OVER (ORDER BY c.transaction_id) AS number, c.op::text, t.table_name, c.record_key,
                    coalesce(c.changed_to, c.row_data) AS image
             FROM threadline.audit_changes AS c JOIN threadline.audited_tables AS t ON t.id = c.table_id ORDER BY c.id",
        );
        run(
            conn,
            "TRUNCATE threadline.journal, threadline.ledger_changes, threadline.ledger_transactions",
        );
        recorded
    }
}

#[test]
fn rows_that_a_subscription_copies_and_applies_are_recorded_once_by_transaction() {
    let mut replicated = Replicated::new();
    assert_eq!(
        replicated.recorded(),
        [r#"1 | I | items | 1 | {"id": 1, "name": "copied", "email": "***"}"#]
    );

    replicated.publish(&[
        "BEGIN; INSERT INTO items VALUES (2, 'a', 'a@x'), (3, 'b', 'b@x'); UPDATE items SET name = 'x' WHERE id <> 3;
         UPDATE items SET id = 4 WHERE id = 3; UPDATE items SET email = 'c@y' WHERE id = 1; DELETE FROM items WHERE id = 2;
         INSERT INTO events VALUES ('eu', 1, 'begun'), ('us', 2, 'begun'); COMMIT",
        "UPDATE items SET name = name",
        "UPDATE events SET name = 'ended'",
        "UPDATE events SET region = 'us' WHERE id = 1",
        "DELETE FROM events WHERE id = 2",
        "BEGIN; INSERT INTO items VALUES (9, 'gone', NULL); ROLLBACK",
        "TRUNCATE items, events",
    ]);
    assert_eq!(
        replicated.recorded(),
        [
            r#"1 | I | items | 2 | {"id": 2, "name": "a", "email": "***"}"#,
            r#"1 | I | items | 3 | {"id": 3, "name": "b", "email": "***"}"#,
            r#"1 | U | items | 1 | {"name": "x"}"#,
            r#"1 | U | items | 2 | {"name": "x"}"#,
            r#"1 | U | items | 4 | {"id": 4}"#,
            r#"1 | U | items | 1 | {"email": "***"}"#,
            r#"1 | D | items | 2 | {"id": 2, "name": "x", "email": "***"}"#,
            r#"1 | I | events | ["eu", "1"] | {"id": 1, "name": "begun", "region": "eu"}"#,
            r#"1 | I | events | ["us", "2"] | {"id": 2, "name": "begun", "region": "us"}"#,
            r#"2 | U | events | ["eu", "1"] | {"name": "ended"}"#,
            r#"2 | U | events | ["us", "2"] | {"name": "ended"}"#,
            // The apply worker itself moves a row to another partition in this way.
            r#"3 | D | events | ["eu", "1"] | {"id": 1, "name": "ended", "region": "eu"}"#,
            r#"3 | I | events | ["us", "1"] | {"id": 1, "name": "ended", "region": "us"}"#,
            r#"4 | D | events | ["us", "2"] | {"id": 2, "name": "ended", "region": "us"}"#,
            r#"5 | T | items | 4 | {"id": 4, "name": "b", "email": "***"}"#,
            r#"5 | T | items | 1 | {"id": 1, "name": "x", "email": "***"}"#,
            r#"5 | T | events | ["us", "1"] | {"id": 1, "name": "ended", "region": "us"}"#,
        ]
    );
}
