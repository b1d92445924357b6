use std::thread::sleep;
use std::time::Duration;

use crate::context::AuditConnection;
use crate::error::Error;
use crate::explore::{Bind, Typed};

use chrono::{DateTime, Utc};
use diesel::RunQueryDsl;
use diesel::sql_types::Bool;

/// Waits between questions, in milliseconds. What is not settled only because a
/// short transaction ended during the question is settled a moment later.
const WAITS: [u64; 5] = [2, 5, 10, 20, 40];

/// Asks until the answer is one that satisfies, or patience ends.
pub(crate) fn patiently<T>(
    mut ask: impl FnMut() -> Result<T, Error>,
    satisfies: impl Fn(&T) -> bool,
) -> Result<T, Error> {
    let mut answer = ask()?;
    for wait in WAITS {
        if satisfies(&answer) {
            break;
        }
        sleep(Duration::from_millis(wait));
        answer = ask()?;
    }
    Ok(answer)
}

/// Waits a moment for an instant to be settled.
pub(crate) fn wait_for<C: AuditConnection>(
    conn: &mut C,
    instant: DateTime<Utc>,
) -> Result<(), Error> {
    let ask = || {
        Typed::<Bool>::new("SELECT threadline.settled({0})", [Bind::Instant(instant)])
            .get_result::<bool>(conn)
            .map_err(|error| Error::reading(conn, error))
    };
    patiently(ask, |settled| *settled).map(|_| ())
}
