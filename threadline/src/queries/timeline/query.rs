//! Translates a filter to SQL. There are four forms; the most selective part of the filter
//! decides: the record, an id or an action, the transactions, or the changes. Each form
//! reads one index in the order of the result.

use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};

use super::CountSql;
use super::columns::AskedColumns;
use super::reach::Reach;
use super::scope::KnownScope;
use super::values::Values;
use crate::action::{ActionStatus, AuditAction};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::{ActionFilter, Filter, FilterError, Key, RecordKey, by_actor, of_status};
use crate::queries::RECORD_CHANGES;
use crate::queries::overview::OverviewSql;
use crate::queries::page::ChangePlace;
use crate::queries::summary::SummarySql;
use crate::record::{AuditChange, ChangeSql, Operation};
use crate::run;
use crate::statement::{Bind, Binds, Typed, all_of, filled};

/// The columns of a row of an export.
#[cfg(feature = "export")]
pub(crate) type ExportSql = (ChangeSql, Nullable<diesel::sql_types::Jsonb>);

/// A filter whose names are looked up in a database, ready to be queried.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    filter: &'a Filter,
    table: Option<i32>,
    /// The first and last transaction that can have changes in the time span.
    span: Option<(i64, i64)>,
    /// The same, within reach.
    pub(super) transactions: Option<(i64, i64)>,
    values: Values,
    scope: Option<KnownScope<'a>>,
    reach: Option<Reach>,
}

/// What a query reads in the order of the result, through one index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    /// The changes, and whether the transaction of each.
    Changes {
        joined: bool,
    },
    Transactions,
    Actions,
}

impl<'a> Plan<'a> {
    /// Looks up the names in the filter.
    pub(crate) async fn new<C: AuditConnection>(
        conn: &mut C,
        filter: &'a Filter,
    ) -> Result<Self, Error> {
        let plan = Self::look_up(conn, filter).await?;
        if let Some(rest) = filter.without_text() {
            super::text::check_number(conn, &rest).await?;
        }
        Ok(plan)
    }

    /// Same as [`new`](Self::new), for a search that a page shows: it reads a limited number of
    /// changes after a place, and [`reach`](Self::reach) says where it ended.
    pub(crate) async fn within_reach<C: AuditConnection>(
        conn: &mut C,
        filter: &'a Filter,
        after: Option<ChangePlace>,
    ) -> Result<Self, Error> {
        let mut plan = Self::look_up(conn, filter).await?;
        plan.limit_reach(conn, after).await?;
        Ok(plan)
    }

    /// Same as [`new`](Self::new), for a search whose reach is limited before it runs.
    pub(crate) async fn look_up<C: AuditConnection>(
        conn: &mut C,
        filter: &'a Filter,
    ) -> Result<Self, Error> {
        filter.check()?;
        let scope = match &filter.within {
            Some(scope) => Some(KnownScope::look_up(conn, scope).await?),
            None => None,
        };
        let table = match &filter.table {
            Some(name) => {
                let found = resolve_table(conn, filter, name).await;
                match &scope {
                    Some(scope) => Some(scope.only_its_own(name, found)?),
                    None => Some(found?.0),
                }
            }
            None => None,
        };
        let transactions = match (filter.from, filter.to) {
            (None, None) => None,
            (from, to) => {
                let query = Typed::<(BigInt, BigInt)>::new(
                    include_str!("transactions_in_use.sql"),
                    [
                        from.map_or(Bind::Text("-infinity".to_owned()), Bind::Instant),
                        to.map_or(Bind::Text("infinity".to_owned()), Bind::Instant),
                    ],
                );
                run::read(conn, query).await?.pop()
            }
        };
        let columns = AskedColumns::look_up(conn, filter, table, scope.as_ref()).await?;
        let values = Values::look_up(conn, filter, table, columns).await?;
        Ok(Self {
            filter,
            table,
            span: transactions,
            transactions,
            values,
            scope,
            reach: None,
        })
    }

    /// Returns the last change that the search reads; `None`: it reads all of them.
    pub(crate) fn reach(&self) -> Option<Reach> {
        self.reach
    }

