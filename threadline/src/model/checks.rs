//! Compile-time checks of `#[derive(Audited)]`.

use diesel::query_source::Column;

/// A primary key of one column.
#[diagnostic::on_unimplemented(
    message = "the primary key of this model's table has several columns",
    label = "declare the key on the model: `#[diesel(primary_key(first, second))]`",
    note = "in `table!` it is `{Self}`"
)]
pub trait SinglePrimaryKey {
    /// The name of the column.
    const NAME: &'static str;
}

#[diagnostic::do_not_recommend]
impl<C: Column> SinglePrimaryKey for C {
    const NAME: &'static str = <C as Column>::NAME;
}

/// Returns the name of the one column of the key.
pub const fn single_key_name<K: SinglePrimaryKey>() -> &'static str {
    K::NAME
}

/// The primary key of a table that a model declares as `K`.
#[diagnostic::on_unimplemented(
    message = "the model's `primary_key` is not the one that `table!` declares",
    label = "in `table!` the key is `{Self}`",
    note = "name the columns of the table's primary key, in its order"
)]
pub trait DeclaredAs<K> {}

impl<K> DeclaredAs<K> for K {}

/// Compiles only if the primary key of the table is the given one.
pub fn assert_key<Key: DeclaredAs<K>, K>() {}

/// Returns whether two names are equal.
pub const fn same_name(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut position = 0;
    while position < one.len() {
        if one[position] != other[position] {
            return false;
        }
        position += 1;
    }
    true
}
