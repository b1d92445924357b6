use std::marker::PhantomData;

use diesel::expression::{AsExpression, Expression, TypedExpressionType};
use diesel::pg::Pg;
use diesel::query_builder::QueryFragment;
use diesel::query_source::Column;
use diesel::sql_types::SqlType;

/// The shape of a primary key of one column.
#[derive(Debug)]
pub struct SingleKey<C>(PhantomData<C>);

/// The shape of a primary key of several columns, a tuple of them.
#[derive(Debug)]
pub struct CompositeKey<C>(PhantomData<C>);

/// Values of a key of a table whose key has the given shape: `42`, `&user.id`, `("acme",
/// 7)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of this model",
    label = "has another type or number of values than the model's primary key",
    note = "give the key's value, or for a composite key a tuple of its values in the order of the key",
    note = "a composite key is declared on the model: `#[diesel(primary_key(tenant, number))]`"
)]
pub trait KeyOf<Shape> {
    /// The values as a list of SQL expressions.
    type Values: QueryFragment<Pg> + Send;

    /// Converts the values into SQL.
    fn into_key(self) -> KeyExpression<Self::Values>;
}

/// The values of a key, as SQL.
#[derive(Debug)]
pub struct KeyExpression<V> {
    pub(crate) values: V,
}

#[diagnostic::do_not_recommend]
impl<C, K> KeyOf<SingleKey<C>> for K
where
    C: Column,
    C::SqlType: SqlType + TypedExpressionType,
    K: AsExpression<C::SqlType>,
    K::Expression: QueryFragment<Pg> + Send,
{
    type Values = (K::Expression,);

    fn into_key(self) -> KeyExpression<Self::Values> {
        KeyExpression {
            values: (self.as_expression(),),
        }
    }
}

macro_rules! composite_keys {
    ($($K:ident $C:ident $index:tt),+) => {
        #[diagnostic::do_not_recommend]
        impl<$($K, $C),+> KeyOf<CompositeKey<($($C,)+)>> for ($($K,)+)
        where
            $(
                $C: Column,
                <$C as Expression>::SqlType: SqlType + TypedExpressionType,
                $K: AsExpression<<$C as Expression>::SqlType>,
                $K::Expression: QueryFragment<Pg> + Send,
            )+
        {
            type Values = ($($K::Expression,)+);

            fn into_key(self) -> KeyExpression<Self::Values> {
                KeyExpression {
                    values: ($(self.$index.as_expression(),)+),
                    }
            }
        }
    };
}

composite_keys!(K0 C0 0, K1 C1 1);
composite_keys!(K0 C0 0, K1 C1 1, K2 C2 2);
composite_keys!(K0 C0 0, K1 C1 1, K2 C2 2, K3 C3 3);
composite_keys!(K0 C0 0, K1 C1 1, K2 C2 2, K3 C3 3, K4 C4 4);
composite_keys!(K0 C0 0, K1 C1 1, K2 C2 2, K3 C3 3, K4 C4 4, K5 C5 5);
composite_keys!(K0 C0 0, K1 C1 1, K2 C2 2, K3 C3 3, K4 C4 4, K5 C5 5, K6 C6 6);
composite_keys!(K0 C0 0, K1 C1 1, K2 C2 2, K3 C3 3, K4 C4 4, K5 C5 5, K6 C6 6, K7 C7 7);