    /// Same as [`within_reach`](Self::within_reach), after another place.
    pub(crate) async fn reach_from<C: AuditConnection>(
        &mut self,
        conn: &mut C,
        after: Option<ChangePlace>,
    ) -> Result<(), Error> {
        self.transactions = self.span;
        self.reach = None;
        self.limit_reach(conn, after).await
    }

    pub(super) fn set_reach(&mut self, reach: Reach) {
        let last = self.transactions.map_or(i64::MAX, |(_, last)| last);
        self.transactions = Some((reach.transaction, last));
        self.reach = Some(reach);
    }

    /// Returns whether the scope compares rows, which takes a look at other changes.
    pub(super) fn compares_rows(&self) -> bool {
        self.scope.as_ref().is_some_and(KnownScope::compares_rows)
    }

    /// Returns whether the filter consists of a scope, a table and a time span.
    pub(super) fn is_narrowed_by_tables_alone(&self) -> bool {
        let rest = Filter {
            within: None,
            table: None,
            from: None,
            to: None,
            ..self.filter.clone()
        };
        self.scope.is_some() && rest == Filter::new()
    }

    /// Returns whether the filter searches a text.
    pub(super) fn has_text(&self) -> bool {
        self.filter.text.is_some()
    }

    /// Returns what the query reads, and the conditions for which there is an index; `None` if
    /// it reads little more than it returns.
    pub(super) fn driver(&self, parts: &mut Parts) -> Option<(Driver, Vec<String>)> {
        let filter = self.filter;
        let by_id = filter.request_id.is_some()
            || filter.correlation_id.is_some()
            || filter.job_id.is_some();
        if filter.record.is_some() || filter.transaction.is_some() || by_id {
            return None;
        }
        let mut all = Parts::default();
        self.change_conditions(&mut all);
        self.transaction_conditions(&mut all);
        self.action_conditions(&mut all);
        let of_time = usize::from(filter.from.is_some()) + usize::from(filter.to.is_some());
        if self.starts_at_actions() {
            if all.change.len() == of_time && all.transaction.is_empty() {
                return None;
            }
            self.action_conditions(parts);
            return Some((Driver::Actions, std::mem::take(&mut parts.action)));
        }
        if self.starts_at_transactions(&all) {
            self.indexed_transactions(parts);
            let conditions = std::mem::take(&mut parts.transaction);
            let indexed = all.transaction.len() == conditions.len() && !conditions.is_empty();
            if indexed && all.change.len() == of_time && all.action.is_empty() {
                return None;
            }
            return Some((Driver::Transactions, conditions));
        }
        let mut conditions = vec![];
        if let Some(table) = self.table {
            conditions.push(format!("c.table_id = {table}"));
        } else {
            match filter.operation {
                Some(Operation::Delete) => conditions.push("c.op = 'D'".to_owned()),
                Some(Operation::Truncate) => conditions.push("c.op = 'T'".to_owned()),
                _ => {}
            }
        }
        let indexed = all.change.len() == conditions.len() + of_time;
        if indexed && all.transaction.is_empty() && all.action.is_empty() {
            return None;
        }
        let joined = !all.transaction.is_empty() || !all.action.is_empty();
        Some((Driver::Changes { joined }, conditions))
    }

    /// Nearly every action is ok, and so are their transactions.
    fn starts_at_actions(&self) -> bool {
        let filter = self.filter;
        let narrow = filter.action.is_some()
            || filter.category.is_some()
            || filter.status == Some(ActionStatus::Error);
        narrow && filter.actor.is_none()
    }

    fn starts_at_transactions(&self, parts: &Parts) -> bool {
        let any = !parts.transaction.is_empty() || !parts.action.is_empty();
        self.filter.actor.is_some() || any && self.table.is_none()
    }

    /// Adds the conditions on transactions that one index answers in their order.
    fn indexed_transactions(&self, parts: &mut Parts) {
        let filter = self.filter;
        if filter.actor.is_some() || filter.without_actor || filter.actor_type.is_some() {
            self.actor_conditions(parts);
        } else if let Some(source) = &filter.source {
            let source = parts.binds.text(source);
            parts.transaction.push(format!("x.source = {source}"));
        }
    }

    /// Returns the filter of the actions that belong to a page, if any do.
    pub(super) fn of_actions(&self) -> Option<ActionFilter> {
        self.filter.of_actions()
    }

