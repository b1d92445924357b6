use diesel::Table;

use super::TableSpec;

/// A model whose table is audited, and how; implemented by
/// [`#[derive(Audited)]`](macro@crate::Audited). What can be asked about its records is
/// [`Audited`](trait@crate::Audited).
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
    /// The model's table.
    type Table: Table;
    /// The shape of the table's primary key.
    type Key;

    /// The model's table and policy.
    fn spec() -> TableSpec;
}
