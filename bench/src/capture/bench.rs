use diesel::PgConnection;
use diesel::connection::SimpleConnection;

use crate::capture::meter::{Cost, Meter};
use crate::capture::names;
use crate::capture::variant::Variant;
use crate::samples::Samples;
use crate::sql::number;

/// The code shared by the workloads.
pub(super) struct Bench<'a> {
    pub(super) conn: &'a mut PgConnection,
    pub(super) url: &'a str,
    pub(super) quick: bool,
    pub(super) meter: Meter,
    pub(super) samples: &'a mut Samples,
    /// Whether the ledger keeps its rows between repetitions.
    pub(super) keep_ledger: bool,
}

impl Bench<'_> {
    pub(super) fn execute(&mut self, sql: &str) {
        self.conn
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Returns the first of two, or the second for a quick run.
    pub(super) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Empties the tables of this name of every variant.
    pub(super) fn empty_tables(&mut self, of: &str) {
        let tables = Variant::ALL.map(|variant| format!("bench.{}", variant.table(of)));
        self.execute(&format!("TRUNCATE {} CASCADE", tables.join(", ")));
        self.empty_audit_tables();
    }

    pub(super) fn empty_audit_tables(&mut self) {
        if self.keep_ledger {
            self.execute("TRUNCATE threadline.journal");
        } else {
            self.execute(include_str!("../../sql/capture/empty_audit_tables.sql"));
        }
    }

    pub(super) fn vacuum(&mut self, variant: Variant, of: &str) {
        self.execute(&format!("VACUUM bench.{}", variant.table(of)));
    }

    /// Fills a table from the source of its width.
    pub(super) fn fill(&mut self, variant: Variant, width: u32, rows: usize) {
        self.execute(&format!(
            "INSERT INTO bench.{} SELECT * FROM bench.source_{width} WHERE id <= {rows}",
            variant.table(&width.to_string())
        ));
        self.empty_audit_tables();
    }

    /// Returns the bytes that audit rows take after posting.
    pub(super) fn stored_bytes(&mut self) -> f64 {
        number(self.conn, include_str!("../../sql/capture/stored.sql")) as f64
    }

    /// Measures messages that consist of a number of parts.
    pub(super) fn measure(&mut self, messages: &[String], parts: usize) -> Cost {
        let messages = messages.iter().map(String::as_str);
        self.meter.measure(self.conn, messages).divided_by(parts)
    }

    /// Adds the CPU and WAL of one part of a workload.
    pub(super) fn add(&mut self, workload: &str, variant: Variant, cost: Cost) {
        let wal = names::wal(workload);
        for (name, unit, value) in [
            (workload, "us", cost.microseconds),
            (wal.as_str(), "bytes", cost.wal_bytes),
        ] {
            self.samples.add(name, variant.name(), unit, value);
        }
    }

    /// Posts the journal entries of a workload of a number of parts, and adds the cost.
    /// Variants without a journal have nothing to post.
    pub(super) fn post(&mut self, workload: &str, variant: Variant, parts: usize) -> Option<Cost> {
        if variant != Variant::Ours {
            return None;
        }
        let (moved, cost) = self.meter.measure_work(self.conn, post);
        assert!(moved > 0, "{workload} left nothing to post");
        let cost = cost.divided_by(parts);
        self.add(&names::posting(workload), variant, cost);
        Some(cost)
    }

    /// Posts an entry without a change: emptied tables make a connection plan posting again,
    /// which a worker does once.
    pub(super) fn plan_posting(&mut self, variant: Variant) {
        if variant == Variant::Ours {
            self.execute("SELECT threadline.record_action('bench.begun', 'system', 'bench')");
            self.post_quietly();
        }
    }

    /// Posts the entries of a warm-up, which also prepares the connection for posting.
    pub(super) fn post_quietly(&mut self) {
        post(self.conn);
    }

    /// Returns the variants in a different order for each repetition, so that none always
    /// follows the same one.
    pub(super) fn turns(variants: &[Variant], repetition: usize) -> Vec<Variant> {
        let mut turns = variants.to_vec();
        turns.rotate_left(repetition % variants.len());
        turns
    }
}

fn post(conn: &mut PgConnection) -> u64 {
    threadline::post(conn).unwrap_or_else(|error| panic!("posting: {error}"))
}
