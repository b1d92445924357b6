//! Conditions on a text anywhere in the recorded data of a change.

use super::query::{Parts, Plan};
use super::values::shown;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::{Filter, FilterError};
use crate::run;
use crate::statement::filled;

/// The maximum number of changes to search.
const CAP: usize = 100_000;

/// Returns an error if the rest of the filter leaves too many changes to search.
pub(super) async fn check_number<C: AuditConnection>(
    conn: &mut C,
    rest: &Filter,
) -> Result<(), Error> {
    // Boxed, because a plan may need this number, which makes the future recursive.
    let plan = Box::pin(Plan::new(conn, rest)).await?;
    let count: Vec<i64> = run::read(conn, plan.count(Some(CAP + 1))).await?;
    let count = count.first().map_or(0, |count| count.unsigned_abs());
    if count > CAP as u64 {
        return Err(FilterError::TextCap { cap: CAP }.into());
    }
    Ok(())
}

pub(super) fn condition(
    parts: &mut Parts,
    text: &str,
    of_rows_alone: bool,
    transaction_bounds: &str,
    action_bounds: &str,
) -> String {
    let text = parts.binds.text(text);
    let sql = if of_rows_alone {
        include_str!("text_of_rows.sql")
    } else {
        include_str!("text.sql")
    };
    filled(
        sql.trim_end(),
        &[
            ("transaction bounds", transaction_bounds),
            ("action bounds", action_bounds),
            ("changed_from", &shown("changed_from")),
            ("changed_to", &shown("changed_to")),
            ("row_data", &shown("row_data")),
            ("text", &text),
        ],
    )
}
