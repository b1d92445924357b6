//! The views of the audit schema as Diesel tables, for questions of your own.
//!
//! [`changes`], [`transactions`] and [`actions`] are the views for people: with the names of
//! tables, keys as JSON, and without the values that the policy hides now. Below them are
//! [`audit_changes`], [`audit_transactions`] and [`audited_tables`].
//!
//! The [guide](crate::docs::asking_with_diesel) joins them to the tables of an application,
//! counts and pages.
//!
//! They are there to be read, by a role that may read the audit. A new version of the audit
//! schema may add columns.

mod in_history;
pub mod sql_types;
mod values;

pub use in_history::InHistory;

#[doc(inline)]
pub use crate::__allow_tables_to_appear_with_audit as allow_tables_to_appear_with_audit;

/// Allows tables of an application to appear in one query with those of the audit, as
/// `allow_tables_to_appear_in_same_query!` does for tables of one crate.
///
/// ```
/// # diesel::table! { users (id) { id -> BigInt, } }
/// # mod billing { diesel::table! { invoices (id) { id -> BigInt, } } }
/// threadline::schema::allow_tables_to_appear_with_audit!(users, billing::invoices);
/// # fn main() {}
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __allow_tables_to_appear_with_audit {
    ($($($table:ident)::+),+ $(,)?) => {
        $($crate::__allow_tables_to_appear_with_audit! {
            @ [$($table)::+] changes transactions actions audit_changes audit_transactions audited_tables
        })+
    };
    (@ $table:tt $($view:ident)+) => {
        $($crate::__allow_tables_to_appear_with_audit! { @@ $table $view })+
    };
    (@@ [$($table:ident)::+] $view:ident) => {
        impl $crate::__private::diesel::query_source::TableNotEqual<$crate::schema::$view::table>
            for $($table)::+::table
        {
        }
        impl $crate::__private::diesel::query_source::TableNotEqual<$($table)::+::table>
            for $crate::schema::$view::table
        {
        }
    };
}

