use diesel::Table;
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::QueryFragment;

use crate::sql::last_names;

/// What is captured of an audited table, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Columns stored as a placeholder; that they changed can be seen.
    pub mask: Vec<String>,
    /// Columns that leave no trace.
    pub exclude: Vec<String>,
    /// Whether a write without an actor is refused.
    pub require_actor: bool,
    /// The columns that are recorded beside the primary key; all if empty.
    pub only: Vec<String>,
    /// The operations that are recorded, of `insert`, `update`, `delete` and
    /// `truncate`; all if empty.
    pub operations: Vec<String>,
    /// SQL over `OLD` and `NEW`, as in the `WHEN` clause of a trigger: rows of which
    /// it is not true are not recorded.
    pub when: Option<String>,
}

impl Policy {
    /// Used by `#[derive(Audited)]`.
    #[doc(hidden)]
    pub fn from_derive(
        mask: &[&str],
        exclude: &[&str],
        require_actor: bool,
        only: &[&str],
        operations: &[&str],
        when: Option<&str>,
    ) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            mask: owned(mask),
            exclude: owned(exclude),
            require_actor,
            only: owned(only),
            operations: owned(operations),
            when: when.map(str::to_owned),
        }
    }

    /// Whether anything of a row is kept from the audit.
    pub fn redacts(&self) -> bool {
        !self.mask.is_empty() || !self.exclude.is_empty() || !self.only.is_empty()
    }
}

/// A model's table and its policy: all that the generator and the installer
/// need to know of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableSpec {
    /// Name of the model type, for messages.
    pub model: &'static str,
    /// The table's quoted and, if it is declared so, qualified name:
    /// `"app"."users"`.
    pub table: String,
    /// All columns that `table!` declares, in its order.
    pub columns: Vec<String>,
    /// What is captured.
    pub policy: Policy,
}

impl TableSpec {
    /// Used by `#[derive(Audited)]`.
    #[doc(hidden)]
    pub fn of<T>(table: T, model: &'static str, policy: Policy) -> Self
    where
        T: Table + QueryFragment<Pg>,
        T::AllColumns: QueryFragment<Pg>,
    {
        Self {
            model,
            table: to_sql(&table),
            columns: last_names(&to_sql(&T::all_columns())),
            policy,
        }
    }
}

/// A fragment without bind parameters as SQL text.
pub(crate) fn to_sql(fragment: &impl QueryFragment<Pg>) -> String {
    use diesel::query_builder::QueryBuilder;

    let mut builder = PgQueryBuilder::default();
    fragment
        .to_sql(&mut builder, &Pg)
        .expect("names of tables and columns become SQL");
    builder.finish()
}
