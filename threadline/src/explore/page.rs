use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// A part of a long answer, and where the next part begins.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page<T> {
    /// The entries, newest first.
    pub entries: Vec<T>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
    /// Whether there is more.
    pub has_more: bool,
}

/// Where a page ended. Opaque: to be passed on as text and given back
/// unchanged to the same query. It names a place and not a count, so that
/// what is recorded meanwhile moves nothing.
///
/// ```
/// use threadline::Cursor;
///
/// assert!("somewhere".parse::<Cursor>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) query: CursorQuery,
    pub(super) before: i64,
}

/// Which query a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CursorQuery {
    ActorHistory,
}

/// The version comes first, so that a later one can tell.
const ACTOR_HISTORY: &str = "tl1-actor-";

impl Cursor {
    /// Where to start for a query: after the given cursor, which must be one
    /// of that query's.
    pub(super) fn start(cursor: Option<Self>, query: CursorQuery) -> Result<i64, Error> {
        match cursor {
            None => Ok(i64::MAX),
            Some(cursor) if cursor.query == query => Ok(cursor.before),
            Some(cursor) => Err(not_a_cursor(&cursor.to_string())),
        }
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` of the entries, of which one more was asked
    /// for than is given.
    pub(super) fn cut(
        mut entries: Vec<T>,
        limit: usize,
        query: CursorQuery,
        place: impl Fn(&T) -> i64,
    ) -> Self {
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(|last| Cursor {
            query,
            before: place(last),
        });
        Self {
            entries,
            next,
            has_more,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.query {
            CursorQuery::ActorHistory => write!(f, "{ACTOR_HISTORY}{:x}", self.before),
        }
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.strip_prefix(ACTOR_HISTORY)
            .and_then(|place| i64::from_str_radix(place, 16).ok())
            .map(|before| Self {
                query: CursorQuery::ActorHistory,
                before,
            })
            .ok_or_else(|| not_a_cursor(text))
    }
}

fn not_a_cursor(text: &str) -> Error {
    Error::new(ErrorKind::Cursor {
        text: text.to_owned(),
    })
}
