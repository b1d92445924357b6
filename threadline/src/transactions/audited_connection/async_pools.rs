//! Audited connections that a pool of diesel-async returns.

use std::future::Future;
use std::ops::ControlFlow;

use diesel::connection::TransactionManagerStatus;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel_async::AsyncPgConnection;

use super::AuditedConnection;
use crate::connection::AuditConnection;
use crate::connection::asynchronous::{
    Asynchronous, BoxFuture, BoxStream, answers_boxed, for_pools, pooled, streams_rows,
};
use crate::connection::audit_connection::{BuildRow, EachRow, Runner, StreamConnection};

type Audited = AuditedConnection<AsyncPgConnection>;

for_pools!(pooled, Audited);
