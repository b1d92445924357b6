//! The pages that are asked for, with names and keys of the database.

use diesel::PgConnection;
use threadline::{ActorRef, Scope, TableScope};
use threadline_web::Access;

use crate::sql::text;

/// The name of the access without a scope.
pub(crate) const EVERYTHING: &str = "everything";

#[derive(Debug)]
pub(crate) struct Asked {
    tables: Vec<String>,
    /// The name of each page, and its path below the explorer.
    pages: Vec<(&'static str, String)>,
}

impl Asked {
    pub(crate) fn of(conn: &mut PgConnection) -> Self {
        let mut t = |sql: &str| text(conn, sql);
        let tables: Vec<String> =
            t("SELECT string_agg(table_name, ',' ORDER BY id) FROM threadline.audited_tables")
                .split(',')
                .map(str::to_owned)
                .collect();
        // Of the changes: an export of a previous run is a transaction without any.
        let newest = t("SELECT transaction_id::text FROM threadline.audit_changes
             ORDER BY transaction_id DESC LIMIT 1");
        let middle = t(&format!(
            "SELECT transaction_id::text FROM threadline.audit_changes
             WHERE transaction_id >= {newest} / 2 ORDER BY transaction_id LIMIT 1"
        ));
        let place = t(&format!(
            "SELECT 'tl1-timeline-' || to_hex(c.transaction_id) || '-' || to_hex(c.id) || '-' || to_hex((extract(epoch FROM c.captured_at) * 1000000)::bigint)
             FROM threadline.audit_changes AS c WHERE c.transaction_id = {middle} LIMIT 1"
        ));
        let correlation = t(&format!(
            "SELECT correlation_id FROM threadline.audit_transactions
             WHERE correlation_id IS NOT NULL ORDER BY id < {middle}, id LIMIT 1"
        ));
        let request = t(
            "SELECT request_id FROM threadline.audit_transactions WHERE request_id IS NOT NULL ORDER BY id LIMIT 1",
        );
        let of_middle = |column: &str| {
            format!("SELECT {column} FROM threadline.audit_changes AS c JOIN threadline.audited_tables AS a ON a.id = c.table_id
                     WHERE c.transaction_id = {middle} ORDER BY c.id LIMIT 1")
        };
        let table = t(&of_middle("a.table_name"));
        let key = t(&of_middle("c.record_key"));
        let change = t(&of_middle("c.id::text"));
        let at = t(&of_middle(
            "to_char(c.captured_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
        ));
        let day = at.get(..10).unwrap_or_default().to_owned();
        let year = at.get(..4).unwrap_or_default().to_owned();
        let last = t("SELECT id::text FROM threadline.audit_actions UNION ALL SELECT '1' LIMIT 1");
        let one = tables.first().cloned().unwrap_or_default();
        let record = format!("/record?table={table}&key={key}");
        let line = |line: &str| format!("/timeline?q={}", line.replace(' ', "+"));
        let pages = vec![
            ("home", "/home".to_owned()),
            ("timeline", line("")),
            ("timeline, far", format!("/timeline?after={place}")),
            ("timeline: table", line(&format!("table:{one}"))),
            (
                "timeline: table, far",
                format!("/timeline?q=table:{one}&after={place}"),
            ),
            ("timeline: deletions", line("op:delete")),
            ("timeline: truncations", line("op:truncate")),
            ("timeline: without insertions", line("-op:insert")),
            ("timeline: busy actor", line("actor:user:3")),
            ("timeline: quiet actor", line("actor:user:17311")),
            ("timeline: except an actor", line("-actor:user:1")),
            ("timeline: nobody", line("actor:nobody")),
            ("timeline: kind of actor", line("type:user")),
            ("timeline: source", line("source:web")),
            ("timeline: except the common source", line("-source:web")),
            ("timeline: no such source", line("source:nowhere")),
            ("timeline: changed column", line("changed:status")),
            (
                "timeline: column that never changes",
                line("changed:note op:update"),
            ),
            ("timeline: became", line("became:status=status-3")),
            ("timeline: was, never", line("was:status=lost")),
            ("timeline: value", line("value:status=status-2")),
            ("timeline: value, never", line("value:name=nothing")),
            ("timeline: metadata, never", line("meta:tenant=none")),
            (
                "timeline: key",
                line(&format!("table:{table} key:id={key}")),
            ),
            ("timeline: request", line(&format!("request:{request}"))),
            ("timeline: action, never", line("action:order.lost")),
            ("timeline: status error", line("status:error")),
            (
                "timeline: an hour",
                line(&format!("from:{at} to:{day}T23:59:59Z")),
            ),
            ("timeline: a day", line(&format!("from:{day} to:{day}"))),
            (
                "timeline: a year",
                line(&format!("from:{year}-01-01 to:{year}-12-31")),
            ),
            ("timeline: since the beginning", line("from:2000-01-01")),
            ("timeline: until then", line(&format!("to:{at}"))),
            (
                "timeline: table, a year, busy actor",
                line(&format!(
                    "table:{one} from:{year}-01-01 to:{year}-12-31 actor:user:3"
                )),
            ),
            (
                "timeline: table, without source",
                line(&format!("table:{one} -source:web")),
            ),
            ("timeline: text", line("length")),
            ("timeline: text, never", line("zebra")),
            ("record", record.clone()),
            ("record as of", format!("{record}&at={at}")),
            ("record, compared", format!("{record}&one={at}&other=now")),
            ("transaction", format!("/transaction?id={middle}")),
            ("transaction, newest", format!("/transaction?id={newest}")),
            ("correlation", format!("/correlation?id={correlation}")),
            ("actor, busy", "/actor?actor=user:3".to_owned()),
            ("actor, busiest", "/actor?actor=user:1".to_owned()),
            ("actor, quiet", "/actor?actor=user:17311".to_owned()),
            ("actions", "/actions".to_owned()),
            ("actions by category", "/actions?category=audit".to_owned()),
            ("action", format!("/action?id={last}")),
            (
                "value",
                format!("/value?transaction={middle}&change={change}&column=status"),
            ),
            (
                "change",
                format!("/change?transaction={middle}&change={change}"),
            ),
            ("newer changes", "/newer?q=&seen=0".to_owned()),
            ("tables", "/tables".to_owned()),
            ("export", "/export?q=".to_owned()),
            (
                "export: except the common source",
                "/export?q=-source:web".to_owned(),
            ),
            ("export: text, never", "/export?q=zebra".to_owned()),
            (
                "revert a transaction",
                format!("/revert?transaction={newest}"),
            ),
            ("api: changes", "/api/changes".to_owned()),
            ("api: overview", "/api/overview".to_owned()),
            ("api: actions", "/api/actions".to_owned()),
            ("api: tables", "/api/tables".to_owned()),
            (
                "api: record",
                format!("/api/record?table={table}&key={key}"),
            ),
        ];
        Self { tables, pages }
    }

    pub(crate) fn pages(&self) -> &[(&'static str, String)] {
        &self.pages
    }

    pub(crate) fn everything(&self) -> Access {
        Access::to_everything(viewer())
            .allow_export()
            .allow_revert()
    }

    /// Access to everything, to half of the tables, and to the rows with one value.
    pub(crate) fn accesses(&self) -> Vec<(&'static str, Access)> {
        let half = self.tables.len().div_ceil(2);
        let mut tables = Scope::new();
        let mut rows = Scope::new();
        let mut few = Scope::new();
        for table in self.tables.iter().take(half) {
            tables = tables.table(TableScope::new(table).hide(["note"]));
            rows = rows.table(TableScope::new(table).rows("quantity", 1).hide(["note"]));
            few = few.table(TableScope::new(table).rows("name", "row 7").hide(["note"]));
        }
        let within = |scope: Scope| {
            Access::within(viewer(), scope)
                .allow_export()
                .allow_revert()
        };
        vec![
            (EVERYTHING, self.everything()),
            ("scope of half of the tables", within(tables)),
            ("scope of many rows", within(rows)),
            ("scope of few rows", within(few)),
        ]
    }
}

fn viewer() -> ActorRef {
    ActorRef::admin("bench").expect("an actor")
}
