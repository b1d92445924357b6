//! Updates of a number beside a long text: the row is 30 kB long and the change is not.

use crate::capture::bench::Bench;
use crate::capture::table;
use crate::capture::variant::Variant;

const VARIANTS: [Variant; 4] = [
    Variant::Unaudited,
    Variant::Ours,
    Variant::Textbook,
    Variant::Typed,
];
const NAME: &str = "update of a number beside a text of 30 kB";
const ROWS: usize = 20;

pub(super) fn run(bench: &mut Bench<'_>) {
    for variant in VARIANTS {
        let table = variant.table("documents");
        bench.execute(&format!(
            "CREATE TABLE bench.{table} (id bigint PRIMARY KEY, body text, n int NOT NULL DEFAULT 0);
             INSERT INTO bench.{table}
             SELECT k, (SELECT string_agg(md5(k || ' ' || part), '') FROM generate_series(1, 940) AS part)
             FROM generate_series(1, {ROWS}) AS k;"
        ));
        bench.execute(&variant.audit(&table, &["id"]));
    }
    let updates = bench.pick(100, 500);
    for repetition in 0..bench.pick(5, 15) {
        for variant in Bench::turns(&VARIANTS, repetition) {
            let messages: Vec<String> = (0..updates)
                .map(|number| {
                    variant.transaction(&format!(
                        "UPDATE bench.{} SET n = n + 1 WHERE id = {};",
                        variant.table("documents"),
                        number % ROWS + 1
                    ))
                })
                .collect();
            let cost = bench.measure(&messages, messages.len());
            bench.add(NAME, variant, cost);
            bench.post(NAME, variant, updates);
            bench.empty_audit_tables();
        }
    }
    table::heading("long rows");
    table::row(bench.samples, NAME, "us");
    table::posting(bench.samples, [NAME]);
    for variant in VARIANTS {
        bench.execute(&format!("DROP TABLE bench.{}", variant.table("documents")));
    }
}
