//! What `#[derive(Audited)]` lets the compiler check.

use diesel::Table;
use diesel::query_source::Column;

/// A primary key of one column.
#[diagnostic::on_unimplemented(
    message = "the primary key of this model's table has several columns",
    label = "declare the key on the model: `#[diesel(primary_key(first, second))]`"
)]
pub trait SinglePrimaryKey {}

impl<C: Column> SinglePrimaryKey for C {}

/// Compiles when the key has one column.
pub fn assert_single_key<K: SinglePrimaryKey>() {}

/// A table with the given primary key.
#[diagnostic::on_unimplemented(
    message = "the model's `primary_key` is not the one that `table!` declares",
    label = "name the columns of the table's primary key, in its order"
)]
pub trait HasKey<K> {}

impl<T: Table> HasKey<T::PrimaryKey> for T {}

/// Compiles when the table's primary key is the given one.
pub fn assert_key<T: HasKey<K>, K>() {}

/// Whether a column is the table's primary key.
pub const fn is_key_column<T, C>() -> bool
where
    T: Table,
    T::PrimaryKey: Column,
    C: Column,
{
    let (key, column) = (
        <T::PrimaryKey as Column>::NAME.as_bytes(),
        C::NAME.as_bytes(),
    );
    if key.len() != column.len() {
        return false;
    }
    let mut position = 0;
    while position < key.len() {
        if key[position] != column[position] {
            return false;
        }
        position += 1;
    }
    true
}
