//! What capture costs: the same writes unaudited, at the limit, ours, and with
//! a textbook trigger.

mod added;
mod bench;
mod bulk;
mod cascades;
mod clients;
mod copy;
mod goals;
mod history;
mod meter;
mod single;
mod table;
mod variant;

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use threadline::Models;

use crate::capture::bench::Bench;
use crate::capture::meter::Meter;
use crate::goals::Goals;
use crate::samples::Samples;

const WIDTHS: [u32; 2] = [8, 40];

/// On a database of its own: the audit tables are emptied many times.
pub(crate) fn run(
    conn: &mut PgConnection,
    url: &str,
    quick: bool,
    samples: &mut Samples,
    goals: &mut Goals,
) {
    Models::new(vec![])
        .install(conn)
        .expect("the schema installs");
    for part in [
        include_str!("../../sql/capture/tables.sql"),
        include_str!("../../sql/capture/textbook.sql"),
        include_str!("../../sql/capture/prepare_writes.sql"),
    ] {
        conn.batch_execute(part).expect("the tables are created");
    }
    // Asynchronous commits wake the WAL writer, each by a signal that costs more than
    // the commit. The server that is started for this waits for no disk anyway.
    conn.batch_execute("SET synchronous_commit = on")
        .expect("a session may");
    single::prepare(conn);
    let meter = Meter::new(conn);
    let mut bench = Bench {
        conn,
        url,
        quick,
        meter,
        samples,
        keep_audit_rows: false,
    };
    bench.execute("VACUUM ANALYZE");

    for width in WIDTHS {
        single::run(&mut bench, width);
    }
    for width in WIDTHS {
        bulk::run(&mut bench, width);
    }
    copy::run(&mut bench);
    cascades::run(&mut bench);
    clients::run(&mut bench);
    goals::check(bench.samples, goals);
    history::run(&mut bench, goals);
}

/// Leaves the database as it was, for what is measured next.
pub(crate) fn remove(conn: &mut PgConnection) {
    conn.batch_execute(include_str!("../../sql/capture/remove.sql"))
        .expect("the tables go");
}