    /// Takes away what the scope hides of a change.
    pub(crate) fn narrow(&self, change: &mut AuditChange) {
        if let Some(scope) = &self.scope {
            scope.narrow(change);
        }
    }

    /// Takes away what the scope hides of a change and of the actions beside it.
    #[cfg(feature = "export")]
    pub(crate) fn narrow_row(
        &self,
        change: &mut AuditChange,
        actions: &mut Option<Vec<AuditAction>>,
    ) {
        self.narrow(change);
        for action in actions.iter_mut().flatten() {
            self.narrow_action(action);
        }
    }

    /// Takes away what the scope hides of an action.
    pub(crate) fn narrow_action(&self, action: &mut AuditAction) {
        if let Some(scope) = &self.filter.within {
            scope.narrow_action(action);
        }
    }

    /// How many of the newest there are, by time, table, operation, actor and source, and which
    /// the first are.
    pub(crate) fn overview(&self, cap: usize, first: usize) -> Typed<OverviewSql> {
        let mut query = self.query(None, Some(cap));
        let first = query
            .binds
            .bind(Bind::BigInt(i64::try_from(first).unwrap_or(i64::MAX)));
        Typed::new(
            format!(
                "{}{}",
                if query.with.is_empty() {
                    "WITH ".to_owned()
                } else {
                    format!("{}, ", query.with)
                },
                filled(
                    include_str!("../overview.sql"),
                    &[
                        ("changes", &query.changes),
                        ("order", query.order),
                        ("first", &first)
                    ]
                )
            ),
            query.binds.0,
        )
    }

    /// Returns the query for changes that were found already, in the given order.
    pub(crate) fn these(places: Vec<(i64, i64)>) -> Typed<ChangeSql> {
        let (transactions, ids) = places.into_iter().unzip();
        Typed::new(
            include_str!("these_changes.sql"),
            [Bind::BigInts(transactions), Bind::BigInts(ids)],
        )
    }

    /// Returns the query for the changes after a place, newest first.
    pub(crate) fn changes(
        &self,
        after: Option<ChangePlace>,
        limit: Option<usize>,
    ) -> Typed<ChangeSql> {
        self.query(after, limit).selecting("{change columns}")
    }

    /// Returns the query for the changes with the actions of their transactions as JSON.
    #[cfg(feature = "export")]
    pub(crate) fn export(&self, limit: Option<usize>, actions: bool) -> Typed<ExportSql> {
        let actions = if actions {
            include_str!("actions_as_json.sql")
        } else {
            "NULL::jsonb"
        };
        self.query(None, limit)
            .selecting(&format!("{{change columns}},\n{actions}"))
    }

    /// Returns the query for the counts by day, table, operation and actor.
    pub(crate) fn summary(&self) -> Typed<SummarySql> {
        let query = self.query(None, None);
        Typed::new(
            format!(
                "{}{}",
                query.with,
                filled(
                    include_str!("../summary.sql"),
                    &[("changes", &query.changes)]
                )
            ),
            query.binds.0,
        )
    }

    /// Returns the query for the number of changes, up to a cap.
    pub(crate) fn count(&self, cap: Option<usize>) -> Typed<CountSql> {
        let query = self.query(None, cap);
        Typed::new(
            format!(
                "{}SELECT count(*) FROM (\n{}) AS c\n",
                query.with, query.changes
            ),
            query.binds.0,
        )
    }

