//! Filters that are given by name and text: from a query string, a form, a command line.

use super::error::FilterError;

/// Takes one filter's text.
pub type Take<F> = fn(&mut F, &str) -> Result<(), String>;

/// A filter with a name.
#[derive(Debug)]
pub struct NamedFilter<F> {
    /// The name.
    pub name: &'static str,
    /// What it asks for, in a line.
    pub help: &'static str,
    /// Whether it is said by its name alone.
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

/// One that may be given several times.
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

/// A set of filters that has a list of all of them.
pub trait Filters: Sized + Default + 'static {
    /// What they narrow, over the flags of the program.
    const HEADING: &'static str;

    /// Every filter with a name: the one list of them.
    const ALL: &'static [NamedFilter<Self>];

    /// Whether there is a filter of this name.
    fn has(name: &str) -> bool {
        Self::ALL.iter().any(|filter| filter.name == name)
    }

    /// The names of all of them.
    fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|filter| filter.name).collect();
        names.join(", ")
    }

    /// Takes the text of a filter.
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

    /// Takes the texts of several.
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

/// What [`once`] says of a second value.
pub(crate) const TWICE: &str = "given twice";

pub(crate) fn once<T>(place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(TWICE.to_owned()),
    }
}
