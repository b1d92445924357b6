use diesel::PgConnection;
use diesel::connection::SimpleConnection;

use crate::capture::meter::Meter;
use crate::capture::variant::Variant;
use crate::samples::Samples;
use crate::sql::number;

/// What the workloads share.
pub(super) struct Bench<'a> {
    pub(super) conn: &'a mut PgConnection,
    pub(super) url: &'a str,
    pub(super) quick: bool,
    pub(super) meter: Meter,
    pub(super) samples: &'a mut Samples,
    /// Whether the audit tables keep what is in them, between repetitions.
    pub(super) keep_audit_rows: bool,
}

impl Bench<'_> {
    pub(super) fn execute(&mut self, sql: &str) {
        self.conn
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Empties the tables of this name of every variant.
    pub(super) fn empty_tables(&mut self, of: &str) {
        let tables = Variant::ALL.map(|variant| format!("bench.{}_{of}", variant.name()));
        self.execute(&format!("TRUNCATE {} CASCADE", tables.join(", ")));
        self.empty_audit_tables();
    }

    pub(super) fn empty_audit_tables(&mut self) {
        if !self.keep_audit_rows {
            self.execute(
                "TRUNCATE threadline.audit_transactions, threadline.audit_changes,
                          textbook.audit_transactions, textbook.audit_changes",
            );
        }
    }

    pub(super) fn vacuum(&mut self, variant: Variant, of: &str) {
        self.execute(&format!("VACUUM bench.{}_{of}", variant.name()));
    }

    /// Where the audit rows of the limit's table belong.
    pub(super) fn limit_table_id(&mut self, of: &str) -> i64 {
        number(
            self.conn,
            &format!(
                "SELECT id::bigint AS n FROM threadline.audited_tables WHERE table_name = 'limit_{of}'"
            ),
        )
    }

    pub(super) fn audit_bytes(&mut self) -> f64 {
        number(
            self.conn,
            "SELECT sum(pg_total_relation_size(t))::bigint AS n
             FROM unnest(ARRAY['threadline.audit_transactions', 'threadline.audit_changes',
                               'textbook.audit_transactions', 'textbook.audit_changes']::regclass[]) AS t",
        ) as f64
    }

    /// The variants in another order for each repetition, so that none always
    /// comes after the same other.
    pub(super) fn turns(variants: &[Variant], repetition: usize) -> Vec<Variant> {
        let mut turns = variants.to_vec();
        turns.rotate_left(repetition % variants.len());
        turns
    }
}
