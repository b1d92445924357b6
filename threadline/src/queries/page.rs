use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use crate::action::AuditAction;
use crate::error::{Error, ErrorKind};
use crate::forms::FormatVersion;

/// A part of a long result, and the place where the next part begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "Page_{T}")
)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Page<T> {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// The entries, newest first.
    pub entries: Vec<T>,
    /// The cursor of the next page, if there is one. Empty for a page with a limit of 0.
    #[cfg_attr(feature = "schemars", schemars(with = "Option<String>"))]
    pub next: Option<Cursor>,
    /// Whether there are more entries.
    pub has_more: bool,
    /// Actions that a result made of changes would hide: the matching actions that no entry
    /// can show, newest first, in the time range of the page. At most as many as the limit
    /// of the page. Empty in pages that show every action among their entries.
    #[serde(default)]
    pub other_actions: Vec<AuditAction>,
    /// Whether there are more of these actions. [`actions`](crate::actions) returns them
    /// all.
    #[serde(default)]
    pub has_more_actions: bool,
}

/// The page of a result that a query returns.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) limit: usize,
    pub(super) after: Option<Cursor>,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            limit: 50,
            after: None,
        }
    }
}

/// Writes the methods of a query that choose its [`Section`].
macro_rules! section_methods {
    ($query:ident, $entries:literal) => {
        impl $query {
            #[doc = concat!("Sets the maximum number of ", $entries, "; the default is 50. A page with a")]
            /// limit of 0 shows whether there are any, but has no cursor.
            pub fn limit(mut self, limit: usize) -> Self {
                self.section.limit = limit;
                self
            }

            /// Continues after the page that returned this cursor.
            pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
                self.section.after = cursor.into();
                self
            }
        }
    };
}

pub(super) use section_methods;

/// Returns the number of rows to read for a page: one more than its limit, which shows
/// whether there are more.
pub(super) fn rows_for(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// The place where a page ended. Opaque: pass it on as text, and give it back unchanged to
/// the same query. It names a place, not a count, so new entries do not shift the pages.
///
/// ```
/// use threadline::Cursor;
///
/// assert!("somewhere".parse::<Cursor>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(Place);

/// The place of an entry in the order of its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In an actor's history.
    Transaction(i64),
    /// In a timeline.
    Change(ChangePlace),
    /// Among actions.
    Action(ActionPlace),
    /// In the history of a record.
    Record(i64),
}

/// The place of a change in a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChangePlace {
    pub(crate) transaction: i64,
    pub(crate) change: i64,
    /// The time of capture, in microseconds since 1970, which orders the change among
    /// actions without changes.
    pub(crate) microseconds: i64,
}

/// The place of an action among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActionPlace {
    /// The time of recording, in microseconds since 1970.
    pub(crate) microseconds: i64,
    pub(crate) action: i64,
}

// The version comes first, so that later versions can tell formats apart.
const ACTOR_HISTORY: &str = "tl1-actor-";
const TIMELINE: &str = "tl1-timeline-";
const ACTIONS: &str = "tl1-actions-";
const HISTORY: &str = "tl1-history-";

impl Cursor {
    /// Returns the place if it belongs to the history of an actor.
    pub(super) fn transaction(cursor: Option<Self>) -> Result<Option<i64>, Error> {
        match cursor {
            None => Ok(None),
            Some(Self(Place::Transaction(id))) => Ok(Some(id)),
            Some(other) => Err(not_a_cursor(&other.to_string())),
        }
    }

    /// Returns the place if it belongs to a timeline.
    pub(super) fn change(cursor: Option<Self>) -> Result<Option<ChangePlace>, Error> {
        match cursor {
            None => Ok(None),
            Some(Self(Place::Change(place))) => Ok(Some(place)),
            Some(other) => Err(not_a_cursor(&other.to_string())),
        }
    }

    /// Returns the place if it belongs to a query for actions.
    pub(super) fn action(cursor: Option<Self>) -> Result<Option<ActionPlace>, Error> {
        match cursor {
            None => Ok(None),
            Some(Self(Place::Action(place))) => Ok(Some(place)),
            Some(other) => Err(not_a_cursor(&other.to_string())),
        }
    }

