//! The views of the audit schema as Diesel tables, for your own queries.
//!
//! [`changes`], [`transactions`] and [`actions`] are meant for people: they have the names
//! of tables, keys as JSON, and no values that the policy hides now. [`audit_changes`],
//! [`audit_transactions`] and [`audited_tables`] are the views under them.
//!
//! The [guide](crate::docs::asking_with_diesel) joins them to the tables of an application,
//! counts and pages.
//!
//! They are read-only, for roles that may read the audit. A new version of the audit schema
//! may add columns.

mod in_history;
pub mod sql_types;

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

    /// Every recorded change, with its table, key, actor and context. Order by
    /// `.order((transaction_id.desc(), id.desc()))` for the newest first; an index serves
    /// this order.
    threadline.changes (id) {
        /// The id of the change. Ids increase, and order the changes of a record.
        id -> BigInt,
        /// The time at which the trigger captured the change.
        captured_at -> Timestamptz,
        /// The schema of the table.
        schema_name -> Nullable<Text>,
        /// The name of the table. For a partitioned table, the name of the parent,
        /// whichever partition was written.
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
        /// Insert: the inserted row. Delete and truncate: the removed row.
        row_data -> Nullable<Jsonb>,
        /// The type of the actor, an [`ActorType`](crate::ActorType); `NULL` without an
        /// actor.
        actor_type -> Nullable<Text>,
        /// The id of the actor.
        actor_id -> Nullable<Text>,
        /// How the context reached the transaction, a
        /// [`ContextOrigin`](crate::ContextOrigin).
        actor_origin -> Nullable<Text>,
        /// The id of the request that was being served.
        request_id -> Nullable<Text>,
        /// The id that ties the change to other requests, jobs and services.
        correlation_id -> Nullable<Text>,
        /// The id of the job that was running.
        job_id -> Nullable<Text>,
        /// The channel of the change, such as `web` or `cli`.
        source -> Nullable<Text>,
        /// The address of the client. Read it with [`abbrev`](crate::schema::abbrev()), or
        /// with Diesel's feature `network-address`.
        remote_ip -> Nullable<Inet>,
        /// The metadata of the context.
        meta -> Nullable<Jsonb>,
        /// The database role that was logged in.
        session_user_name -> Nullable<Text>,
        /// The setting `application_name` of the session.
        application_name -> Nullable<Text>,
        /// Why the context could not be read in full, if it could not.
        context_error -> Nullable<Text>,
        /// The id of the AuditTransaction, a row of
        /// [`transactions`](crate::schema::transactions).
        transaction_id -> BigInt,
        /// The transaction id of PostgreSQL. Restarts after a dump and restore.
        xact_id -> Nullable<Xid8>,
        /// The time at which the database transaction began.
        occurred_at -> Nullable<Timestamptz>,
        /// The value of the primary key as text; several columns as a JSON array of texts.
        /// With `table_name`, an index finds changes by it.
        record_key -> Nullable<Text>,
    }
}

