//! Filters that are given by name and text: from a query string, a form, a command line.

use super::filter_error::FilterError;

/// Takes one filter's text.
pub type Take<F> = fn(&mut F, &str) -> Result<(), String>;

/// A filter with a name.
#[derive(Debug)]
pub struct NamedFilter<F> {
    pub name: &'static str,
    /// What it asks for, in a line.
    pub help: &'static str,
    /// Whether it is said by its name alone.
    pub is_flag: bool,
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
        take,
    }
}

/// A set of filters that has a list of all of them.
pub trait Filters: Sized + Default + 'static {
    /// What they narrow, over the flags of the program.
    const HEADING: &'static str;

    /// Every filter with a name: the one list of them.
    const ALL: &'static [NamedFilter<Self>];

    /// Sets one.
    fn set(&mut self, name: &str, text: &str) -> Result<(), FilterError> {
        let Some(filter) = Self::ALL.iter().find(|filter| filter.name == name) else {
            let allowed: Vec<_> = Self::ALL.iter().map(|filter| filter.name).collect();
            return Err(FilterError::Unknown {
                name: name.to_owned(),
                allowed: allowed.join(", "),
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

    /// Sets all that are given.
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
