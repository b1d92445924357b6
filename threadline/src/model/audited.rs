use diesel::Table;
use diesel::associations::Identifiable;

use super::{KeyOf, TableSpec};
use crate::context::AuditConnection;
use crate::error::Error;
use crate::explore::{Blame, blame};
use crate::record::{AuditChange, History, Version, VersionedModel};

/// A model whose table is audited; implemented by `#[derive(Audited)]`.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// # let user: User = users::table.select(User::as_select()).first(conn)?;
/// use threadline::Audited;
///
/// // Newest first.
/// for change in user.history(conn)? {
///     println!("{} {:?} {:?}", change.op, change.actor(), change.changed_fields());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an audited model",
    label = "this model is not audited",
    note = "add `#[derive(threadline::Audited)]` next to `#[diesel(table_name = ...)]`"
)]
pub trait Audited: Sized {
    /// The model's table.
    type Table: Table;
    /// The shape of the table's primary key.
    type Key;

    /// The model's table and policy.
    fn spec() -> TableSpec;

    /// The changes of this record, newest first.
    ///
    /// # Errors
    ///
    /// The audit schema is missing or too old, or the query failed.
    fn history<'a, C>(&'a self, conn: &mut C) -> Result<Vec<AuditChange>, Error>
    where
        C: AuditConnection,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key>,
    {
        Self::history_of(conn, self.id())
    }

    /// The changes of the record with the given key, newest first, also after
    /// the record was deleted.
    ///
    /// Follows a record through a change of its key: what happened to it under
    /// earlier keys belongs to its history.
    fn history_of<C, K>(conn: &mut C, key: K) -> Result<Vec<AuditChange>, Error>
    where
        C: AuditConnection,
        K: KeyOf<Self::Key>,
    {
        History::<Self, _>::of_key(key).load(conn)
    }

    /// The changes of this record, newest first, each with the record as it
    /// was after the change (after a deletion: as it was when it went).
    fn versions<'a, C>(&'a self, conn: &mut C) -> Result<Vec<Version<Self>>, Error>
    where
        C: AuditConnection,
        Self: VersionedModel,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key>,
    {
        Self::versions_of(conn, self.id())
    }

    /// The versions of the record with the given key, newest first, also after
    /// the record was deleted.
    fn versions_of<C, K>(conn: &mut C, key: K) -> Result<Vec<Version<Self>>, Error>
    where
        C: AuditConnection,
        Self: VersionedModel,
        K: KeyOf<Self::Key>,
    {
        Self::load_versions(conn, key.into_key())
    }

    /// Who gave each column of this record the value that it has: its last
    /// change, with actor and actions. Columns that have not changed since
    /// before the audit are not there.
    ///
    /// # Errors
    ///
    /// As of [`history`](Self::history).
    fn blame<'a, C>(&'a self, conn: &mut C) -> Result<Vec<Blame>, Error>
    where
        C: AuditConnection,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key>,
    {
        Self::blame_of(conn, self.id())
    }

    /// Who gave each column of the record with the given key its value; of a
    /// record that was deleted, the value that it had when it went.
    fn blame_of<C, K>(conn: &mut C, key: K) -> Result<Vec<Blame>, Error>
    where
        C: AuditConnection,
        K: KeyOf<Self::Key>,
    {
        let history = Self::history_of(conn, key)?;
        blame(conn, history)
    }
}
