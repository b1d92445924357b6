//! Filters given by name and text, from a query string, a form or a command line.

use super::error::FilterError;

/// Sets one filter from its text.
pub type Take<F> = fn(&mut F, &str) -> Result<(), String>;

/// A filter with a name.
#[derive(Debug)]
pub struct NamedFilter<F> {
    /// The name.
    pub name: &'static str,
    /// The help text, one line.
    pub help: &'static str,
    /// Whether it is given by its name alone.
    pub is_flag: bool,
    /// Whether it may be given several times.
    #[cfg_attr(not(feature = "utoipa"), expect(dead_code, reason = "OpenAPI's lists"))]
    pub(crate) repeats: bool,
    pub(crate) take: Take<F>,
}

pub(crate) const fn named<F>(
    name: &'static str,
    help: &'static str,
    take: Take<F>,
) -> NamedFilter<F> {
    NamedFilter {
        name,
        help,
        is_flag: false,
        repeats: false,
        take,
    }
}

/// A filter that sets the field of its name to its text, or to what is parsed from it.
macro_rules! field {
    ($field:ident, $help:expr) => {
        field!($field, $help, |text| Ok(text.to_owned()))
    };
    ($field:ident, $help:expr, $parse:expr) => {
        $crate::filter::named(stringify!($field), $help, |filter, text| {
            let parse: fn(&str) -> Result<_, String> = $parse;
            $crate::filter::once(&mut filter.$field, parse(text)?)
        })
    };
}

pub(crate) use field;

/// A filter that may be given several times.
pub(crate) const fn repeated<F>(
    name: &'static str,
    help: &'static str,
    take: Take<F>,
) -> NamedFilter<F> {
    NamedFilter {
        repeats: true,
        ..named(name, help, take)
    }
}

/// Such a filter, which adds what is parsed from its text to the list of its name.
macro_rules! list {
    ($field:ident, $help:expr, $parse:expr) => {
        $crate::filter::repeated(stringify!($field), $help, |filter, text| {
            let parse: fn(&str) -> Result<_, String> = $parse;
            filter.$field.push(parse(text)?);
            Ok(())
        })
    };
}

pub(crate) use list;

/// A set of named filters.
pub trait Filters: Sized + Default + 'static {
    /// The heading over the flags of the program.
    const HEADING: &'static str;

    /// The one list of all named filters.
    const ALL: &'static [NamedFilter<Self>];

    /// Returns whether there is a filter of this name.
    fn has(name: &str) -> bool {
        Self::ALL.iter().any(|filter| filter.name == name)
    }

    /// Returns the names of all filters.
    fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|filter| filter.name).collect();
        names.join(", ")
    }

    /// Sets one filter from its text.
    fn set(&mut self, name: &str, text: &str) -> Result<(), FilterError> {
        let Some(filter) = Self::ALL.iter().find(|filter| filter.name == name) else {
            return Err(FilterError::Unknown {
                name: name.to_owned(),
                allowed: Self::names(),
            });
        };
        (filter.take)(self, text).map_err(|message| {
            if message == TWICE {
                FilterError::Twice {
                    name: name.to_owned(),
                }
            } else {
                FilterError::Value {
                    name: name.to_owned(),
                    value: text.to_owned(),
                    message,
                }
            }
        })
    }

    /// Sets several filters from their texts.
    fn set_all<N: AsRef<str>, T: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        for (name, text) in pairs {
            filters.set(name.as_ref(), text.as_ref())?;
        }
        Ok(filters)
    }
}

/// The message of [`once`] for a second value.
pub(crate) const TWICE: &str = "given twice";

pub(crate) fn once<T>(place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(TWICE.to_owned()),
    }
}
