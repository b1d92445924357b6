//! How much of its data a page shows, so that its size is bounded whatever was recorded.

use maud::Markup;

/// The size in bytes of a list of changes on a page.
pub(crate) const LIST: usize = 70_000;

/// The size in bytes of the changes of a document: a report, or the preview of a revert.
pub(crate) const DOCUMENT: usize = 110_000;

/// How much of each change a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detail {
    /// The number of columns of a change.
    pub(crate) columns: usize,
    /// The number of characters of a value.
    pub(crate) characters: usize,
    /// Whether each value that is cut has a link to the full one. Without, the page of the
    /// change has these links.
    pub(crate) links: bool,
}

/// From the most to the least.
const LEVELS: [Detail; 7] = [
    level(20, 600, true),
    level(20, 200, true),
    level(8, 200, true),
    level(8, 60, false),
    level(5, 40, false),
    level(3, 30, false),
    level(1, 20, false),
];

const fn level(columns: usize, characters: usize, links: bool) -> Detail {
    Detail {
        columns,
        characters,
        links,
    }
}

impl Detail {
    /// Renders with at most this many columns of a change, and with as much detail as fits
    /// into a number of bytes.
    pub(crate) fn fitting(columns: usize, bytes: usize, render: impl Fn(Self) -> Markup) -> Markup {
        let levels = LEVELS.into_iter().map(|level| Self {
            columns: level.columns.min(columns),
            ..level
        });
        let mut smallest = Markup::default();
        for level in levels {
            smallest = render(level);
            if smallest.0.len() <= bytes {
                break;
            }
        }
        smallest
    }
}

#[cfg(test)]
mod tests {
    use maud::html;

    use super::*;

    #[test]
    fn the_most_detail_that_fits_is_shown() {
        let page = |values: usize| {
            Detail::fitting(8, 1_000, |detail| {
                let value = "x".repeat(detail.characters.min(500));
                html! { @for _ in 0..values.min(detail.columns) { (value) } }
            })
        };
        assert_eq!(page(1).0.len(), 500);
        assert_eq!(page(4).0.len(), 4 * 200);
        assert_eq!(page(9).0.len(), 8 * 60);
    }
}
