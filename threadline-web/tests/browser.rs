//! Tests of the explorer in a browser: with the mouse, with the keyboard only, without
//! JavaScript, on a wide and on a narrow screen.

#[path = "browser/driver.rs"]
mod driver;
#[path = "browser/exports.rs"]
mod exports;
#[path = "browser/functions.rs"]
mod functions;
#[path = "browser/incident.rs"]
mod incident;
#[path = "browser/pages.rs"]
mod pages;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use fantoccini::Client;
use threadline::{Action, ActorRef, AuditContext, AuditExt, Error, record_action};
use threadline_tests::{Database, run};
use threadline_web::{Access, Explorer};
use tokio::net::TcpListener;

use self::driver::{Driver, ZONE};

/// Creates the data of a small invoicing service in which a user divided amounts by a hundred.
fn with_incident() -> Database {
    let (database, mut conn) = Database::with(
        "CREATE TABLE members (id bigint PRIMARY KEY, name text NOT NULL, email text);
         CREATE TABLE invoices (id bigint PRIMARY KEY, member_id bigint NOT NULL REFERENCES members,
                                number text NOT NULL, amount numeric NOT NULL, status text NOT NULL, terms jsonb);
         SELECT threadline.audit('members', mask => ARRAY['email']), threadline.audit('invoices')",
    );
    let steps = [
        (
            "job:billing",
            "INSERT INTO members SELECT n, 'Member ' || n, n || '@example.com' FROM generate_series(1, 9) AS n",
            None,
        ),
        (
            "job:billing",
            "INSERT INTO invoices SELECT n, 1 + n % 9, '2026-' || n, 1200.00, 'open', '{\"days\": 30, \"interest\": 8, \"currency\": \"EUR\", \"reminders\": [7, 14]}' FROM generate_series(1, 30) AS n",
            None,
        ),
        (
            "user:57",
            "UPDATE invoices SET amount = trim_scale(amount / 100), terms = jsonb_set(terms, '{days}', '14') WHERE id % 3 = 0",
            Some(("invoice.corrected", "reminder fees taken off")),
        ),
        (
            "job:small-amounts",
            "UPDATE invoices SET status = 'written off' WHERE amount < 20",
            Some(("invoice.written_off", "below 20.00, not worth a letter")),
        ),
    ];
    for (actor, sql, action) in steps {
        let context = AuditContext::builder(actor.parse().unwrap())
            .source("web")
            .request_id("req-9044")
            .correlation_id("ticket-4471")
            .build()
            .unwrap();
        conn.audited_transaction::<_, Error, _>(&context, |conn| {
            run(conn, sql);
            if let Some((name, reason)) = action {
                record_action(conn, Action::new(name).reason(reason))?;
            }
            Ok(())
        })
        .unwrap();
    }
    database
}

/// The time that a query may take: on a busy machine, more than by default.
const PATIENCE: Duration = Duration::from_secs(60);

/// The explorer of the incident, and a browser.
struct Site {
    driver: Driver,
    address: SocketAddr,
    database: Database,
}

impl Site {
    /// Serves the explorer to an operator.
    async fn open() -> Self {
        Self::open_in(ZONE).await
    }

    /// Same as [`open`](Self::open), to a browser in a time zone.
    async fn open_in(zone: &str) -> Self {
        let database = with_incident();
        let explorer = Explorer::new(database.pool(4))
            .timeout(PATIENCE)
            .authorize(async |_| {
                Access::to_everything(ActorRef::admin("grace").unwrap())
                    .allow_export()
                    .allow_revert()
                    .allow_unmask()
            });
        Self::serve(database, explorer.into_router(), zone).await
    }

    async fn serve(database: Database, router: Router, zone: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            driver: Driver::start(zone),
            address,
            database,
        }
    }

    /// Returns the URL of a page.
    fn url(&self, page: &str) -> String {
        format!("http://{}/{page}", self.address)
    }

    async fn goto(&self, window: &Client, page: &str) {
        window.goto(&self.url(page)).await.unwrap();
    }
}
