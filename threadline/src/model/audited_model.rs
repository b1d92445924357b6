use diesel::Table;

use super::TableSpec;

/// A model whose table is audited, with its policy.
/// [`#[derive(Audited)]`](macro@crate::Audited) implements it.
/// [`Audited`](trait@crate::Audited) has the queries on its records.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// use threadline::AuditedModel;
///
/// assert_eq!(User::spec().table, r#""users""#);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an audited model",
    label = "this model is not audited",
    note = "add `#[derive(threadline::Audited)]` next to `#[diesel(table_name = ...)]`"
)]
pub trait AuditedModel: Sized {
    /// The table of the model.
    type Table: Table;
    /// The shape of the primary key of the table.
    type Key;

    /// Returns the table and the policy of the model.
    fn spec() -> TableSpec;
}
