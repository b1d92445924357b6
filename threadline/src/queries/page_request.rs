use super::actions::{Actions, actions};
use super::actor_history::{ActorHistory, actor_history};
use super::page::Cursor;
use super::timeline::{Timeline, timeline};
use crate::context::ActorRef;
use crate::error::Error;
use crate::filter::{ActionFilter, Filter, FilterError, Filters, NamedFilter, actor, named, once};

/// A page as requested by the query of a URL: which entries, how many, and after which
/// place.
///
/// The parameters are the names of [`Filter::parse`], those of [`ActionFilter::parse`] for
/// a `PageRequest<ActionFilter>`, or `actor` for a `PageRequest<ActorRef>`. `limit` and
/// `cursor` are always accepted; `cursor` takes [`Page::next`](crate::Page::next) of the
/// previous page.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Filter, PageRequest};
///
/// let query = "table=users&changed=email&from=2026-11-23T00%3A00%3A00Z&limit=20";
/// let request = PageRequest::<Filter>::from_query(query)?;
/// let page = request.timeline().page(conn)?;
/// println!("{}", serde_json::to_string(&page)?);
///
/// let error = PageRequest::<Filter>::from_query("limit=0").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "parameter `limit` cannot be `0`: it is a number from 1 to 500"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`PageRules`] sets other limits, and can keep parameters of your own.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PageRequest<Q = Filter> {
    /// The requested entries: a [`Filter`], an [`ActionFilter`], or an actor.
    pub query: Q,
    /// The maximum number of entries.
    pub limit: usize,
    /// The place after which the page begins.
    pub cursor: Option<Cursor>,
    /// All other parameters, decoded, if [`PageRules::keep_others`] is set.
    pub others: Vec<(String, String)>,
}

impl<Q: Question> PageRequest<Q> {
    /// Parses the query of a URL, without the text before it. Same as [`PageRules::read`]
    /// with the default rules.
    ///
    /// # Errors
    ///
    /// Same as [`PageRules::read`].
    pub fn from_query(query: &str) -> Result<Self, Error> {
        PageRules::new().read(query)
    }
}

impl PageRequest<Filter> {
    /// Returns the query for changes. Run it with [`Timeline::page`].
    pub fn timeline(self) -> Timeline {
        timeline(self.query).limit(self.limit).after(self.cursor)
    }
}

impl PageRequest<ActionFilter> {
    /// Returns the query for actions. Run it with [`Actions::page`].
    pub fn actions(self) -> Actions {
        actions(self.query).limit(self.limit).after(self.cursor)
    }
}

impl PageRequest<ActorRef> {
    /// Returns the query for the transactions of an actor. Run it with
    /// [`ActorHistory::page`].
    pub fn actor_history(self) -> ActorHistory {
        actor_history(&self.query)
            .limit(self.limit)
            .after(self.cursor)
    }
}

/// Rules for parsing a [`PageRequest`]: the limits of a page, and the handling of
/// parameters that do not belong to Threadline.
///
/// ```
/// use threadline::{ActionFilter, PageRules};
///
/// let rules = PageRules::new().limit(20).max_limit(100).keep_others();
/// let request = rules.read::<ActionFilter>("status=error&lang=de")?;
/// assert_eq!(request.limit, 20);
/// assert_eq!(request.others, [("lang".to_owned(), "de".to_owned())]);
///
/// let error = rules.read::<ActionFilter>("limit=1000").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "parameter `limit` cannot be `1000`: it is a number from 1 to 100"
/// );
/// # Ok::<(), threadline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "rules do nothing before `read`"]
pub struct PageRules {
    limit: usize,
    max_limit: usize,
    keeps_others: bool,
}

impl Default for PageRules {
    fn default() -> Self {
        Self {
            limit: 50,
            max_limit: 500,
            keeps_others: false,
        }
    }
}

impl PageRules {
    /// Creates the default rules: 50 entries in a page unless the query has a limit, at
    /// most 500, and only parameters of Threadline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of entries for a query without a limit.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the maximum number of entries. A query that requests more is refused.
    pub fn max_limit(mut self, limit: usize) -> Self {
        self.max_limit = limit;
        self
    }

