use std::collections::BTreeMap;
use std::fmt::Debug;

use super::Difference;
use super::Expectation;
use super::compare::compare;
use crate::action::AuditAction;
use crate::record::AuditChange;

/// The changes and actions that a piece of code recorded, and its return value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what was recorded is compared by `assert_recorded!`"]
pub struct Recorded<T = ()> {
    /// The return value of the code.
    pub value: T,
    /// The changes, oldest first.
    pub changes: Vec<AuditChange>,
    /// The actions, oldest first.
    pub actions: Vec<AuditAction>,
    pub(super) columns: TableColumns,
}

/// The columns of the changed tables, by schema and name.
pub(super) type TableColumns = BTreeMap<(String, String), Vec<String>>;

impl<T> Recorded<T> {
    pub(super) fn with<V>(self, value: V) -> Recorded<V> {
        Recorded {
            value,
            changes: self.changes,
            actions: self.actions,
            columns: self.columns,
        }
    }

    /// Returns the changes that are recorded without an actor.
    pub fn unattributed(&self) -> Vec<&AuditChange> {
        let nobody = |change: &&AuditChange| change.actor().is_none();
        self.changes.iter().filter(nobody).collect()
    }

    /// Compares it with the expectations. The function behind
    /// [`assert_recorded!`](super::assert_recorded).
    ///
    /// # Errors
    ///
    /// Returns the differences, as a table.
    pub fn compare(&self, expected: impl Into<Expectation>) -> Result<(), Difference>
    where
        T: Debug,
    {
        compare(self, &expected.into())
    }

    /// Returns the error that the code returned, if any, because it can explain missing
    /// changes.
    pub(super) fn failure(&self) -> Option<String>
    where
        T: Debug,
    {
        let shown = format!("{:?}", self.value);
        shown.starts_with("Err(").then_some(shown)
    }
}
