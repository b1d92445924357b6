use diesel::Table;
use diesel::dsl::SqlTypeOf;
use diesel::expression::QueryMetadata;
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::QueryFragment;

use super::{ColumnKind, ColumnPolicy, PolicyCall, looks_secret};
use crate::sql::{last_names, name_parts};

/// The policy of an audited table: the columns, operations and rows that are recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The column policies. Columns without one are recorded with their values.
    pub column_policies: Vec<(String, ColumnPolicy)>,
    /// Whether a write without an actor is refused.
    pub require_actor: bool,
    /// The columns that are recorded in addition to the primary key; all if empty.
    pub columns: Vec<String>,
    /// The recorded operations, of `insert`, `update`, `delete` and `truncate`; all if
    /// empty.
    pub operations: Vec<String>,
    /// SQL over `OLD` and `NEW`, as in the `WHEN` clause of a trigger. Rows for which it is
    /// not true are not recorded.
    pub condition: Option<String>,
    /// Columns that are recorded together with other changes; a change of these alone is
    /// not recorded.
    pub ignore: Vec<String>,
    /// How long changes are kept, as a PostgreSQL interval: `7 years`. `None` means without
    /// limit.
    pub keep: Option<String>,
    /// Personal columns, which [`Erasure`](crate::Erasure) makes unreadable.
    pub personal: Vec<String>,
    /// Columns that refer to the person to whom a row belongs, each with the referenced
    /// table.
    pub subject: Vec<(String, String)>,
    /// Whether the table may lack a primary key. Its changes are then found by their
    /// content, and its records have no history.
    pub keyless: bool,
}

/// The attributes that `#[derive(Audited)]` read.
#[doc(hidden)]
#[derive(Debug)]
pub struct DerivedPolicy<'a> {
    pub column_policies: &'a [(&'a str, ColumnPolicy)],
    pub require_actor: bool,
    pub columns: &'a [&'a str],
    pub operations: &'a [&'a str],
    pub condition: Option<&'a str>,
    pub ignore: &'a [&'a str],
    pub keep: Option<&'a str>,
    pub personal: &'a [&'a str],
    pub subject: Vec<(&'a str, String)>,
}

impl Policy {
    /// Used by `#[derive(Audited)]`.
    #[doc(hidden)]
    pub fn from_derive(derived: &DerivedPolicy<'_>) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            column_policies: derived
                .column_policies
                .iter()
                .map(|&(column, policy)| (column.to_owned(), policy))
                .collect(),
            require_actor: derived.require_actor,
            columns: owned(derived.columns),
            operations: owned(derived.operations),
            condition: derived.condition.map(str::to_owned),
            ignore: owned(derived.ignore),
            keep: derived.keep.map(str::to_owned),
            personal: owned(derived.personal),
            subject: derived
                .subject
                .iter()
                .map(|(column, table)| ((*column).to_owned(), table.clone()))
                .collect(),
            // Every table that Diesel knows has a key.
            keyless: false,
        }
    }

    /// Returns whether any column is redacted.
    pub fn redacts(&self) -> bool {
        let mut policies = self.column_policies.iter();
        !self.columns.is_empty() || policies.any(|(_, policy)| policy.redacts())
    }

    /// Returns the columns with this column policy.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// use threadline::{AuditedModel, ColumnPolicy};
    ///
    /// assert_eq!(User::spec().policy.columns_with(ColumnPolicy::Mask), ["email"]);
    /// ```
    pub fn columns_with(&self, policy: ColumnPolicy) -> Vec<&str> {
        let columns = self.column_policies.iter();
        columns
            .filter(|(_, of_column)| *of_column == policy)
            .map(|(column, _)| column.as_str())
            .collect()
    }

    /// Returns the columns of [`subject`](Self::subject) in the form that `audit` takes.
    pub(crate) fn subject_json(&self) -> Option<serde_json::Value> {
        let named = |(column, table): &(String, String)| (column.clone(), table.as_str().into());
        (!self.subject.is_empty())
            .then(|| serde_json::Value::Object(self.subject.iter().map(named).collect()))
    }

    /// Returns whether it has a column policy for a column.
    pub(crate) fn decides(&self, column: &str) -> bool {
        self.decided().contains(&column)
    }

    /// Returns the columns that have a column policy.
    pub(crate) fn decided(&self) -> Vec<&str> {
        let columns = self.column_policies.iter().map(|(column, _)| column);
        columns.chain(&self.columns).map(String::as_str).collect()
    }
}

/// A table to audit, with its policy: everything that the generator and the installer need
/// to know of a model, or of a table without one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableSpec {
    /// The name of the model type, for messages; without a model, the name of the table.
    pub model: String,
    /// The file that declares the table, if no model does.
    pub file: Option<String>,
    /// The quoted name of the table, qualified if it is declared so: `"app"."users"`.
    pub table: String,
    /// All columns that `table!` declares, in its order; empty without a model.
    pub columns: Vec<String>,
    /// The columns of the primary key.
    pub key: Vec<String>,
    /// The policy.
    pub policy: Policy,
    /// The kinds of the columns, in their order.
    pub(crate) kinds: Vec<ColumnKind>,
}

