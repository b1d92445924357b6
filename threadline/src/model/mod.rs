//! Translation of an annotated model into the calls on the database.

mod audited_model;
mod checks;
mod column_policy;
mod key;
mod kinds;
mod models;
mod policy_call;
mod secrets;
mod spec;
mod undecided;

pub use audited_model::AuditedModel;
pub use checks::{assert_key, same_name, single_key_name};
pub use column_policy::ColumnPolicy;
pub use key::{CompositeKey, KeyExpression, KeyOf, SingleKey};
pub use models::Models;
pub use spec::{DerivedPolicy, Policy, TableSpec, table_name};
pub use undecided::UndecidedColumn;

pub(crate) use kinds::ColumnKind;
pub(crate) use policy_call::{
    COLUMNS, PolicyCall, as_before, unaudit_as_before_call, unaudit_call, with_continues,
    without_continues,
};
pub(crate) use secrets::looks_secret;
pub(crate) use spec::to_sql;
