//! Filters for changes and for actions.

mod actions;
mod changes;
mod conditions;
mod error;
mod except;
mod named;
mod parse;
mod record_key;
mod scope;
mod shared;
mod table;
mod values;

pub use actions::ActionFilter;
pub use changes::Filter;
pub use error::FilterError;
pub use named::{Filters, NamedFilter};
pub use parse::{Day, instant, record, relative};
pub use record_key::RecordKey;
pub use scope::{Scope, TableScope};

pub(crate) use actions::{CHANGED_NOTHING, by_actor, of_status};

pub(crate) use except::NamedColumns;
pub(crate) use named::{named, once, repeated};
pub(crate) use parse::actor;
pub(crate) use record_key::Key;
pub(crate) use scope::{Columns, FoundTable, FoundTables, Rows};
pub(crate) use table::check_table_name;
