//! Writes of one row.
//!
//! Statements are prepared, and a transaction goes to the server in one message:
//! nothing is parsed again, and the limit pays for no round trips, which an
//! application that writes audit rows itself would hardly avoid.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;

use crate::capture::bench::Bench;
use crate::capture::table;
use crate::capture::variant::Variant;

const OPEN_LIMIT: &str = include_str!("../../sql/capture/open_limit.sql");

/// The updates of a transaction with several.
const UPDATES: usize = 10;

/// Makes a connection ready for these writes.
pub(super) fn prepare(conn: &mut PgConnection) {
    conn.batch_execute("SELECT bench.prepare_writes(8), bench.prepare_writes(40)")
        .expect("prepared statements");
    conn.batch_execute(&format!("PREPARE open_limit AS {OPEN_LIMIT}"))
        .expect("a prepared statement");
}

pub(super) fn run(bench: &mut Bench<'_>, width: u32) {
    let names = Names::new(width, "");
    for number in 0..if bench.quick { 7 } else { 15 } {
        let turns = Bench::turns(&Variant::ALL, number);
        repetition(bench, &names, width, &turns);
    }
    table::heading("writes of one row");
    for name in [&names.insert, &names.update, &names.ten] {
        table::row(bench.samples, name, "us a transaction");
    }
    table::row(bench.samples, &names.further, "us");
    table::row(bench.samples, &names.wal, "bytes");
}

pub(super) fn repetition(bench: &mut Bench<'_>, names: &Names, width: u32, turns: &[Variant]) {
    let transactions = if bench.quick { 500 } else { 2000 };
    bench.empty_tables(&width.to_string());
    for &variant in turns {
        measure(bench, names, Writes { variant, width }, transactions);
    }
}

pub(super) struct Names {
    pub(super) insert: String,
    pub(super) update: String,
    ten: String,
    pub(super) further: String,
    wal: String,
}

impl Names {
    pub(super) fn new(width: u32, state: &str) -> Self {
        let of = |what: &str| format!("{what}, {width} columns{state}");
        Self {
            insert: of("insert of one row"),
            update: of("update of one row"),
            ten: of("ten updates of one row"),
            further: of("each further update of one row"),
            wal: of("WAL of an update of one row"),
        }
    }
}

fn measure(bench: &mut Bench<'_>, names: &Names, writes: Writes, transactions: usize) {
    let rows = transactions;
    let warm_up: Vec<String> = (rows + 1..=rows + 10)
        .flat_map(|row| [writes.insert(row), writes.updates(&[(row, 1)])])
        .collect();
    let inserts: Vec<String> = (1..=rows).map(|row| writes.insert(row)).collect();
    let updates: Vec<String> = (1..=rows).map(|row| writes.updates(&[(row, 1)])).collect();
    let tens: Vec<String> = (1..=rows - UPDATES)
        .step_by(UPDATES / 2)
        .map(|first| {
            let rows: Vec<_> = (first..first + UPDATES).map(|row| (row, first)).collect();
            writes.updates(&rows)
        })
        .collect();
    let [_, insert, update, ten] = [&warm_up, &inserts, &updates, &tens].map(|messages| {
        let cost = bench
            .meter
            .measure(bench.conn, messages.iter().map(String::as_str));
        let count = messages.len() as f64;
        (cost.microseconds / count, cost.wal_bytes / count)
    });

    let mut add = |name: &str, unit, value| {
        bench.samples.add(name, writes.variant.name(), unit, value);
    };
    add(&names.insert, "us", insert.0);
    add(&names.update, "us", update.0);
    add(&names.ten, "us", ten.0);
    let further = (ten.0 - update.0) / (UPDATES - 1) as f64;
    add(&names.further, "us", further);
    add(&names.wal, "bytes", update.1);
}

/// Transactions of single-row writes, as they are sent.
#[derive(Clone, Copy)]
pub(super) struct Writes {
    pub(super) variant: Variant,
    pub(super) width: u32,
}

impl Writes {
    fn insert(self, row: usize) -> String {
        let Self { variant, width } = self;
        self.transaction(&format!(
            "EXECUTE insert_{}_{width}({row});",
            variant.name()
        ))
    }

    /// Each a row and a number that its quantity did not have.
    pub(super) fn updates(self, rows: &[(usize, usize)]) -> String {
        let Self { variant, width } = self;
        let statements: Vec<String> = rows
            .iter()
            .map(|(row, salt)| {
                let (before, after) = (row % 100, 1000 + row + salt);
                format!(
                    "EXECUTE update_{}_{width}({row}, {before}, {after});",
                    variant.name()
                )
            })
            .collect();
        self.transaction(&statements.concat())
    }

    fn transaction(self, statements: &str) -> String {
        let open = match self.variant {
            Variant::Limit => "EXECUTE open_limit;",
            _ => "",
        };
        format!("BEGIN;{open}{statements}COMMIT")
    }
}
