//! The cost of capture and posting: the same writes unaudited, at the limit, ours, and
//! with other triggers.

mod added;
mod altered;
mod bench;
mod bulk;
mod cascades;
mod clients;
mod connection;
mod context;
mod copy;
mod documents;
mod goals;
mod history;
mod meter;
mod names;
mod policies;
mod posting;
mod prepare;
mod sessions;
mod single;
mod statements;
mod table;
mod variant;
mod votes;

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use threadline::Models;

use crate::capture::bench::Bench;
use crate::capture::meter::Meter;
use crate::capture::variant::Variant;
use crate::goals::Goals;
use crate::samples::Samples;

const WIDTHS: [u32; 2] = [8, 40];

type Workload = (&'static str, fn(&mut Bench<'_>));

const WORKLOADS: [Workload; 12] = [
    ("rows", single::run),
    ("bulk", bulk::run),
    ("statements", statements::run),
    ("votes", votes::run),
    ("copy", copy::run),
    ("cascades", cascades::run),
    ("documents", documents::run),
    ("clients", clients::run),
    ("altered", altered::run),
    ("sessions", sessions::run),
    ("policies", policies::run),
    ("posting", posting::run),
];

/// Each of its workloads can be measured separately, too.
pub(crate) fn workloads() -> impl Iterator<Item = &'static str> {
    WORKLOADS
        .into_iter()
        .map(|(name, _)| name)
        .chain(["history"])
}

/// Runs on a database of its own, because the audit tables are emptied many times. Runs
/// one workload, or all.
pub(crate) fn run(
    conn: &mut PgConnection,
    url: &str,
    quick: bool,
    only: Option<&str>,
    samples: &mut Samples,
    goals: &mut Goals,
) {
    set_up(conn);
    let meter = Meter::new(conn);
    let mut bench = Bench {
        conn,
        url,
        quick,
        meter,
        samples,
        keep_ledger: false,
    };
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    for (name, workload) in WORKLOADS {
        if wanted(name) {
            workload(&mut bench);
        }
    }
    if wanted("history") {
        history::run(&mut bench);
    }
    goals::check(bench.samples, quick, goals);
}

/// Prepares a database, and the connection to it.
fn set_up(conn: &mut PgConnection) {
    Models::new(vec![])
        .install(conn)
        .expect("the schema installs");
    for part in [
        include_str!("../../sql/capture/tables.sql"),
        include_str!("../../sql/capture/ours.sql"),
        include_str!("../../sql/capture/limit.sql"),
        include_str!("../../sql/capture/textbook.sql"),
        include_str!("../../sql/capture/typed.sql"),
    ] {
        conn.batch_execute(part).expect("the tables are created");
    }
    conn.batch_execute("VACUUM ANALYZE").expect("a vacuum");
    connection::prepare(conn);
    prepare::writes(conn, &Variant::ALL, &WIDTHS);
}

/// Leaves the database as it was, for the next measurement.
pub(crate) fn remove(conn: &mut PgConnection) {
    conn.batch_execute(include_str!("../../sql/capture/remove.sql"))
        .expect("the tables go");
}
