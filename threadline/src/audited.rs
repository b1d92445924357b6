use chrono::{DateTime, Utc};
use diesel::Column;
use diesel::associations::Identifiable;
use serde_json::Value;

use crate::connection::{AuditConnection, StreamConnection};
use crate::error::Error;
use crate::model::{AuditedModel, KeyOf};
use crate::queries::{Blame, History, Referring, TimelineEntry, blame};
use crate::record::{AuditChange, Unavailable};
use crate::revert::revert_record;
use crate::time_travel::{PastRecords, Version, VersionedModel, as_of_json};

/// Queries on the recorded changes of an audited model.
/// [`#[derive(Audited)]`](macro@crate::Audited) implements it.
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
///     println!("{} {:?} {:?}", change.operation, change.actor(), change.changed_fields());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an audited model",
    label = "this model is not audited",
    note = "add `#[derive(threadline::Audited)]` next to `#[diesel(table_name = ...)]`"
)]
pub trait Audited: AuditedModel {
    /// Returns the changes of this record, newest first. To read a long history in pages,
    /// or with the reasons for each change, see [`History::page`].
    ///
    /// # Errors
    ///
    /// Returns an error if the table was never audited
    /// ([`ErrorKind::NotAudited`](crate::ErrorKind::NotAudited)) or does not exist, if the
    /// audit schema is missing or too old, or if the query fails.
    fn history<'a, C>(&'a self, conn: &'a mut C) -> C::Answer<'a, Result<Vec<AuditChange>, Error>>
    where
        C: AuditConnection,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key, Values: 'a>,
    {
        Self::history_of(conn, self.id())
    }

