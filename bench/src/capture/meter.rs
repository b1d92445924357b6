//! What a piece of work costs the server.

use diesel::connection::SimpleConnection;
use diesel::{PgConnection, QueryableByName, RunQueryDsl, sql_types::BigInt};

use crate::sql::number;

const CPU: &str = include_str!("../../sql/capture/cpu.sql");
const WALL: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1e9)::bigint AS n";
const WAL: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS n";

#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    clock: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) microseconds: f64,
    pub(super) wal_bytes: f64,
}

impl Meter {
    /// CPU of the server process, where the system tells it.
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

    /// Nothing else writes on the server meanwhile, or its WAL counts too.
    pub(super) fn measure<'a>(
        self,
        conn: &mut PgConnection,
        messages: impl IntoIterator<Item = &'a str>,
    ) -> Cost {
        let wal = number(conn, WAL);
        let clock = number(conn, self.clock);
        for message in messages {
            conn.batch_execute(message)
                .unwrap_or_else(|error| panic!("{message}: {error}"));
        }
        let clock = number(conn, self.clock) - clock;
        Cost {
            microseconds: clock as f64 / 1000.0,
            wal_bytes: (number(conn, WAL) - wal) as f64,
        }
    }
}
