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
    let mentions = mentions(parts, text);
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
            ("mentions", &mentions),
            ("changed_from", &shown("changed_from")),
            ("changed_to", &shown("changed_to")),
            ("row_data", &shown("row_data")),
            ("text", &text),
        ],
    )
}

/// Returns a condition that is true of every change with the text in its images, and of some
/// others. It takes a fifth of the time of looking at each value: nearly all changes need no
/// second look.
fn mentions(parts: &mut Parts, text: &str) -> String {
    let images = ["changed_from", "changed_to", "row_data"]
        .map(shown)
        .join(", ");
    // A text is written with escapes, but structures inside of a value are not.
    let written = serde_json::Value::from(text).to_string();
    let written = written.get(1..written.len() - 1).unwrap_or_default();
    let mut ways = vec![text];
    if written != text {
        ways.push(written);
    }
    let ways: Vec<_> = ways
        .into_iter()
        .map(|way| {
            let way = parts.binds.text(way);
            format!("strpos(concat_ws(E'\\n', {images}), {way}) > 0")
        })
        .collect();
    format!("({})", ways.join(" OR "))
}
