//! Test helpers: assert what the audit records.
//!
//! [`recorded`](fn@recorded) returns the changes and actions of a block of code,
//! [`assert_recorded!`] compares them with expectations, [`context`](fn@context) and
//! [`fixtures`] set the actor in a test, and [`Attributed`] fails a test that writes
//! without an actor. The [guide](crate::docs::testing) shows how to combine them.

mod attributed;
mod compare;
mod context;
mod difference;
mod expectation;
mod expected;
mod got;
mod recorded;
mod recording;

pub use attributed::Attributed;
#[doc(hidden)]
pub use attributed::require_actors;
#[cfg(feature = "diesel-async")]
pub use context::fixtures_async;
pub use context::{context, fixtures, recorded_under};
pub use difference::Difference;
pub use expectation::{Expectation, among_others, in_any_order, in_order};
pub use expected::{Expected, action, delete, insert, truncate, update};
pub use recorded::Recorded;
#[cfg(feature = "diesel-async")]
pub use recording::recorded_async;
pub use recording::{Recording, recorded};

#[doc(inline)]
pub use crate::{
    __assert_no_unattributed as assert_no_unattributed, __assert_recorded as assert_recorded,
};

/// Asserts that the [`recorded`](fn@crate::testing::recorded) changes and actions are the
/// expected ones.
///
/// A bare array expects exactly these, in this order; see also
/// [`in_any_order`](crate::testing::in_any_order) and
/// [`among_others`](crate::testing::among_others).
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::testing::{assert_recorded, delete, recorded};
///
/// let recorded = recorded(conn, |conn| diesel::delete(users::table).execute(conn));
/// assert_recorded!(recorded, [
///     delete("users", 42).was("name", "Ada").masked("email").by_nobody(),
/// ]);
/// ```
///
/// # Panics
///
/// Panics if they differ. The message shows both side by side.
#[doc(hidden)]
#[macro_export]
macro_rules! __assert_recorded {
    ($recorded:expr, $expected:expr $(,)?) => {
        if let Err(difference) = $crate::testing::Recorded::compare(&$recorded, $expected) {
            ::std::panic!("{difference}");
        }
    };
}

/// Asserts that none of the [`recorded`](fn@crate::testing::recorded) changes was written
/// without an actor.
///
/// ```should_panic
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::testing::{assert_no_unattributed, recorded};
///
/// let recorded = recorded(conn, |conn| diesel::delete(users::table).execute(conn));
/// assert_no_unattributed!(recorded);
/// ```
///
/// # Panics
///
/// Panics if one was. The message names the changes.
#[doc(hidden)]
#[macro_export]
macro_rules! __assert_no_unattributed {
    ($recorded:expr $(,)?) => {
        $crate::testing::require_actors(&$recorded)
    };
}
