use super::Expected;

/// All that a test expects, and how it is compared: made by [`in_order`], [`in_any_order`] or
/// [`among_others`].
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

/// Expects these changes and actions and no others, in this order. An array without a word
/// around it means the same.
///
/// Changes have an order among themselves, and actions among themselves: an action that is
/// recorded between two changes may stand anywhere.
pub fn in_order(expected: impl IntoIterator<Item = Expected>) -> Expectation {
    Expectation::new(expected, Order::AsGiven)
}

/// Expects these changes and actions and no others, in any order.
pub fn in_any_order(expected: impl IntoIterator<Item = Expected>) -> Expectation {
    Expectation::new(expected, Order::Any)
}

/// Expects these changes and actions, in any order, and does not mind others.
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
