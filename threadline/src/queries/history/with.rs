use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text};
use diesel::{Column, RunQueryDsl};

use super::{History, RECORD_CHANGES};
use crate::error::Error;
use crate::filter::FilterError;
use crate::record::ChangeSql;
use crate::statement::{self, query_of_columns};

/// How rows of another table refer to a record: the referring columns.
/// [`Audited::of`](crate::Audited::of) and
/// [`Audited::referring`](crate::Audited::referring) return it, or it is parsed from text,
/// written as in SQL:
///
/// | text | meaning |
/// |---|---|
/// | `posts` | by the one foreign key of `posts` to the record's table |
/// | `posts.user_id`, `app.posts.user_id` | by this column |
/// | `posts(tenant, author)` | by several columns, in the order of the record's key |
/// | `versions.crate_id/dependencies.version_id` | the rows that refer to it, and those that refer to these |
///
/// ```
/// use threadline::Referring;
///
/// let versions: Referring = "versions.crate_id".parse()?;
/// let dependencies = versions.then("dependencies.version_id".parse()?);
/// assert_eq!(dependencies.to_string(), "versions.crate_id/dependencies.version_id");
/// # Ok::<(), threadline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referring(String);

impl Referring {
    pub(crate) fn by_column<C: Column>(table: &str) -> Self {
        Self(format!("{table}.\"{}\"", C::NAME.replace('"', "\"\"")))
    }

    pub(crate) fn by_foreign_key(table: String) -> Self {
        Self(table)
    }

    /// Adds the rows that refer to the rows of this reference.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self(format!("{}/{}", self.0, next.0))
    }
}

/// Writes the text that it is parsed from.
impl std::fmt::Display for Referring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses the text. The names are looked up only when the query runs.
impl std::str::FromStr for Referring {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.split('/').any(|step| step.trim().is_empty()) {
            return Err(FilterError::Value {
                name: "with".to_owned(),
                value: text.to_owned(),
                message: "a reference is a table, or a table and its column: posts, posts.user_id"
                    .to_owned(),
            }
            .into());
        }
        Ok(Self(text.to_owned()))
    }
}

/// The history of a record with those of the rows that referred to it at the time.
/// [`History::with`] returns it.
#[derive(Debug)]
#[must_use = "a query does nothing until you call `page(conn)` or `load(conn)`"]
pub struct HistoryWith<M, V> {
    pub(crate) history: History<M, V>,
    paths: Vec<String>,
}

impl<M, V> History<M, V> {
    /// Adds the changes of the rows that referred to the record at the time, in one
    /// timeline, newest first.
    ///
    /// A row belongs to the record from the change that made it refer to the record until
    /// the change that ended this, or until its deletion. Both changes are included, and
    /// [`TimelineEntry::references`](crate::TimelineEntry::references) marks them. A record
    /// that had another key before is followed to it. References from before the audit are
    /// inferred from the first change that shows them, or from the present row, which
    /// requires the privilege to read the table.
    ///
    /// The rows are searched among all recorded changes of their table, at about 1 ms for
    /// 1,000 changes. After `SELECT threadline.index_reference('posts', 'user_id')`, an
    /// index is used.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// # diesel::table! { posts (id) { id -> BigInt, user_id -> BigInt, title -> Text, } }
    /// # #[derive(threadline::Audited)]
    /// # #[diesel(table_name = posts)]
    /// # #[allow(dead_code)]
    /// # struct Post { id: i64, user_id: i64, title: String }
    /// # diesel::sql_query("CREATE TABLE posts (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, title text NOT NULL)").execute(conn).unwrap();
    /// # diesel::sql_query("SELECT threadline.audit('posts')").execute(conn).unwrap();
    /// # diesel::sql_query("INSERT INTO posts VALUES (7, 42, 'On engines')").execute(conn).unwrap();
    /// use threadline::{Audited, History};
    ///
    /// let page = History::<User, _>::of_key(42)
    ///     .with([Post::of(posts::user_id)])
    ///     .limit(20)
    ///     .page(conn)?;
    /// for entry in &page.entries {
    ///     println!("{}", entry.change);
    ///     for reference in &entry.references {
    ///         println!("    {reference}");
    ///     }
    /// }
    /// # assert_eq!(page.entries.len(), 2);
    /// # Ok::<(), threadline::Error>(())
    /// ```
    pub fn with(self, referring: impl IntoIterator<Item = Referring>) -> HistoryWith<M, V> {
        HistoryWith {
            history: self,
            paths: referring.into_iter().map(|path| path.0).collect(),
        }
    }
}

impl<M, V> HistoryWith<M, V> {
    /// Returns the same query with a future that does not depend on the model.
    pub(crate) fn without_model(self) -> HistoryWith<(), V> {
        HistoryWith {
            history: self.history.without_model(),
            paths: self.paths,
        }
    }

    /// Sets the maximum number of changes, the newest ones. By default,
    /// [`load`](Self::load) returns all and a [`page`](Self::page) has 50.
    pub fn limit(mut self, limit: usize) -> Self {
        self.history = self.history.limit(limit);
        self
    }
}

/// A change, and how its row referred to the record.
pub(crate) type ReferringSql = (ChangeSql, Nullable<Jsonb>);

query_of_columns!(HistoryWith<M, V>: ReferringSql);

impl<M, V, C> RunQueryDsl<C> for HistoryWith<M, V> {}

impl<M, V: QueryFragment<Pg>> QueryFragment<Pg> for HistoryWith<M, V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let history = &self.history;
        statement::walk(&mut out, RECORD_CHANGES, |name, out| {
            history.fill(name, out)
        })?;
        statement::walk(&mut out, include_str!("with.sql"), |name, out| {
            match name {
                "paths" => return out.push_bind_param::<Array<Text>, _>(&self.paths),
                "before" => match &history.before {
                    Some(before) => return out.push_bind_param::<BigInt, _>(before),
                    None => out.push_sql(&i64::MAX.to_string()),
                },
                "at most" => match history.limit {
                    Some(limit) => out.push_sql(&limit.to_string()),
                    None => out.push_sql("NULL"),
                },
                _ => return history.fill(name, out),
            }
            Ok(())
        })
    }
}