    /// Keeps parameters that do not belong to Threadline in [`PageRequest::others`],
    /// instead of refusing them. A filter with a misspelt name is then ignored, and the
    /// result has more entries than intended.
    pub fn keep_others(mut self) -> Self {
        self.keeps_others = true;
        self
    }

    /// Parses the query of a URL, as `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    ///
    /// Same as [`read_pairs`](Self::read_pairs).
    pub fn read<Q: Question>(&self, query: &str) -> Result<PageRequest<Q>, Error> {
        let query = query.strip_prefix('?').unwrap_or(query);
        self.read_pairs(form_urlencoded::parse(query.as_bytes()))
    }

    /// Parses names and texts that are already decoded.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`FilterError`], which names the parameter
    /// ([`FilterError::parameter`]): an unknown parameter, with the known ones; a text that
    /// the parameter does not accept, with those that it does; a parameter that is missing
    /// or given twice; two parameters that exclude each other; a cursor of another kind of
    /// query.
    pub fn read_pairs<Q, N, T>(
        &self,
        pairs: impl IntoIterator<Item = (N, T)>,
    ) -> Result<PageRequest<Q>, Error>
    where
        Q: Question,
        N: AsRef<str>,
        T: AsRef<str>,
    {
        let mut filters = Q::Filters::default();
        let (mut limit, mut cursor, mut others) = (None, None, vec![]);
        for (name, text) in pairs {
            let (name, text) = (name.as_ref(), text.as_ref());
            let read = match name {
                LIMIT => once(&mut limit, self.limit_of(text)?),
                CURSOR => once(&mut cursor, cursor_of::<Q>(text)?),
                _ if Q::Filters::has(name) => {
                    filters.set(name, text)?;
                    Ok(())
                }
                _ if self.keeps_others => {
                    others.push((name.to_owned(), text.to_owned()));
                    Ok(())
                }
                _ => return Err(unknown::<Q>(name).into()),
            };
            read.map_err(|_| FilterError::Twice {
                name: name.to_owned(),
            })?;
        }
        Ok(PageRequest {
            query: Q::from_filters(filters)?,
            limit: limit.unwrap_or(self.limit.min(self.max_limit)),
            cursor,
            others,
        })
    }

    fn limit_of(&self, text: &str) -> Result<usize, FilterError> {
        text.parse()
            .ok()
            .filter(|limit| (1..=self.max_limit).contains(limit))
            .ok_or_else(|| FilterError::Parameter {
                name: LIMIT.to_owned(),
                value: text.to_owned(),
                message: format!("it is a number from 1 to {}", self.max_limit),
            })
    }
}

pub(crate) const LIMIT: &str = "limit";
pub(crate) const CURSOR: &str = "cursor";

fn cursor_of<Q: Question>(text: &str) -> Result<Cursor, FilterError> {
    text.parse()
        .and_then(|cursor| Q::takes(cursor).map(|()| cursor))
        .map_err(|_: Error| FilterError::Parameter {
            name: CURSOR.to_owned(),
            value: text.to_owned(),
            message: "it is not a cursor of this query; pass on what `next` of a page gave, unchanged, to the same query".to_owned(),
        })
}

fn unknown<Q: Question>(name: &str) -> FilterError {
    FilterError::UnknownParameter {
        name: name.to_owned(),
        allowed: format!("{}, {LIMIT}, {CURSOR}", Q::Filters::names()),
    }
}

/// The subject of a page request: a [`Filter`], an [`ActionFilter`] or an [`ActorRef`].
pub trait Question: Sized {
    /// Its parameters.
    #[doc(hidden)]
    type Filters: Filters;

    /// The parameters that it requires.
    #[doc(hidden)]
    const NEEDS: &'static [&'static str] = &[];

    /// Builds it from its parameters.
    #[doc(hidden)]
    fn from_filters(filters: Self::Filters) -> Result<Self, Error>;

    /// Checks that the cursor belongs to this kind of query.
    #[doc(hidden)]
    fn takes(cursor: Cursor) -> Result<(), Error>;
}

impl Question for Filter {
    type Filters = Self;

    fn from_filters(filters: Self) -> Result<Self, Error> {
        Ok(filters.checked()?)
    }

