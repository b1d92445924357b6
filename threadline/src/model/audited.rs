use chrono::{DateTime, Utc};
use diesel::associations::Identifiable;
use diesel::{Column, Table};
use serde_json::Value;

use super::{KeyOf, TableSpec};
use crate::context::AuditConnection;
use crate::error::Error;
use crate::explore::{Blame, TimelineEntry, blame};
use crate::record::{AuditChange, History, Referring, Version, VersionedModel};
use crate::revert::revert_record;
use crate::time_travel::{Unavailable, as_of_json};
#[cfg(feature = "postgres")]
use {crate::context::StreamConnection, crate::time_travel::PastRecords};

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

    /// The changes of this record, newest first. For a part of a long history, or the
    /// reasons with it, see [`History::page`].
    ///
    /// # Errors
    ///
    /// The table was never audited ([`ErrorKind::NotAudited`](crate::ErrorKind::NotAudited))
    /// or does not exist, the audit schema is missing or too old, or the query failed.
    fn history<'a, C>(&'a self, conn: &'a mut C) -> C::Answer<'a, Result<Vec<AuditChange>, Error>>
    where
        C: AuditConnection,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key, Values: 'a>,
    {
        Self::history_of(conn, self.id())
    }

    /// The changes of the record with the given key, newest first, also after
    /// the record was deleted.
    ///
    /// Follows a record through a change of its key: what happened to it under
    /// earlier keys belongs to its history.
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

    /// The changes of this record together with those of the rows that referred to it at
    /// the time, newest first. For a page of them see [`History::with`], which says what
    /// belongs to it.
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
    /// [`ErrorKind::Reference`](crate::ErrorKind::Reference) where rows cannot be found by
    /// a reference, for instance because its column is masked; or same as
    /// [`history`](Self::history).
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

    /// The rows of this model that refer to a record by a column, for
    /// [`history_with`](Self::history_with) of the record. By several columns, or of a
    /// table without a model: [`Referring`] from text.
    fn of<C: Column<Table = Self::Table>>(_column: C) -> Referring {
        Referring::by_column::<C>(&Self::spec().table)
    }

    /// The rows of this model that refer to a record by the one foreign key to its table.
    fn referring() -> Referring {
        Referring::by_foreign_key(Self::spec().table)
    }

    /// The changes of this record, newest first, each with the record as it
    /// was after the change (after a deletion: as it was when it went).
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

    /// The versions of the record with the given key, newest first, also after
    /// the record was deleted.
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

    /// The record that had this key at an instant, as it was then; also one that
    /// is gone, and one that is older than the audit and has not changed before.
    ///
    /// What was recorded counts: the answer goes forward from the record's insertion, and
    /// back from the live row only for what is not on record. It is the same before and
    /// after a later `ALTER TABLE`, if `threadline.refresh()` follows in the same migration;
    /// without that, a command counts as of the next transaction that is on record.
    ///
    /// An answer never becomes another one: as long as a transaction that wrote
    /// audited rows by then is open, the reason is [`Unavailable::NotFinal`], which names
    /// it. A standby answers for instants that it has replayed. A
    /// transaction counts as of its last change, whole or not at all; PostgreSQL
    /// keeps no time of commit. Under REPEATABLE READ or SERIALIZABLE this goes for
    /// whatever has committed since the snapshot was taken, in any database of the
    /// server: ask in a transaction of its own.
    ///
    /// | since then, a column was | gives |
    /// |---|---|
    /// | added | what the row got with it, or nothing if the row went before |
    /// | dropped | nothing; the image has it as far as it is on record |
    /// | renamed | its value then, under its name now |
    /// | given another type, or other values by `USING` | its value then, or [`Unavailable::DoesNotFit`], which says why; [`Unavailable::Converted`] if only the converted value is left |
    /// | of an enum whose label was renamed | its label then, or [`Unavailable::DoesNotFit`] |
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
    /// The table is not audited, the audit schema is missing or too old, or the
    /// query failed.
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

    /// The same as JSON, whatever the model is like now. Values of `numeric` columns are
    /// strings, digit for digit. A column of which only a converted value is left is
    /// not in it.
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

    /// Every record of the table as it was at an instant, in no particular
    /// order, also those that are gone. Comes row by row, as an iterator or, on a
    /// connection of diesel-async, as a stream: memory does not grow with the table.
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
    /// As of [`as_of`](Self::as_of); that the instant is not final or not
    /// audited is an error of the kind [`Unavailable`](crate::ErrorKind::Unavailable).
    #[cfg(feature = "postgres")]
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

    /// Puts the record with this key back to what it was at an instant, as a new
    /// change that is audited like any other: updates it, deletes it if it was not
    /// there then, or puts it back if it is gone. What others refer to, or what
    /// the audit does not have, is not touched.
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
    /// [`ErrorKind::RevertConflicts`](crate::ErrorKind::RevertConflicts) with the
    /// reason, and nothing is changed; or the query failed.
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

    /// Who gave each column of this record the value that it has: its last
    /// change, with actor and actions. Columns that have not changed since
    /// before the audit are not there.
    ///
    /// # Errors
    ///
    /// As of [`history`](Self::history).
    fn blame<'a, C>(&'a self, conn: &'a mut C) -> C::Answer<'a, Result<Vec<Blame>, Error>>
    where
        C: AuditConnection,
        &'a Self: Identifiable,
        <&'a Self as Identifiable>::Id: KeyOf<Self::Key, Values: 'a>,
    {
        Self::blame_of(conn, self.id())
    }

    /// Who gave each column of the record with the given key its value; of a
    /// record that was deleted, the value that it had when it went.
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