    fn query(&self, after: Option<ChangePlace>, limit: Option<usize>) -> ChangesQuery {
        let mut parts = Parts::default();
        self.change_conditions(&mut parts);
        self.transaction_conditions(&mut parts);
        self.action_conditions(&mut parts);
        let limit = parts.binds.bind(Bind::Limit(
            limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)),
        ));
        if let (Some(table), Some(key)) = (&self.filter.table, &self.filter.record) {
            return by_record(parts, after, &limit, table, key);
        }
        if let Some(after) = after {
            // Bound as a parameter, so that one SQL text serves every page of a connection.
            let transaction = parts.binds.bind(Bind::BigInt(after.transaction));
            let change = parts.binds.bind(Bind::BigInt(after.change));
            parts.change.push(format!(
                "(c.transaction_id, c.id) < ({transaction}, {change})"
            ));
        }
        let form = match self.matching(&mut parts, after) {
            Some((transactions, id)) => {
                parts.require_action();
                let transactions = if id == "m.id" && !parts.transaction.is_empty() {
                    // Evaluated row by row, so that the order is kept.
                    let conditions = all_of(&std::mem::take(&mut parts.transaction));
                    format!(
                        "{transactions}CROSS JOIN LATERAL (
    SELECT FROM threadline.audit_transactions AS x WHERE x.id = m.id AND {conditions} OFFSET 0
) AS x"
                    )
                } else {
                    transactions
                };
                filled(
                    include_str!("by_transaction.sql"),
                    &[("transactions", &transactions), ("transaction", id)],
                )
            }
            None => {
                // The conditions already contain the cursor. Repeating it would make the
                // planner multiply the two selectivities.
                let bounds = self.bounds(&mut parts.binds, "c.transaction_id", None);
                parts.change.extend(bounds);
                parts.require_action();
                let join = if parts.transaction.is_empty() {
                    ""
                } else {
                    // The planner does not derive one condition from the other.
                    let bounds = self.bounds(&mut parts.binds, "x.id", after);
                    parts.transaction.extend(bounds);
                    "JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id"
                };
                filled(
                    include_str!("by_change.sql"),
                    &[("join transactions", join)],
                )
            }
        };
        ChangesQuery {
            with: String::new(),
            changes: filled(
                &form,
                &[
                    ("change conditions", &all_of(&parts.change)),
                    ("transaction conditions", &all_of(&parts.transaction)),
                    ("limit", &limit),
                ],
            ),
            order: "c.transaction_id DESC, c.id DESC",
            binds: parts.binds,
        }
    }

    /// Returns the transactions to start from, if they are more selective than the changes,
    /// and the name of their id.
    fn matching(
        &self,
        parts: &mut Parts,
        after: Option<ChangePlace>,
    ) -> Option<(String, &'static str)> {
        let filter = self.filter;
        let ids = [
            ("request_id", &filter.request_id),
            ("correlation_id", &filter.correlation_id),
            ("job_id", &filter.job_id),
        ];
        if let Some((column, value)) = ids.into_iter().find_map(|(c, v)| Some((c, v.as_ref()?))) {
            let value = parts.binds.text(value);
            let of_transactions = self.bounds(&mut parts.binds, "id", after);
            let of_actions = self.bounds(&mut parts.binds, "transaction_id", after);
            let matching = filled(
                include_str!("matching_id.sql"),
                &[
                    ("column", column),
                    ("value", &value),
                    ("transaction bounds", &all_of(&of_transactions)),
                    ("action bounds", &all_of(&of_actions)),
                ],
            );
            return Some((matching, "m.id"));
        }
        if self.starts_at_actions() {
            let mut conditions = std::mem::take(&mut parts.action);
            conditions.extend(self.bounds(&mut parts.binds, "a.transaction_id", after));
            let matching = filled(
                include_str!("matching_action.sql"),
                &[("action conditions", &all_of(&conditions))],
            );
            return Some((matching, "m.id"));
        }
        self.starts_at_transactions(parts).then(|| {
            let bounds = self.bounds(&mut parts.binds, "x.id", after);
            parts.transaction.extend(bounds);
            ("threadline.audit_transactions AS x".to_owned(), "x.id")
        })
    }

    /// Returns the bounds that the time span and the cursor set on transactions.
    pub(super) fn bounds(
        &self,
        binds: &mut Binds,
        column: &str,
        after: Option<ChangePlace>,
    ) -> Vec<String> {
        let mut bounds = vec![];
        if let Some((first, last)) = self.transactions {
            let first = binds.bind(Bind::BigInt(first));
            let last = binds.bind(Bind::BigInt(last));
            bounds.push(format!("{column} BETWEEN {first} AND {last}"));
        }
        if let Some(place) = after {
            let transaction = binds.bind(Bind::BigInt(place.transaction));
            bounds.push(format!("{column} <= {transaction}"));
        }
        bounds
    }

    fn change_conditions(&self, parts: &mut Parts) {
        let filter = self.filter;
        if let (Some(table), None) = (self.table, &filter.record) {
            parts.change.push(format!("c.table_id = {table}"));
        }
        if let Some(operation) = &filter.operation {
            // Written as literals, so that the planner can use the partial index on
            // removals.
            let condition = match operation {
                Operation::Insert => "c.op = 'I'".to_owned(),
                Operation::Update => "c.op = 'U'".to_owned(),
                Operation::Delete => "c.op = 'D'".to_owned(),
                Operation::Truncate => "c.op = 'T'".to_owned(),
                Operation::Unrecognized(op) => {
                    let op = parts.binds.text(op);
                    format!("c.op::text = {op}")
                }
            };
            parts.change.push(condition);
        }
        self.values.conditions(filter, parts);
        if let Some(transaction) = filter.transaction {
            let transaction = parts.binds.bind(Bind::BigInt(transaction));
            parts
                .change
                .push(format!("c.transaction_id = {transaction}"));
        }
        let (of_changes, of_transactions) =
            filter.exceptions(&mut parts.binds, self.values.columns());
        parts.change.extend(of_changes);
        parts.transaction.extend(of_transactions);
        if let Some(scope) = &self.scope {
            scope.conditions(filter, parts);
        }
        if let Some(text) = &filter.text {
            let of_transactions = self.bounds(&mut parts.binds, "w.id", None);
            let of_actions = self.bounds(&mut parts.binds, "w.transaction_id", None);
            let condition = super::text::condition(
                parts,
                text,
                self.scope.as_ref().is_some_and(KnownScope::hides_context),
                &all_of(&of_transactions),
                &all_of(&of_actions),
            );
            parts.change.push(condition);
        }
        if let Some(reach) = self.reach {
            let transaction = parts.binds.bind(Bind::BigInt(reach.transaction));
            let change = parts.binds.bind(Bind::BigInt(reach.change));
            parts.change.push(format!(
                "(c.transaction_id, c.id) >= ({transaction}, {change})"
            ));
        }
        for (operator, instant) in [(">=", filter.from), ("<=", filter.to)] {
            if let Some(instant) = instant {
                let instant = parts.binds.bind(Bind::Instant(instant));
                parts
                    .change
                    .push(format!("c.captured_at {operator} {instant}"));
            }
        }
    }

    fn actor_conditions(&self, parts: &mut Parts) {
        let filter = self.filter;
        if let Some(actor) = &filter.actor {
            let condition = by_actor("x", actor, &mut parts.binds);
            parts.transaction.push(condition);
        } else if filter.without_actor {
            parts.transaction.push("x.actor_type IS NULL".to_owned());
        } else if let Some(kind) = &filter.actor_type {
            let kind = parts.binds.text(kind.as_str());
            parts.transaction.push(format!("x.actor_type = {kind}"));
        }
    }

    fn transaction_conditions(&self, parts: &mut Parts) {
        let filter = self.filter;
        self.actor_conditions(parts);
        if let Some(source) = &filter.source {
            let source = parts.binds.text(source);
            parts.transaction.push(format!("x.source = {source}"));
        }
        if let Some(role) = &filter.session_user {
            let role = parts.binds.text(role);
            // Without `coalesce`, the planner would expect few matches and read the whole
            // table for them.
            parts
                .transaction
                .push(format!("coalesce(x.session_user_name = {role}, false)"));
        }
        for (key, value) in &filter.metadata {
            let condition = parts.binds.json_equals("x.meta", key, value);
            parts.transaction.push(condition);
        }
        for (column, value) in [
            ("request_id", &filter.request_id),
            ("correlation_id", &filter.correlation_id),
            ("job_id", &filter.job_id),
        ] {
            if let Some(value) = value {
                let value = parts.binds.text(value);
                parts.transaction.push(format!(
                    "(x.{column} = {value} OR EXISTS (
        SELECT FROM threadline.audit_actions AS a
        WHERE a.transaction_id = x.id AND a.{column} = {value}))"
                ));
            }
        }
    }

    fn action_conditions(&self, parts: &mut Parts) {
        let filter = self.filter;
        for (column, value) in [("name", &filter.action), ("category", &filter.category)] {
            if let Some(value) = value {
                let value = parts.binds.text(value);
                parts.action.push(format!("a.{column} = {value}"));
            }
        }
        let status = filter.status.as_ref();
        parts
            .action
            .extend(status.map(|status| of_status(status, &mut parts.binds)));
    }
}

