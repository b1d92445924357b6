//! Statements that touch no row, and those that choose between insert and update.
//! Statement triggers fire for both.

use crate::capture::bench::Bench;
use crate::capture::prepare;
use crate::capture::table;
use crate::capture::variant::Variant;

/// Without a context, because there is nothing to record.
pub(super) const OF_NO_ROW: [&str; 3] = [
    "update of no row, 8 columns",
    "delete of no row, 8 columns",
    "insert with a conflict that does nothing, 8 columns",
];

/// Statements that choose their operation, and the plain statements for it, in turn.
const OF_ONE_ROW: [[&str; 2]; 5] = [
    [PLAIN_INSERT, "insert"],
    [PLAIN_UPDATE, "update"],
    [UPSERT_UPDATES, "upsert"],
    [MERGE_UPDATES, "merge"],
    [UPSERT_INSERTS, "upsert"],
];
const PLAIN_INSERT: &str = "plain insert of one row, 8 columns";
const PLAIN_UPDATE: &str = "plain update of one row, 8 columns";
const UPSERT_INSERTS: &str = "upsert that inserts, 8 columns";
const UPSERT_UPDATES: &str = "upsert that updates, 8 columns";
const MERGE_UPDATES: &str = "MERGE that updates, 8 columns";

/// The statement that chooses, and the plain statement for its choice.
pub(super) const UPSERTS: [[&str; 2]; 3] = [
    [UPSERT_INSERTS, PLAIN_INSERT],
    [UPSERT_UPDATES, PLAIN_UPDATE],
    [MERGE_UPDATES, PLAIN_UPDATE],
];

pub(super) fn run(bench: &mut Bench<'_>) {
    for variant in Variant::BY_TRIGGERS {
        prepare::of_variant(
            bench.conn,
            variant,
            include_str!("../../sql/capture/prepare_statements.sql"),
        );
    }
    for number in 0..bench.pick(5, 15) {
        for variant in Bench::turns(&Variant::BY_TRIGGERS, number) {
            repetition(bench, variant);
        }
    }
    table::heading("statements of no row, and upserts");
    for name in OF_NO_ROW {
        table::row(bench.samples, name, "us");
    }
    for [name, _] in OF_ONE_ROW {
        table::row(bench.samples, name, "us");
    }
    table::posting(bench.samples, OF_ONE_ROW.map(|[name, _]| name));
}

fn repetition(bench: &mut Bench<'_>, variant: Variant) {
    let rows = bench.pick(500, 2000);
    bench.empty_tables("8");
    for (turn, [name, statement]) in OF_ONE_ROW.into_iter().enumerate() {
        if name == UPSERT_INSERTS {
            bench.empty_tables("8");
        }
        let message = |row: usize| {
            let quantity = 1000 * (turn + 1) + row;
            variant.transaction(&execute(variant, statement, &[row, quantity]))
        };
        let messages = with_warm_up(bench, rows, message);
        let cost = bench.measure(&messages, rows);
        bench.add(name, variant, cost);
        bench.post(name, variant, rows);
    }
    for (name, statement) in OF_NO_ROW.into_iter().zip(["update", "delete", "insert"]) {
        let message = |row| {
            let statement = format!("{statement}_none");
            Variant::bare_transaction(&execute(variant, &statement, &[row]))
        };
        let messages = with_warm_up(bench, rows, message);
        let cost = bench.measure(&messages, rows);
        bench.add(name, variant, cost);
    }
}

fn execute(variant: Variant, statement: &str, parameters: &[usize]) -> String {
    let parameters: Vec<String> = parameters.iter().map(usize::to_string).collect();
    format!(
        "EXECUTE {statement}_{}({});",
        variant.prefix(),
        parameters.join(", ")
    )
}

/// Messages for a number of rows, after others.
fn with_warm_up(
    bench: &mut Bench<'_>,
    rows: usize,
    message: impl Fn(usize) -> String,
) -> Vec<String> {
    for row in rows + 1..=rows + 10 {
        bench.execute(&message(row));
    }
    bench.post_quietly();
    (1..=rows).map(message).collect()
}