    /// Returns the changes of the record with the given key, newest first. Works for
    /// deleted records too.
    ///
    /// The history follows a record through changes of its key: changes under earlier keys
    /// belong to it. If the primary key of the table was another before, earlier changes
    /// belong to it only if they surely are those of the record: its insertion is among
    /// them, and they leave the row that had the present key then. Others are found by
    /// [`Filter::key`](crate::Filter::key), by the columns of the former primary key.
    ///
    /// A `TRUNCATE` that recorded only the number of rows is in no record's history. It is
    /// in the [`timeline`](crate::timeline()) of the table.
    ///
    /// # Errors
    ///
    /// Same as [`history`](Self::history).
    fn history_of<'c, C, K>(
        conn: &'c mut C,
        key: K,
    ) -> C::Answer<'c, Result<Vec<AuditChange>, Error>>
    where
        C: AuditConnection,
        K: KeyOf<Self::Key, Values: 'c>,
    {
        History::<Self, _>::of_key(key).load(conn)
    }

    /// Returns the changes of this record together with those of the rows that referred to
    /// it at the time, newest first. To read them in pages, see [`History::with`], which
    /// also defines which rows belong to the record.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// # diesel::table! { posts (id) { id -> BigInt, user_id -> BigInt, title -> Text, } }
    /// # #[derive(threadline::Audited)]
    /// # #[diesel(table_name = posts)]
    /// # #[allow(dead_code)]
    /// # struct Post { id: i64, user_id: i64, title: String }
    /// # diesel::sql_query("CREATE TABLE posts (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, title text NOT NULL)").execute(conn)?;
    /// # diesel::sql_query("SELECT threadline.audit('posts')").execute(conn)?;
    /// # diesel::sql_query("INSERT INTO posts VALUES (7, 42, 'On engines')").execute(conn)?;
    /// # let user: User = users::table.select(User::as_select()).first(conn)?;
    /// use threadline::Audited;
    ///
    /// let all = user.history_with(conn, [Post::of(posts::user_id)])?;
    /// let tables: Vec<_> = all.iter().map(|entry| entry.change.table.as_deref()).collect();
    /// assert_eq!(tables, [Some("posts"), Some("users")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Reference`](crate::ErrorKind::Reference) if rows cannot be
    /// found by a reference, for instance because its column is masked. Other errors are
    /// the same as those of [`history`](Self::history).
    fn history_with<'a, C>(
        &'a self,
        conn: &'a mut C,
        referring: impl IntoIterator<Item = Referring>,
    ) -> C::Answer<'a, Result<Vec<TimelineEntry>, Error>>
    where
        C: AuditConnection,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key, Values: 'a>,
    {
        History::<Self, _>::of_key(self.id())
            .with(referring)
            .load(conn)
    }

    /// Returns a reference to a record by one column of this model, for
    /// [`history_with`](Self::history_with). For a reference by several columns, or from a
    /// table without a model, parse a [`Referring`] from text.
    fn of<C: Column<Table = Self::Table>>(_column: C) -> Referring {
        Referring::by_column::<C>(&Self::spec().table)
    }

    /// Returns a reference by the one foreign key of this model to the table of the record.
    fn referring() -> Referring {
        Referring::by_foreign_key(Self::spec().table)
    }

    /// Returns the changes of this record, newest first, each with the record as it was
    /// after the change. After a deletion, this is the record as it was when it was
    /// deleted.
    fn versions<'a, C>(
        &'a self,
        conn: &'a mut C,
    ) -> C::Answer<'a, Result<Vec<Version<Self>>, Error>>
    where
        C: AuditConnection,
        Self: VersionedModel,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key, Values: 'a>,
    {
        Self::versions_of(conn, self.id())
    }

    /// Returns the versions of the record with the given key, newest first. Works for
    /// deleted records too.
    fn versions_of<'c, C, K>(
        conn: &'c mut C,
        key: K,
    ) -> C::Answer<'c, Result<Vec<Version<Self>>, Error>>
    where
        C: AuditConnection,
        Self: VersionedModel,
        K: KeyOf<Self::Key, Values: 'c>,
    {
        Self::load_versions(conn, key.into_key())
    }

    /// Returns the record with this key as it was at an instant. Works for records that
    /// were deleted since, and for records that are older than the audit and had not
    /// changed by then.
    ///
    /// The result comes from the recorded changes: it is computed forward from the record's
    /// insertion, and backward from the live row only for values that were not recorded. A
    /// later `ALTER TABLE` does not change it if `threadline.refresh()` follows in the same
    /// migration. Without that, the `ALTER TABLE` takes effect in the audit with the next
    /// recorded transaction.
    ///
    /// The answer for a past instant never changes, except for columns with `ignore`, of
    /// which the row's present or last value is returned: their changes are not all
    /// recorded. While a transaction that wrote audited rows by then is open, the call returns [`Unavailable::NotFinal`], which names the
    /// transaction. A standby returns results for instants that it has replayed. A
    /// transaction takes effect at the time of its last change, completely or not at all,
    /// because PostgreSQL keeps no time of commit. Under REPEATABLE READ or SERIALIZABLE,
    /// any transaction that committed after the snapshot was taken, in any database of the
    /// server, counts as open: run the query in its own transaction.
    ///
    /// | change of the column since then | result |
    /// |---|---|
    /// | added | the value that the row got with the column, or no value if the row was deleted before |
    /// | added to a table with redaction | no value; [`Unavailable::Converted`] from then until `threadline.refresh()`, because the values are recorded only after it |
    /// | dropped | no value; the image has it if it was recorded |
    /// | renamed | the value at the time, under the present name |
    /// | given another type, or other values by `USING` | the value at the time, or [`Unavailable::DoesNotFit`] with the reason; [`Unavailable::Converted`] if only the converted value was recorded |
    /// | an enum label was renamed | the present label; JSON, such as [`PastRecord::image`](crate::PastRecord::image), has the label at the time |
    /// | masked or excluded | `***` in text columns, or [`Unavailable::Redacted`] |
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// # let instant = chrono::Utc::now();
    /// use threadline::{Audited, Unavailable};
    ///
    /// match User::as_of(conn, 42, instant)? {
    ///     Ok(user) => println!("{}", user.name),
    ///     Err(Unavailable::Deleted { change }) => {
    ///         println!("deleted {} by {:?}", change.captured_at, change.actor());
    ///     }
    ///     Err(reason) => println!("{reason}"),
    /// }
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the table is not audited, if the audit schema is missing or too
    /// old, or if the query fails.
    fn as_of<'c, C, K>(
        conn: &'c mut C,
        key: K,
        instant: DateTime<Utc>,
    ) -> C::Answer<'c, Result<Result<Self, Unavailable>, Error>>
    where
        C: AuditConnection,
        Self: VersionedModel,
        K: KeyOf<Self::Key, Values: 'c>,
    {
        Self::load_as_of(conn, key.into_key(), instant)
    }

    /// Returns the record at an instant as JSON, independent of the present definition of
    /// the model. Values of `numeric` columns are strings with all their digits. A column
    /// of which only a converted value was recorded is omitted.
    fn as_of_json<'c, C, K>(
        conn: &'c mut C,
        key: K,
        instant: DateTime<Utc>,
    ) -> C::Answer<'c, Result<Result<Value, Unavailable>, Error>>
    where
        C: AuditConnection,
        K: KeyOf<Self::Key, Values: 'c>,
    {
        C::answer(as_of_json(
            conn,
            Self::spec().table,
            key.into_key(),
            instant,
        ))
    }

    /// Returns every record of the table as it was at an instant, in no particular order,
    /// including records that were deleted since. The result is an iterator or, on a
    /// connection of diesel-async, a stream. Rows are read one by one, so memory does not
    /// grow with the table.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// # let instant = chrono::Utc::now();
    /// use threadline::Audited;
    ///
    /// for past in User::all_as_of(conn, instant)? {
    ///     let past = past?;
    ///     println!("{} {:?}", past.key, past.record.map(|user| user.name));
    /// }
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`as_of`](Self::as_of). If the instant is not final or not audited, the
    /// error has the kind [`Unavailable`](crate::ErrorKind::Unavailable).
    fn all_as_of<C>(
        conn: &mut C,
        instant: DateTime<Utc>,
    ) -> C::Answer<'_, Result<PastRecords<'_, C, Self>, Error>>
    where
        C: StreamConnection,
        Self: VersionedModel,
    {
        Self::load_all_as_of(conn, instant)
    }

    /// Reverts the record with this key to its state at an instant: updates it, deletes it
    /// if it did not exist then, or inserts it again if it was deleted since. The revert is
    /// a new change, audited like any other. Rows that other rows refer to, and values that
    /// were not recorded, are not touched.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::{ActorRef, AuditContext, AuditExt, Audited, record_action};
    ///
    /// let before = User::history_of(conn, 42)?[0].captured_at - chrono::TimeDelta::microseconds(1);
    /// let context = AuditContext::new(ActorRef::admin("grace")?);
    /// let done = conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
    ///     record_action(conn, "user.restored")?;
    ///     User::revert_to(conn, 42, before)
    /// });
    /// if let Err(error) = done {
    ///     println!("{error}");
    /// }
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::RevertConflicts`](crate::ErrorKind::RevertConflicts) with the
    /// reasons, in which case nothing is changed, or an error if the query fails.
    fn revert_to<'c, C, K>(
        conn: &'c mut C,
        key: K,
        instant: DateTime<Utc>,
    ) -> C::Answer<'c, Result<(), Error>>
    where
        C: AuditConnection,
        K: KeyOf<Self::Key, Values: 'c>,
    {
        C::answer(revert_record(
            conn,
            Self::spec().table,
            key.into_key(),
            instant,
        ))
    }

    /// Returns the last change of each column of this record, with its actor and actions.
    /// Columns that have not changed since the audit began are omitted.
    ///
    /// # Errors
    ///
    /// Same as [`history`](Self::history).
    fn blame<'a, C>(&'a self, conn: &'a mut C) -> C::Answer<'a, Result<Vec<Blame>, Error>>
    where
        C: AuditConnection,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key, Values: 'a>,
    {
        Self::blame_of(conn, self.id())
    }

    /// Returns the last change of each column of the record with the given key. For a
    /// deleted record, these are the changes that led to its last values.
    fn blame_of<'c, C, K>(conn: &'c mut C, key: K) -> C::Answer<'c, Result<Vec<Blame>, Error>>
    where
        C: AuditConnection,
        K: KeyOf<Self::Key, Values: 'c>,
    {
        let history = History::<Self, _>::of_key(key).without_model();
        C::answer(async move {
            let changes = history.changes(conn).await?;
            blame(conn, changes).await
        })
    }
}

#[diagnostic::do_not_recommend]
impl<M: AuditedModel> Audited for M {}