impl TableSpec {
    /// Used by `#[derive(Audited)]`.
    #[doc(hidden)]
    pub fn of<T>(table: T, model: &'static str, policy: Policy) -> Self
    where
        T: Table + QueryFragment<Pg>,
        T::AllColumns: QueryFragment<Pg>,
        Pg: QueryMetadata<SqlTypeOf<T::AllColumns>>,
        T::PrimaryKey: QueryFragment<Pg>,
    {
        Self {
            model: model.to_owned(),
            file: None,
            table: to_sql(&table),
            columns: last_names(&to_sql(&T::all_columns())),
            key: last_names(&to_sql(&table.primary_key())),
            policy,
            kinds: ColumnKind::of_all::<SqlTypeOf<T::AllColumns>>(),
        }
    }

    /// Creates the spec of a table without a Rust model, named as in SQL, declared in a
    /// file of this name.
    ///
    /// The database knows its columns. It checks them for secrets when the audit of the
    /// table begins.
    ///
    /// ```
    /// use threadline::{ColumnPolicy, Models, Policy, TableSpec};
    ///
    /// let mut policy = Policy::default();
    /// policy.column_policies = vec![("email".to_owned(), ColumnPolicy::Mask)];
    /// let spec = TableSpec::without_model("app.members", policy, "tables.toml");
    /// assert_eq!(
    ///     spec.audit_call(),
    ///     "SELECT threadline.audit(\n    'app.members',\n    mask => ARRAY['email']\n);"
    /// );
    /// let models = Models::new(vec![spec]);
    /// # let _ = models;
    /// ```
    pub fn without_model(
        table: impl Into<String>,
        policy: Policy,
        file: impl Into<String>,
    ) -> Self {
        let table = table.into();
        Self {
            model: table.clone(),
            file: Some(file.into()),
            table,
            columns: vec![],
            key: vec![],
            policy,
            kinds: vec![],
        }
    }

    /// Returns the statement that starts this audit of the table, as written in a
    /// migration.
    pub fn audit_call(&self) -> String {
        PolicyCall(self).to_string()
    }

    /// Returns the declaration of the table, for use in a sentence.
    pub(crate) fn declared_by(&self) -> String {
        match &self.file {
            Some(file) => file.clone(),
            None => format!("model `{}`", self.model),
        }
    }

    /// Returns the columns that would be recorded as they are, have names that suggest a
    /// secret (`password`, `api_key`, `card_number`) and types that allow one, and have no
    /// explicit policy. Booleans and instants are never secrets. Numbers rarely are:
    /// `card_number` is, but neither a count of `tokens` nor the `api_token_id` of a
    /// record. [`Models::check`](crate::Models::check) returns an error for them.
    ///
    /// ```
    /// # use threadline_test_server::doctest::*;
    /// use threadline::{Audited, AuditedModel};
    ///
    /// diesel::table! {
    ///     devices (id) { id -> BigInt, name -> Text, api_key -> Text, pin -> Integer, tokens -> Integer, }
    /// }
    ///
    /// #[derive(Audited)]
    /// #[diesel(table_name = devices)]
    /// struct Device;
    /// assert_eq!(Device::spec().undecided(), ["api_key", "pin"]);
    ///
    /// #[derive(Audited)]
    /// #[diesel(table_name = devices)]
    /// #[audited(exclude(api_key, pin))]
    /// struct Decided;
    /// assert!(Decided::spec().undecided().is_empty());
    /// ```
    pub fn undecided(&self) -> Vec<&str> {
        let recorded = |column: &str| {
            self.policy.columns.is_empty() || self.key.iter().any(|name| name == column)
        };
        self.columns
            .iter()
            .map(String::as_str)
            .enumerate()
            .filter(|&(place, column)| {
                let kind = self.kinds.get(place).copied().unwrap_or(ColumnKind::Any);
                looks_secret(column, kind) && recorded(column) && !self.policy.decides(column)
            })
            .map(|(_, column)| column)
            .collect()
    }
}

/// Returns the name of a table as in a policy: without quotes where it needs none.
#[doc(hidden)]
pub fn table_name<T: Table + QueryFragment<Pg>>(table: T) -> String {
    let part = |part: String| {
        let is_plain = part.starts_with(|c: char| c == '_' || c.is_ascii_lowercase())
            && part
                .chars()
                .all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit());
        match is_plain {
            true => part,
            false => format!("\"{}\"", part.replace('"', "\"\"")),
        }
    };
    let parts = name_parts(&to_sql(&table)).into_iter().map(part);
    parts.collect::<Vec<_>>().join(".")
}

/// Returns a fragment without bind parameters as SQL text.
pub(crate) fn to_sql(fragment: &impl QueryFragment<Pg>) -> String {
    use diesel::query_builder::QueryBuilder;

    let mut builder = PgQueryBuilder::default();
    fragment
        .to_sql(&mut builder, &Pg)
        .expect("names of tables and columns become SQL");
    builder.finish()
}