    fn takes(cursor: Cursor) -> Result<(), Error> {
        Cursor::change(Some(cursor)).map(|_| ())
    }
}

impl Question for ActionFilter {
    type Filters = Self;

    fn from_filters(filters: Self) -> Result<Self, Error> {
        Ok(filters.checked()?)
    }

    fn takes(cursor: Cursor) -> Result<(), Error> {
        Cursor::action(Some(cursor)).map(|_| ())
    }
}

/// The actor of an actor's history.
#[derive(Debug, Default)]
pub struct Whose(Option<ActorRef>);

impl Filters for Whose {
    const HEADING: &'static str = "Actor";

    const ALL: &'static [NamedFilter<Self>] = &[named(
        "actor",
        "The type and id of the actor, as in user:42, or anonymous",
        |whose, text| once(&mut whose.0, actor(text)?),
    )];
}

impl Question for ActorRef {
    type Filters = Whose;

    const NEEDS: &'static [&'static str] = &["actor"];

    fn from_filters(filters: Whose) -> Result<Self, Error> {
        filters.0.ok_or_else(|| {
            FilterError::Missing {
                name: "actor".to_owned(),
                message: "type and id, as in user:42, or anonymous".to_owned(),
            }
            .into()
        })
    }

    fn takes(cursor: Cursor) -> Result<(), Error> {
        Cursor::transaction(Some(cursor)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error<Q: Question + std::fmt::Debug>(query: &str) -> String {
        PageRequest::<Q>::from_query(query).unwrap_err().to_string()
    }

    #[test]
    fn every_mistake_names_the_parameter_and_what_is_allowed() {
        let errors = [
            error::<Filter>("user=42"),
            error::<Filter>("limit=0"),
            error::<Filter>("limit=501"),
            error::<Filter>("limit=many"),
            error::<Filter>("limit=-1"),
            error::<Filter>("limit=1&limit=2"),
            error::<Filter>("cursor=somewhere"),
            error::<Filter>("cursor=tl1-actor-2a"),
            error::<ActionFilter>("cursor=tl1-timeline-1-2-3"),
            error::<ActorRef>("actor=user%3A42&cursor=tl1-actions-1-2"),
            error::<ActorRef>("limit=5"),
            error::<ActorRef>("actor=42"),
            error::<ActorRef>("table=users&actor=user:42"),
            error::<Filter>("operation=upsert"),
            error::<Filter>("actor=user:1&actor_type=admin"),
            error::<ActionFilter>("table=users"),
        ];
        assert_eq!(
            errors.join("\n"),
            include_str!("page_request_errors.txt").trim_end()
        );
    }

    #[test]
    fn a_query_is_decoded_and_asks_what_the_texts_ask() {
        let request = PageRequest::<Filter>::from_query(
            "?table=%22Order%22&changed_to=note%3Da%2Bb+c%26d&actor=user%3Aj%C3%BCrgen&cursor=tl1-timeline-2a-7-5&limit=500",
        )
        .unwrap();
        let same = Filter::parse([
            ("table", "\"Order\""),
            ("changed_to", "note=a+b c&d"),
            ("actor", "user:jürgen"),
        ])
        .unwrap();
        assert_eq!(request.query, same);
        assert_eq!(request.limit, 500);
        assert_eq!(request.cursor, "tl1-timeline-2a-7-5".parse().ok());
        let nothing = PageRequest::<Filter>::from_query("").unwrap();
        assert_eq!((nothing.limit, nothing.cursor), (50, None));
        assert_eq!(nothing.query, Filter::new());
    }

    #[test]
    fn others_are_kept_by_choice_alone_and_filters_stay_filters() {
        let rules = PageRules::new().max_limit(10).keep_others();
        let request = rules.read::<Filter>("page=2&table=users&page=3").unwrap();
        assert_eq!(
            request.others,
            [("page", "2"), ("page", "3")].map(|(n, t)| (n.to_owned(), t.to_owned()))
        );
        assert_eq!(request.query, Filter::new().table("users"));
        // The default limit does not exceed the maximum.
        assert_eq!(request.limit, 10);
        assert!(rules.read::<Filter>("operation=upsert").is_err());
    }
}