/// Declares a view of transactions, with further columns.
macro_rules! transactions_table {
    ($(#[$of_view:meta])+ $view:ident { $($more:tt)* }) => {
        diesel::table! {
            use diesel::sql_types::*;
            use super::sql_types::*;

            $(#[$of_view])+
            threadline.$view (id) {
                /// The id of the row.
                id -> BigInt,
                /// The transaction id of PostgreSQL. Restarts after a dump and restore.
                xact_id -> Xid8,
                /// The time at which the database transaction began.
                occurred_at -> Timestamptz,
                /// The time at which its first change or action was recorded.
                opened_at -> Timestamptz,
                /// Set for a transaction that took more than an hour: its last change was captured
                /// before this time. It is `infinity` for a transaction that is open in this
                /// session, which chrono cannot represent.
                extended_until -> Nullable<Timestamptz>,
                /// The type of the actor, an [`ActorType`](crate::ActorType); `NULL` without an
                /// actor.
                actor_type -> Nullable<Text>,
                /// The id of the actor.
                actor_id -> Nullable<Text>,
                /// How the context reached the transaction, a
                /// [`ContextOrigin`](crate::ContextOrigin).
                actor_origin -> Text,
                /// The id of the request that was being served.
                request_id -> Nullable<Text>,
                /// The id that ties the transaction to other requests, jobs and services.
                correlation_id -> Nullable<Text>,
                /// The id of the job that was running.
                job_id -> Nullable<Text>,
                /// The channel of the change, such as `web` or `cli`.
                source -> Nullable<Text>,
                /// The address of the client. Read it with [`abbrev`](crate::schema::abbrev()), or
                /// with Diesel's feature `network-address`.
                remote_ip -> Nullable<Inet>,
                /// The metadata of the context.
                meta -> Nullable<Jsonb>,
                /// The database role that was logged in.
                session_user_name -> Text,
                /// Why the context could not be read in full, if it could not.
                context_error -> Nullable<Text>,
                /// The setting `application_name` of the session.
                application_name -> Nullable<Text>,
                $($more)*
            }
        }
    };
}

transactions_table! {
    /// Every AuditTransaction: one database transaction under one context, with the number
    /// of its changes.
    transactions {
        /// The number of its changes.
        changes -> BigInt,
    }
}

transactions_table! {
    /// Every AuditTransaction, without the number of its changes.
    audit_transactions {}
}

diesel::table! {
    use diesel::sql_types::*;

    /// Every recorded action: what the application meant to do.
    threadline.actions (id) {
        /// The id of the row.
        id -> BigInt,
        /// The time at which it was recorded.
        occurred_at -> Timestamptz,
        /// The name of the action, such as `member.role_changed`.
        name -> Text,
        /// The kind of object that it concerns: `member`.
        category -> Nullable<Text>,
        /// The verb of the action: `role_changed`.
        verb -> Nullable<Text>,
        /// The type of the actor, an [`ActorType`](crate::ActorType).
        actor_type -> Text,
        /// The id of the actor.
        actor_id -> Nullable<Text>,
        /// `ok` or `error`; an [`ActionStatus`](crate::ActionStatus).
        status -> Text,
        /// The reason.
        reason -> Nullable<Text>,
        /// A further comment.
        comment -> Nullable<Text>,
        /// The id of the request that was being served.
        request_id -> Nullable<Text>,
        /// The id that ties the action to other requests, jobs and services.
        correlation_id -> Nullable<Text>,
        /// The id of the job that was running.
        job_id -> Nullable<Text>,
        /// The channel of the action, such as `web` or `cli`.
        source -> Nullable<Text>,
        /// The address of the client. Read it with [`abbrev`](crate::schema::abbrev()), or
        /// with Diesel's feature `network-address`.
        remote_ip -> Nullable<Inet>,
        /// The metadata of the context and of the action.
        meta -> Nullable<Jsonb>,
        /// The setting `application_name` of the session.
        application_name -> Nullable<Text>,
        /// The id of its AuditTransaction; `NULL` if it was recorded outside a transaction.
        transaction_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    /// Every recorded change as stored. It includes values that were recorded before their
    /// column was masked, which [`changes`] does not.
    threadline.audit_changes (id) {
        /// The id of the row.
        id -> BigInt,
        /// The id of the AuditTransaction.
        transaction_id -> BigInt,
        /// The time at which the trigger captured the change.
        captured_at -> Timestamptz,
        /// The id of the table, a row of [`audited_tables`](crate::schema::audited_tables).
        table_id -> Integer,
        /// For an update that changed the key: the number of the statement in its
        /// transaction.
        statement -> Nullable<Integer>,
        /// `I`, `U`, `D` or `T`.
        op -> CChar,
        /// The value of the primary key as text; several columns as a JSON array of texts.
        record_key -> Nullable<Text>,
        /// The key before an update that changed it.
        previous_key -> Nullable<Text>,
        /// Update: the old values of the changed columns.
        changed_from -> Nullable<Jsonb>,
        /// Update: the new values of the changed columns.
        changed_to -> Nullable<Jsonb>,
        /// Insert: the inserted row. Delete and truncate: the removed row.
        row_data -> Nullable<Jsonb>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    /// Every table that is or was audited. The view has more columns, which are internal to
    /// Threadline.
    threadline.audited_tables (id) {
        /// The id of the row.
        id -> Integer,
        /// The schema of the table.
        schema_name -> Text,
        /// The name of the table. For a partitioned table, the name of the parent,
        /// whichever partition is written.
        table_name -> Text,
        /// The columns of the primary key.
        key_columns -> Array<Text>,
        /// The time since which the table is audited without interruption.
        audited_since -> Timestamptz,
        /// The time since which the table is no longer audited.
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
