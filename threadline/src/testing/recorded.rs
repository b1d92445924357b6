use std::fmt::Debug;

use super::Difference;
use super::Expectation;
use super::compare::compare;
use crate::action::AuditAction;
use crate::record::AuditChange;

/// What a piece of code recorded, and what it returned.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what was recorded is compared by `assert_recorded!`"]
pub struct Recorded<T = ()> {
    /// What the code returned.
    pub value: T,
    /// The changes, the first one first.
    pub changes: Vec<AuditChange>,
    /// The actions, the first one first.
    pub actions: Vec<AuditAction>,
}

impl<T> Recorded<T> {
    pub(super) fn new(value: T, changes: Vec<AuditChange>, actions: Vec<AuditAction>) -> Self {
        Self {
            value,
            changes,
            actions,
        }
    }

    pub(super) fn with<V>(self, value: V) -> Recorded<V> {
        Recorded::new(value, self.changes, self.actions)
    }

    /// The changes that are recorded without an actor.
    pub fn unattributed(&self) -> Vec<&AuditChange> {
        let nobody = |change: &&AuditChange| change.actor().is_none();
        self.changes.iter().filter(nobody).collect()
    }

    /// Compares it with what is expected; [`assert_recorded!`](super::assert_recorded) as a
    /// function.
    ///
    /// # Errors
    ///
    /// What differs, as a table to read.
    pub fn compare(&self, expected: impl Into<Expectation>) -> Result<(), Difference>
    where
        T: Debug,
    {
        compare(self, &expected.into())
    }

    /// What the code returned, if that was an error: it explains what is missing.
    pub(super) fn failure(&self) -> Option<String>
    where
        T: Debug,
    {
        let shown = format!("{:?}", self.value);
        shown.starts_with("Err(").then_some(shown)
    }
}