/// Reads the changes of one record through the index of its history. Every condition limits
/// the reading itself, so the last changes of a record with a million changes are found at
/// once.
fn by_record(
    mut parts: Parts,
    after: Option<ChangePlace>,
    limit: &str,
    table: &str,
    key: &RecordKey,
) -> ChangesQuery {
    if let Some(after) = after {
        let change = parts.binds.bind(Bind::BigInt(after.change));
        parts.change.push(format!("c.id < {change}"));
    }
    parts.require_action();
    if !parts.transaction.is_empty() {
        let conditions = all_of(&parts.transaction);
        parts.change.push(format!(
            "EXISTS (
              SELECT FROM threadline.audit_transactions AS x
              WHERE x.id = c.transaction_id AND {conditions}
              OFFSET 0)"
        ));
    }
    let table = parts.binds.text(table);
    let values = match &key.0 {
        Key::Texts(values) => {
            let values: Vec<_> = values.iter().map(|value| parts.binds.text(value)).collect();
            values.join(", ")
        }
        Key::Typed(key) => parts.binds.bind(Bind::Key(key.clone())),
    };
    ChangesQuery {
        with: filled(
            RECORD_CHANGES,
            &[
                ("table name", &table),
                ("key values", &values),
                ("change conditions", &all_of(&parts.change)),
                ("change limit", limit),
            ],
        ),
        changes: format!("SELECT c.* FROM record_changes AS c ORDER BY c.id DESC LIMIT {limit}\n"),
        order: "c.id DESC",
        binds: parts.binds,
    }
}

