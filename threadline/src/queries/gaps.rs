//! What may be missing in the history of a record.

use super::known_table::{FormerKey, KnownTable, UnseenRemoval, unseen_removals};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::record::{AuditChange, Operation};

/// What a page of a record's history does not show.
#[derive(Debug, Default)]
pub struct Gaps {
    /// The removals of unknown rows that came while the record was there.
    pub removals: Vec<UnseenRemoval>,
    /// The key that the table had before, if earlier changes of the record have it.
    pub former_key: Option<FormerKey>,
}

impl Gaps {
    /// Finds the gaps in a page of the history of one record, newest change first.
    ///
    /// # Errors
    ///
    /// Returns an error if the query fails.
    pub async fn find<C: AuditConnection>(
        conn: &mut C,
        name: &str,
        table: &KnownTable,
        changes: &[&AuditChange],
        (is_first, is_last): (bool, bool),
    ) -> Result<Self, Error> {
        let Some((newest, oldest)) = changes.first().zip(changes.last()) else {
            return Ok(Self::default());
        };
        let was_there = |removal: &UnseenRemoval| {
            let before = changes.iter().find(|change| change.id < removal.id);
            (is_first || removal.id < newest.id)
                && before.is_some_and(|change| {
                    !matches!(change.operation, Operation::Delete | Operation::Truncate)
                })
        };
        let mut removals = unseen_removals(conn, name).await?;
        removals.retain(was_there);
        let begins = is_last && oldest.operation != Operation::Insert;
        let former_key = table.former_keys.last().cloned();
        Ok(Self {
            removals,
            former_key: former_key.filter(|former| begins && oldest.captured_at > former.until),
        })
    }
}