    /// Returns the place if it belongs to the history of a record.
    pub(crate) fn record(cursor: Option<Self>) -> Result<Option<i64>, Error> {
        match cursor {
            None => Ok(None),
            Some(Self(Place::Record(id))) => Ok(Some(id)),
            Some(other) => Err(not_a_cursor(&other.to_string())),
        }
    }
}

impl<T> Page<T> {
    /// Builds a page of at most `limit` entries. The query fetched one entry more than
    /// that.
    pub(super) fn cut(mut entries: Vec<T>, limit: usize, place: impl Fn(&T) -> Place) -> Self {
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(place).map(Cursor);
        Self {
            format_version: FormatVersion::default(),
            entries,
            next,
            has_more,
            other_actions: vec![],
            has_more_actions: false,
        }
    }

    /// Continues the page at a place where its search ended.
    pub(super) fn continued_at(self, place: Place) -> Self {
        Self {
            next: Some(Cursor(place)),
            has_more: true,
            ..self
        }
    }

    /// Adds the actions that no entry shows. The query fetched one more than the limit.
    pub(super) fn with_other_actions(
        mut self,
        mut actions: Vec<AuditAction>,
        limit: usize,
    ) -> Self {
        self.has_more_actions = actions.len() > limit;
        actions.truncate(limit);
        self.other_actions = actions;
        self
    }

    /// Returns whether nothing matched.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.other_actions.is_empty()
    }

    /// Maps the entries of the page.
    pub(super) fn map<U>(self, entry: impl FnMut(T) -> U) -> Page<U> {
        Page {
            format_version: self.format_version,
            entries: self.entries.into_iter().map(entry).collect(),
            next: self.next,
            has_more: self.has_more,
            other_actions: self.other_actions,
            has_more_actions: self.has_more_actions,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Transaction(id) => write!(f, "{ACTOR_HISTORY}{id:x}"),
            Place::Change(ChangePlace {
                transaction,
                change,
                microseconds,
            }) => write!(f, "{TIMELINE}{transaction:x}-{change:x}-{microseconds:x}"),
            Place::Action(ActionPlace {
                microseconds,
                action,
            }) => write!(f, "{ACTIONS}{microseconds:x}-{action:x}"),
            Place::Record(id) => write!(f, "{HISTORY}{id:x}"),
        }
    }
}

/// Serializes as text.
impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Deserializes from text.
impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let id = |text: &str| i64::from_str_radix(text, 16).ok().filter(|id| *id >= 0);
        // Parses the two's complement form in which it is written.
        let microseconds = |text: &str| {
            let bits = u64::from_str_radix(text, 16).ok()?;
            Some(i64::from_ne_bytes(bits.to_ne_bytes()))
        };
        let transaction =
            |text: &str| Some(Place::Transaction(id(text.strip_prefix(ACTOR_HISTORY)?)?));
        let change = |text: &str| {
            let (transaction, rest) = text.strip_prefix(TIMELINE)?.split_once('-')?;
            let (change, time) = rest.split_once('-')?;
            Some(Place::Change(ChangePlace {
                transaction: id(transaction)?,
                change: id(change)?,
                microseconds: microseconds(time)?,
            }))
        };
        let action = |text: &str| {
            let (time, action) = text.strip_prefix(ACTIONS)?.split_once('-')?;
            Some(Place::Action(ActionPlace {
                microseconds: microseconds(time)?,
                action: id(action)?,
            }))
        };
        let record = |text: &str| Some(Place::Record(id(text.strip_prefix(HISTORY)?)?));
        transaction(text)
            .or_else(|| change(text))
            .or_else(|| action(text))
            .or_else(|| record(text))
            .map(Self)
            .ok_or_else(|| not_a_cursor(text))
    }
}

fn not_a_cursor(text: &str) -> Error {
    Error::new(ErrorKind::Cursor {
        text: text.to_owned(),
    })
}
