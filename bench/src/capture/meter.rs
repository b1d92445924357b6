//! Measures what a piece of work costs the server.

use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::{PgConnection, QueryableByName, RunQueryDsl, sql_types::BigInt};

use crate::sql::number;

const CPU: &str = include_str!("../../sql/capture/cpu.sql");
const WALL: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1e9)::bigint";
const WAL: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";

#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    clock: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) microseconds: f64,
    pub(super) wal_bytes: f64,
    /// Of wall time.
    pub(super) seconds: f64,
}

impl Cost {
    pub(super) fn divided_by(self, parts: usize) -> Self {
        let parts = parts as f64;
        Self {
            microseconds: self.microseconds / parts,
            wal_bytes: self.wal_bytes / parts,
            seconds: self.seconds / parts,
        }
    }
}

impl Meter {
    /// CPU of the server process, if the system reports it.
    pub(super) fn new(conn: &mut PgConnection) -> Self {
        #[derive(QueryableByName)]
        struct Reading {
            #[diesel(sql_type = BigInt)]
            #[allow(dead_code)]
            n: i64,
        }
        let clock = match diesel::sql_query(CPU).get_result::<Reading>(conn) {
            Ok(_) => CPU,
            Err(error) => {
                println!("no CPU time of the server process, so wall time instead: {error}");
                WALL
            }
        };
        Self { clock }
    }

    /// Nanoseconds; the difference between two readings counts.
    pub(super) fn clock(self, conn: &mut PgConnection) -> i64 {
        number(conn, self.clock)
    }

    /// Nothing else may write on the server meanwhile, or its WAL counts too.
    pub(super) fn measure<'a>(
        self,
        conn: &mut PgConnection,
        messages: impl IntoIterator<Item = &'a str>,
    ) -> Cost {
        let ((), cost) = self.measure_work(conn, |conn| {
            for message in messages {
                conn.batch_execute(message)
                    .unwrap_or_else(|error| panic!("{message}: {error}"));
            }
        });
        cost
    }

    pub(super) fn measure_work<T>(
        self,
        conn: &mut PgConnection,
        work: impl FnOnce(&mut PgConnection) -> T,
    ) -> (T, Cost) {
        let wal = number(conn, WAL);
        let clock = self.clock(conn);
        let start = Instant::now();
        let done = work(conn);
        let seconds = start.elapsed().as_secs_f64();
        let clock = self.clock(conn) - clock;
        let cost = Cost {
            microseconds: clock as f64 / 1000.0,
            wal_bytes: (number(conn, WAL) - wal) as f64,
            seconds,
        };
        (done, cost)
    }
}
