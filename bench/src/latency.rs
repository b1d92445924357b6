//! The latency of writes to an audited table while something else runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use threadline::{ActorRef, AuditContext, AuditExt, Error, Worker};

const ROWS: u64 = 1_000;
/// Between the beginnings of two writes.
const EVERY: Duration = Duration::from_millis(5);

/// Latencies in microseconds.
pub(crate) struct Latency {
    pub(crate) median: f64,
    pub(crate) p99: f64,
}

pub(crate) fn create_table(conn: &mut PgConnection) {
    conn.batch_execute(&format!(
        "CREATE TABLE written (id bigint PRIMARY KEY, name text, n bigint NOT NULL DEFAULT 0);
         INSERT INTO written SELECT k, 'row ' || k FROM generate_series(1, {ROWS}) AS k;
         SELECT threadline.audit('written')"
    ))
    .expect("a table");
}

/// Runs some work while a client updates rows under a context, one each five milliseconds, and a
/// worker posts.
pub(crate) fn beside<T>(url: &str, work: impl FnOnce() -> T) -> (T, Latency) {
    let worker = Worker::new()
        .spawn({
            let url = url.to_owned();
            move || PgConnection::establish(&url)
        })
        .expect("a worker");
    let done = AtomicBool::new(false);
    let (result, latencies) = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(url, &done));
        let result = work();
        done.store(true, Ordering::Relaxed);
        (result, writer.join().expect("the writer succeeds"))
    });
    worker.stop();
    (result, latencies)
}

fn write_until(url: &str, done: &AtomicBool) -> Latency {
    let mut conn = PgConnection::establish(url).expect("the server takes connections");
    let context = AuditContext::new(ActorRef::job("writer").expect("an actor"));
    let mut latencies = vec![];
    let mut next = Instant::now();
    while !done.load(Ordering::Relaxed) {
        let start = Instant::now();
        conn.audited_transaction::<_, Error, _>(&context, |conn| {
            let id = latencies.len() as u64 * 7_919 % ROWS + 1;
            Ok(sql_query("UPDATE written SET n = n + 1 WHERE id = $1")
                .bind::<diesel::sql_types::BigInt, _>(id as i64)
                .execute(conn)?)
        })
        .expect("a write");
        latencies.push(start.elapsed().as_secs_f64() * 1e6);
        next += EVERY;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize];
    Latency {
        median: at(0.5),
        p99: at(0.99),
    }
}
