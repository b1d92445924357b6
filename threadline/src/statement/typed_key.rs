use std::fmt;
use std::sync::Arc;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;

use crate::model::KeyExpression;

/// The values of a key as SQL.
#[derive(Clone)]
pub(crate) struct TypedKey(Arc<dyn QueryFragment<Pg> + Send + Sync>);

impl TypedKey {
    pub(crate) fn new<V>(key: KeyExpression<V>) -> Self
    where
        V: QueryFragment<Pg> + Send + Sync + 'static,
    {
        Self(Arc::new(key.values))
    }

    pub(crate) fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

impl fmt::Debug for TypedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", diesel::debug_query::<Pg, _>(&&*self.0))
    }
}

/// Compares the debug output: the SQL and the bound values.
impl PartialEq for TypedKey {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}
