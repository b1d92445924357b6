//! From an annotated model to what the database is asked for.

mod audited;
mod checks;
mod key;
mod kinds;
mod models;
mod secrets;
mod spec;

pub use audited::Audited;
pub use checks::{assert_key, same_name, single_key_name};
pub use key::{CompositeKey, KeyExpression, KeyOf, SingleKey};
pub use models::Models;
pub use spec::{DerivedPolicy, Policy, TableSpec, table_name};

pub(crate) use kinds::ColumnKind;
pub(crate) use secrets::looks_secret;
pub(crate) use spec::to_sql;
