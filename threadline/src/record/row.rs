//! The columns of a change as the queries select them. Reading a row never fails because of
//! its content, so that one bad row does not hide others.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow, Queryable};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz};
use serde_json::Value;
use serde_json::value::RawValue;

use super::portable::exact;
use super::{AuditChange, AuditTransaction, ContextOrigin, Operation};
use crate::context::ActorRef;

type NText = Nullable<Text>;
type NJsonb = Nullable<Jsonb>;

/// The columns of a transaction, from its id on.
pub type TransactionSql = (
    BigInt,
    NText,
    Nullable<Timestamptz>,
    NText,
    NText,
    NText,
    NText,
    NText,
    NText,
    NText,
    NText,
    NJsonb,
    NText,
    NText,
);

/// Two tuples, because without a feature, Diesel supports at most 16 columns.
pub type ChangeSql = (
    (
        BigInt,
        Timestamptz,
        NText,
        NText,
        Text,
        NJsonb,
        NJsonb,
        NJsonb,
        NJsonb,
        NJsonb,
        Nullable<Array<Text>>,
    ),
    TransactionSql,
);

/// The number of columns of [`ChangeSql`].
pub(crate) const CHANGE_COLUMNS: usize = 25;

/// A jsonb value that always converts to a [`Value`]. A number that serde_json would round
/// becomes a string. A member that is nested too deeply becomes its text, and so does a
/// document that serde_json cannot parse at all.
#[derive(Debug, FromSqlRow, AsExpression)]
#[diesel(sql_type = Jsonb)]
pub struct AnyJson(Value);

impl AnyJson {
    pub(crate) fn into_inner(self) -> Value {
        self.0
    }
}

impl FromSql<Jsonb, Pg> for AnyJson {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let bytes = value.as_bytes();
        let json = bytes.get(1..).unwrap_or_default();
        let json = String::from_utf8_lossy(json);
        let exact = exact(&json);
        let parsed = serde_json::from_str(&exact)
            .ok()
            .or_else(|| by_member(&exact));
        Ok(Self(
            parsed.unwrap_or_else(|| Value::String(json.into_owned())),
        ))
    }
}

/// Parses each member of an object by itself. serde_json limits the depth of a document, and
/// one deep value must not hide the other columns of its row.
fn by_member(json: &str) -> Option<Value> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    let member = |(name, raw): (String, &RawValue)| {
        let value = serde_json::from_str(raw.get());
        (
            name,
            value.unwrap_or_else(|_| Value::String(raw.get().to_owned())),
        )
    };
    Some(Value::Object(members.into_iter().map(member).collect()))
}

/// A time of PostgreSQL that chrono may not be able to represent (`infinity`).
#[derive(Debug, FromSqlRow, AsExpression)]
#[diesel(sql_type = Timestamptz)]
pub struct AnyTime(DateTime<Utc>);

impl AnyTime {
    pub(crate) fn into_inner(self) -> DateTime<Utc> {
        self.0
    }
}

impl FromSql<Timestamptz, Pg> for AnyTime {
    fn from_sql(value: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(
            DateTime::<Utc>::from_sql(value).unwrap_or(DateTime::<Utc>::MAX_UTC),
        ))
    }
}

type OText = Option<String>;
type OJson = Option<AnyJson>;

fn json(value: OJson) -> Option<Value> {
    value.map(AnyJson::into_inner)
}

impl Queryable<TransactionSql, Pg> for AuditTransaction {
    type Row = (
        i64,
        OText,
        Option<AnyTime>,
        OText,
        OText,
        OText,
        OText,
        OText,
        OText,
        OText,
        OText,
        OJson,
        OText,
        OText,
    );

    fn build(row: Self::Row) -> deserialize::Result<Self> {
        let (
            id,
            xact_id,
            occurred_at,
            actor_type,
            actor_id,
            origin,
            request_id,
            correlation_id,
            job_id,
            source,
            remote_ip,
            metadata,
            session_user,
            context_error,
        ) = row;
        Ok(Self {
            id,
            xact_id: xact_id.and_then(|id| id.parse().ok()),
            occurred_at: occurred_at.map(AnyTime::into_inner),
            actor: actor_type.map(|kind| ActorRef::recorded(kind, actor_id)),
            origin: ContextOrigin::recorded(origin),
            request_id,
            correlation_id,
            job_id,
            source,
            remote_ip,
            metadata: json(metadata),
            session_user,
            context_error,
        })
    }
}

impl Queryable<ChangeSql, Pg> for AuditChange {
    type Row = (
        (
            i64,
            AnyTime,
            OText,
            OText,
            String,
            OJson,
            OJson,
            OJson,
            OJson,
            OJson,
            Option<Vec<String>>,
        ),
        AuditTransaction,
    );

    fn build(row: Self::Row) -> deserialize::Result<Self> {
        let (
            (
                id,
                captured_at,
                schema,
                table,
                op,
                key,
                previous_key,
                changed_from,
                changed_to,
                row_data,
                masked,
            ),
            transaction,
        ) = row;
        Ok(Self {
            id,
            schema,
            table,
            operation: Operation::recorded(op),
            key: json(key),
            previous_key: json(previous_key),
            changed_from: json(changed_from),
            changed_to: json(changed_to),
            row_data: json(row_data),
            masked: masked.unwrap_or_default(),
            captured_at: captured_at.into_inner(),
            transaction,
        })
    }
}