diesel::define_sql_function! {
    /// PostgreSQL's `abbrev(inet)`: an address as text, for Diesel without its feature
    /// `network-address`.
    #[sql_name = "pg_catalog.abbrev"]
    fn abbrev(address: diesel::sql_types::Nullable<diesel::sql_types::Inet>) -> diesel::sql_types::Nullable<diesel::sql_types::Text>;
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::*;

    /// Every recorded change, with its table, key, actor and context. The newest come first
    /// with `.order((transaction_id.desc(), id.desc()))`, for which there is an index.
    threadline.changes (id) {
        /// Rises with every change; orders the changes of a record.
        id -> BigInt,
        /// When the trigger saw the change.
        captured_at -> Timestamptz,
        /// The table's schema.
        schema_name -> Nullable<Text>,
        /// The table's name; a partitioned table's own, whichever partition was written.
        table_name -> Nullable<Text>,
        /// `insert`, `update`, `delete` or `truncate`; an [`Operation`](crate::Operation).
        op -> Text,
        /// The primary key, such as `{"id": 42}`.
        key -> Nullable<Jsonb>,
        /// The key before an update that changed it.
        previous_key -> Nullable<Jsonb>,
        /// Update: the old values of the changed columns.
        changed_from -> Nullable<Jsonb>,
        /// Update: the new values of the changed columns.
        changed_to -> Nullable<Jsonb>,
        /// Insert: the row as inserted. Delete and truncate: the row that went.
        row_data -> Nullable<Jsonb>,
        /// `NULL` if nobody said who acts; an [`ActorType`](crate::ActorType).
        actor_type -> Nullable<Text>,
        /// The actor's id.
        actor_id -> Nullable<Text>,
        /// Where the actor came from; a [`ContextOrigin`](crate::ContextOrigin).
        actor_origin -> Nullable<Text>,
        /// The id of the request that was served.
        request_id -> Nullable<Text>,
        /// What ties this to other requests, jobs and services.
        correlation_id -> Nullable<Text>,
        /// The id of the job that ran.
        job_id -> Nullable<Text>,
        /// Which way it came.
        source -> Nullable<Text>,
        /// Read it with [`abbrev`](crate::schema::abbrev()), or with Diesel's feature
        /// `network-address`.
        remote_ip -> Nullable<Inet>,
        /// The metadata of the context.
        meta -> Nullable<Jsonb>,
        /// The database role that was logged in.
        session_user_name -> Nullable<Text>,
        /// PostgreSQL's setting of this name in the session.
        application_name -> Nullable<Text>,
        /// Why the context could not be read in full, if so.
        context_error -> Nullable<Text>,
        /// The AuditTransaction, a row of [`transactions`](crate::schema::transactions).
        transaction_id -> BigInt,
        /// PostgreSQL's number of the transaction. Starts again after a dump and restore.
        xact_id -> Nullable<Xid8>,
        /// When the database transaction began.
        occurred_at -> Nullable<Timestamptz>,
        /// The primary key's value as text; several columns as a JSON array of texts. With
        /// `table_name`, changes are found by it along an index.
        record_key -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::*;

    /// Every AuditTransaction: one database transaction under one context, with the number
    /// of its changes.
    threadline.transactions (id) {
        /// The row's number.
        id -> BigInt,
        /// PostgreSQL's number of the transaction. Starts again after a dump and restore.
        xact_id -> Xid8,
        /// When the database transaction began.
        occurred_at -> Timestamptz,
        /// When its first change or action was recorded.
        opened_at -> Timestamptz,
        /// For one that went on for more than an hour: its last change came before this. For
        /// one that is open in this session it is `infinity`, which chrono cannot hold.
        extended_until -> Nullable<Timestamptz>,
        /// `NULL` if nobody said who acts; an [`ActorType`](crate::ActorType).
        actor_type -> Nullable<Text>,
        /// The actor's id.
        actor_id -> Nullable<Text>,
        /// Where the actor came from; a [`ContextOrigin`](crate::ContextOrigin).
        actor_origin -> Text,
        /// The id of the request that was served.
        request_id -> Nullable<Text>,
        /// What ties this to other requests, jobs and services.
        correlation_id -> Nullable<Text>,
        /// The id of the job that ran.
        job_id -> Nullable<Text>,
        /// Which way it came.
        source -> Nullable<Text>,
        /// Read it with [`abbrev`](crate::schema::abbrev()), or with Diesel's feature
        /// `network-address`.
        remote_ip -> Nullable<Inet>,
        /// The metadata of the context.
        meta -> Nullable<Jsonb>,
        /// The database role that was logged in.
        session_user_name -> Text,
        /// Why the context could not be read in full, if so.
        context_error -> Nullable<Text>,
        /// PostgreSQL's setting of this name in the session.
        application_name -> Nullable<Text>,
        /// How many changes there are.
        changes -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    /// Every recorded action: what the application meant.
    threadline.actions (id) {
        /// The row's number.
        id -> BigInt,
        /// When it was recorded.
        occurred_at -> Timestamptz,
        /// What was done, as in `member.role_changed`.
        name -> Text,
        /// What kind of thing it was done to: `member`.
        category -> Nullable<Text>,
        /// What was done to it: `role_changed`.
        verb -> Nullable<Text>,
        /// An [`ActorType`](crate::ActorType).
        actor_type -> Text,
        /// The actor's id.
        actor_id -> Nullable<Text>,
        /// `ok` or `error`; an [`ActionStatus`](crate::ActionStatus).
        status -> Text,
        /// Why it was done.
        reason -> Nullable<Text>,
        /// What else is to be said.
        comment -> Nullable<Text>,
        /// The id of the request that was served.
        request_id -> Nullable<Text>,
        /// What ties this to other requests, jobs and services.
        correlation_id -> Nullable<Text>,
        /// The id of the job that ran.
        job_id -> Nullable<Text>,
        /// Which way it came.
        source -> Nullable<Text>,
        /// Read it with [`abbrev`](crate::schema::abbrev()), or with Diesel's feature
        /// `network-address`.
        remote_ip -> Nullable<Inet>,
        /// The metadata of the context and of the action.
        meta -> Nullable<Jsonb>,
        /// PostgreSQL's setting of this name in the session.
        application_name -> Nullable<Text>,
        /// The AuditTransaction that it belongs to; `NULL`: it was recorded outside of a
        /// transaction.
        transaction_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    /// Every recorded change as it is stored. It shows what was recorded before a column was
    /// masked; [`changes`] does not.
    threadline.audit_changes (id) {
        /// The row's number.
        id -> BigInt,
        /// The AuditTransaction.
        transaction_id -> BigInt,
        /// When the trigger saw the change.
        captured_at -> Timestamptz,
        /// The table, a row of [`audited_tables`](crate::schema::audited_tables).
        table_id -> Integer,
        /// For an update that changed the key: which statement of its transaction.
        statement -> Nullable<Integer>,
        /// `I`, `U`, `D` or `T`.
        op -> CChar,
        /// The primary key's value as text; several columns as a JSON array of texts.
        record_key -> Nullable<Text>,
        /// The key before an update that changed it.
        previous_key -> Nullable<Text>,
        /// Update: the old values of the changed columns.
        changed_from -> Nullable<Jsonb>,
        /// Update: the new values of the changed columns.
        changed_to -> Nullable<Jsonb>,
        /// Insert: the row as inserted. Delete and truncate: the row that went.
        row_data -> Nullable<Jsonb>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::*;

    /// Every AuditTransaction, without the number of its changes.
    threadline.audit_transactions (id) {
        /// The row's number.
        id -> BigInt,
        /// PostgreSQL's number of the transaction. Starts again after a dump and restore.
        xact_id -> Xid8,
        /// When the database transaction began.
        occurred_at -> Timestamptz,
        /// When its first change or action was recorded.
        opened_at -> Timestamptz,
        /// `infinity` for one that is open in this session, which chrono cannot hold.
        extended_until -> Nullable<Timestamptz>,
        /// An [`ActorType`](crate::ActorType); `NULL` if nobody said who acts.
        actor_type -> Nullable<Text>,
        /// The actor's id.
        actor_id -> Nullable<Text>,
        /// Where the actor came from; a [`ContextOrigin`](crate::ContextOrigin).
        actor_origin -> Text,
        /// The id of the request that was served.
        request_id -> Nullable<Text>,
        /// What ties this to other requests, jobs and services.
        correlation_id -> Nullable<Text>,
        /// The id of the job that ran.
        job_id -> Nullable<Text>,
        /// Which way it came.
        source -> Nullable<Text>,
        /// The client's address. Read it with [`abbrev`](crate::schema::abbrev()), or with Diesel's
        /// feature `network-address`.
        remote_ip -> Nullable<Inet>,
        /// The metadata of the context.
        meta -> Nullable<Jsonb>,
        /// The database role that was logged in.
        session_user_name -> Text,
        /// Why the context could not be read in full, if so.
        context_error -> Nullable<Text>,
        /// PostgreSQL's setting of this name in the session.
        application_name -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    /// Every table that is or was audited. It has more columns, which are Threadline's own.
    threadline.audited_tables (id) {
        /// The row's number.
        id -> Integer,
        /// The table's schema.
        schema_name -> Text,
        /// The table's name; a partitioned table's own, whichever partition was written.
        table_name -> Text,
        /// The columns of the primary key.
        key_columns -> Array<Text>,
        /// Since when without interruption.
        audited_since -> Timestamptz,
        /// Since when not any more.
        unaudited_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(changes -> transactions (transaction_id));
diesel::joinable!(actions -> transactions (transaction_id));
diesel::joinable!(audit_changes -> audit_transactions (transaction_id));
diesel::joinable!(audit_changes -> audited_tables (table_id));

diesel::allow_tables_to_appear_in_same_query!(
    changes,
    transactions,
    actions,
    audit_changes,
    audit_transactions,
    audited_tables,
);
