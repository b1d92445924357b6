//! The cost of a new connection: for its first write, and in memory for each table that
//! it writes to.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;

use crate::capture::bench::Bench;
use crate::capture::connection::connect;
use crate::capture::table;
use crate::capture::variant::Variant;
use crate::sql::number;

pub(super) const FIRST_WRITE: &str = "first write of a connection";
pub(super) const MEMORY: &str = "private memory a table and session, insert";
const MEMORY_OF_ALL: &str = "private memory a table and session, all operations";
const MEMORY_SQL: &str = include_str!("../../sql/capture/memory.sql");
const TABLES: usize = 100;

pub(super) fn run(bench: &mut Bench<'_>) {
    bench.empty_tables("8");
    for number in 0..bench.pick(5, 21) {
        for variant in Bench::turns(&Variant::BY_TRIGGERS, number) {
            first_write(bench, variant, number);
        }
    }
    memory(bench);
    table::heading("a new connection");
    table::row(bench.samples, FIRST_WRITE, "us");
    table::row(bench.samples, MEMORY, "MB");
    table::row(bench.samples, MEMORY_OF_ALL, "MB");
}

fn first_write(bench: &mut Bench<'_>, variant: Variant, row: usize) {
    let mut conn = connect(bench.url);
    // The clock itself has been read before.
    bench.meter.clock(&mut conn);
    let message = variant.transaction(&insert(&variant.table("8"), row));
    let cost = bench.meter.measure(&mut conn, [message.as_str()]);
    bench
        .samples
        .add(FIRST_WRITE, variant.name(), "us", cost.microseconds);
    bench.empty_audit_tables();
}

fn memory(bench: &mut Bench<'_>) {
    if diesel::RunQueryDsl::execute(diesel::sql_query(MEMORY_SQL), bench.conn).is_err() {
        println!("no memory of the server process is told");
        return;
    }
    for variant in Variant::BY_TRIGGERS {
        create(bench, variant);
    }
    for number in 0..bench.pick(2, 5) {
        for variant in Bench::turns(&Variant::BY_TRIGGERS, number) {
            for (name, statements) in [(MEMORY, 1), (MEMORY_OF_ALL, 3)] {
                let bytes = bytes_a_table(bench.url, variant, statements);
                bench
                    .samples
                    .add(name, variant.name(), "MB", bytes / f64::from(1 << 20));
            }
        }
    }
    for variant in Variant::BY_TRIGGERS {
        remove(bench, variant);
    }
    bench.empty_audit_tables();
}

/// Measures a session that runs the first few of insert, update and delete. The first
/// table is left out: its cost includes what all tables share.
fn bytes_a_table(url: &str, variant: Variant, statements: usize) -> f64 {
    let mut conn = connect(url);
    number(&mut conn, MEMORY_SQL);
    write(&mut conn, variant, 0, statements);
    let first = number(&mut conn, MEMORY_SQL);
    for number in 1..TABLES {
        write(&mut conn, variant, number, statements);
    }
    let growth = number(&mut conn, MEMORY_SQL) - first;
    growth as f64 / (TABLES - 1) as f64
}

fn write(conn: &mut PgConnection, variant: Variant, number: usize, statements: usize) {
    let table = numbered(variant, number);
    let written = [
        insert(&table, 1),
        format!("UPDATE bench.{table} SET quantity = 2 WHERE id = 1;"),
        format!("DELETE FROM bench.{table} WHERE id = 1;"),
    ];
    // Rolled back: the next session writes the same row.
    let message = variant
        .transaction(&written[..statements].concat())
        .replace("COMMIT", "ROLLBACK");
    conn.batch_execute(&message)
        .unwrap_or_else(|error| panic!("{message}: {error}"));
}

fn insert(table: &str, row: usize) -> String {
    include_str!("../../sql/capture/insert_row.sql")
        .replace("{table}", table)
        .replace("{row}", &row.to_string())
}

fn create(bench: &mut Bench<'_>, variant: Variant) {
    for number in 0..TABLES {
        let table = numbered(variant, number);
        bench.execute(&format!(
            "SELECT bench.create_table('{table}', 8); {}",
            variant.audit(&table, &["id"])
        ));
    }
}

fn remove(bench: &mut Bench<'_>, variant: Variant) {
    for number in 0..TABLES {
        let table = numbered(variant, number);
        bench.execute(&format!(
            "DROP TABLE bench.{table}; DROP TABLE IF EXISTS typed.{table}"
        ));
    }
}

fn numbered(variant: Variant, number: usize) -> String {
    variant.table(&format!("number_{number}"))
}
