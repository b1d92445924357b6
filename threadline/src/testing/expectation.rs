use super::Expected;

/// Everything that a test expects, and how it is compared. [`in_order`], [`in_any_order`]
/// and [`among_others`] return it.
#[derive(Debug, Clone)]
#[must_use = "an expectation is compared by `assert_recorded!`"]
pub struct Expectation {
    pub(super) expected: Vec<Expected>,
    pub(super) order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    AsGiven,
    Any,
    AnyAmongOthers,
}

/// Expects exactly these changes and actions, in this order. A bare array means the same.
///
/// Changes are ordered among themselves, and so are actions. An action recorded between two
/// changes may be anywhere among the changes.
pub fn in_order(expected: impl IntoIterator<Item = Expected>) -> Expectation {
    Expectation::new(expected, Order::AsGiven)
}

/// Expects exactly these changes and actions, in any order.
pub fn in_any_order(expected: impl IntoIterator<Item = Expected>) -> Expectation {
    Expectation::new(expected, Order::Any)
}

/// Expects these changes and actions, in any order, and ignores others.
pub fn among_others(expected: impl IntoIterator<Item = Expected>) -> Expectation {
    Expectation::new(expected, Order::AnyAmongOthers)
}

impl Expectation {
    fn new(expected: impl IntoIterator<Item = Expected>, order: Order) -> Self {
        Self {
            expected: expected.into_iter().collect(),
            order,
        }
    }
}

impl<const N: usize> From<[Expected; N]> for Expectation {
    fn from(expected: [Expected; N]) -> Self {
        in_order(expected)
    }
}

impl From<Vec<Expected>> for Expectation {
    fn from(expected: Vec<Expected>) -> Self {
        in_order(expected)
    }
}
