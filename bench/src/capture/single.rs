//! Writes of one row.
//!
//! Statements are prepared, and a transaction goes to the server in one message: only the
//! context is parsed each time, and the limit pays for no round trips, which an
//! application that writes audit rows itself could hardly avoid.

use crate::capture::WIDTHS;
use crate::capture::bench::Bench;
use crate::capture::names;
use crate::capture::table;
use crate::capture::variant::Variant;

/// The updates of a transaction with several.
const UPDATES: usize = 10;

pub(super) fn run(bench: &mut Bench<'_>) {
    for width in WIDTHS {
        run_width(bench, width);
    }
}

fn run_width(bench: &mut Bench<'_>, width: u32) {
    let names = Names::new(width, "");
    for number in 0..bench.pick(5, 15) {
        for variant in Bench::turns(&Variant::ALL, number) {
            repetition(bench, &names, width, variant);
        }
    }
    table::heading("writes of one row");
    for name in names.transactions() {
        table::row(bench.samples, name, "us");
        table::row(bench.samples, &names::wal(name), "bytes");
    }
    table::row(bench.samples, &names.further, "us");
    table::posting(bench.samples, names.transactions());
}

pub(super) struct Names {
    pub(super) insert: String,
    pub(super) update: String,
    ten: String,
    pub(super) further: String,
    pub(super) delete: String,
}

impl Names {
    pub(super) fn new(width: u32, state: &str) -> Self {
        let of = |what: &str| format!("{what}, {width} columns{state}");
        Self {
            insert: of("insert of one row"),
            update: of("update of one row"),
            ten: of("ten updates of one row"),
            further: of("each further update of one row"),
            delete: of("delete of one row"),
        }
    }

    /// Returns the writes in a transaction of their own.
    fn transactions(&self) -> [&str; 4] {
        [&self.insert, &self.update, &self.ten, &self.delete]
    }
}

pub(super) fn repetition(bench: &mut Bench<'_>, names: &Names, width: u32, variant: Variant) {
    let rows = bench.pick(500, 2000);
    let writes = Writes { variant, width };
    bench.empty_tables(&width.to_string());
    warm_up(bench, writes, rows);

    let inserts: Vec<String> = (1..=rows).map(|row| writes.insert(row)).collect();
    let updates: Vec<String> = (1..=rows).map(|row| writes.updates(&[(row, 1)])).collect();
    let tens: Vec<String> = (1..=rows - UPDATES)
        .step_by(UPDATES / 2)
        .map(|first| {
            let rows: Vec<_> = (first..first + UPDATES).map(|row| (row, first)).collect();
            writes.updates(&rows)
        })
        .collect();
    let deletes: Vec<String> = (1..=rows).map(|row| writes.delete(row)).collect();

    let [_, update, ten, _] = [
        (&names.insert, inserts),
        (&names.update, updates),
        (&names.ten, tens),
        (&names.delete, deletes),
    ]
    .map(|(name, messages)| {
        let cost = bench.measure(&messages, messages.len());
        bench.add(name, variant, cost);
        bench.post(name, variant, messages.len());
        cost
    });
    let further = (ten.microseconds - update.microseconds) / (UPDATES - 1) as f64;
    bench
        .samples
        .add(&names.further, variant.name(), "us", further);
}

fn warm_up(bench: &mut Bench<'_>, writes: Writes, rows: usize) {
    for row in rows + 1..=rows + 10 {
        for message in [
            writes.insert(row),
            writes.updates(&[(row, 1)]),
            writes.delete(row),
        ] {
            bench.execute(&message);
        }
    }
    bench.post_quietly();
}

/// Transactions of single-row writes, as they are sent.
#[derive(Clone, Copy)]
pub(super) struct Writes {
    pub(super) variant: Variant,
    pub(super) width: u32,
}

impl Writes {
    pub(super) fn insert(self, row: usize) -> String {
        self.variant
            .transaction(&format!("EXECUTE insert_{}({row});", self.table()))
    }

    /// Each has a row and a number that differs from its quantity.
    pub(super) fn updates(self, rows: &[(usize, usize)]) -> String {
        let table = self.table();
        let statements: Vec<String> = rows
            .iter()
            .map(|(row, salt)| {
                let (before, after) = (row % 100, 1000 + row + salt);
                format!("EXECUTE update_{table}({row}, {before}, {after});")
            })
            .collect();
        self.variant.transaction(&statements.concat())
    }

    fn delete(self, row: usize) -> String {
        self.variant
            .transaction(&format!("EXECUTE delete_{}({row});", self.table()))
    }

    fn table(self) -> String {
        self.variant.table(&self.width.to_string())
    }
}