/// Returns the id and the key of the table that a filter names.
pub(super) async fn resolve_table<C: AuditConnection>(
    conn: &mut C,
    filter: &Filter,
    name: &str,
) -> Result<(i32, Vec<String>), Error> {
    let query = Typed::<(Nullable<Integer>, Array<Text>, Text)>::new(
        include_str!("resolve_table.sql"),
        [Bind::Text(name.to_owned())],
    );
    let (id, key, audited): (Option<i32>, Vec<String>, String) = run::read_one(conn, query).await?;
    let Some(id) = id else {
        return Err(FilterError::UnknownTable {
            table: name.to_owned(),
            audited,
        }
        .into());
    };
    match &filter.record {
        Some(RecordKey(Key::Texts(given))) if given.len() != key.len() => {
            Err(FilterError::RecordKey {
                table: name.to_owned(),
                columns: key.join(", "),
                given: given.len(),
            }
            .into())
        }
        _ => Ok((id, key)),
    }
}

/// The parts of a query for changes.
#[derive(Debug)]
struct ChangesQuery {
    /// The common table expressions that it uses.
    with: String,
    /// Selects rows of `audit_changes`.
    changes: String,
    order: &'static str,
    binds: Binds,
}

impl ChangesQuery {
    /// Returns the query for these columns of the changes.
    fn selecting<ST>(self, columns: &str) -> Typed<ST> {
        let Self {
            with,
            changes,
            order,
            binds,
        } = self;
        Typed::new(
            format!(
                "{with}SELECT\n{columns}\nFROM (\n{changes}) AS c\n{{change tables}}\nORDER BY {order}\n"
            ),
            binds.0,
        )
    }
}

/// Collects the parts while a query is written.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) binds: Binds,
    pub(super) change: Vec<String>,
    pub(super) transaction: Vec<String>,
    pub(super) action: Vec<String>,
}

impl Parts {
    /// Turns the conditions on actions into a condition on their transaction.
    fn require_action(&mut self) {
        if self.action.is_empty() {
            return;
        }
        let conditions = all_of(&std::mem::take(&mut self.action));
        // The OFFSET keeps the planner from reading the actions first.
        self.transaction.push(format!(
            "EXISTS (
        SELECT FROM threadline.audit_actions AS a
        WHERE a.transaction_id = x.id AND {conditions}
        OFFSET 0)"
        ));
    }
}
