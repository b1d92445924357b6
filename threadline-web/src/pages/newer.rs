//! The number of changes that a timeline does not show yet.

use axum::Json;
use serde_json::{Value, json};

use crate::failure::{ApiFailure, Failure};
use crate::pool::Pool;
use crate::query::Query;
use crate::view::changes::{Seen, place};
use crate::visit::{Parameters, Visit};

/// The maximum number of changes that are counted.
const COUNTED: usize = 50;

/// Counts the changes above the one that a page begins with, within the scope and the search.
pub(crate) async fn count<P: Pool>(visit: Visit<P>) -> Result<Json<Value>, ApiFailure> {
    let query = Query::parse(visit.parameters.get("q").unwrap_or_default());
    let filter = query.filter(visit.now)?;
    let seen = seen(&visit.parameters)?;
    let (page, _) = visit
        .read(move |audit| audit.search(filter, COUNTED + 1, None))
        .await?;
    let places = page.entries.iter().map(|entry| place(&entry.change));
    let newer = places.take_while(|place| Some(*place) != seen).count();
    Ok(Json(json!({
        "changes": newer.min(COUNTED),
        "more": newer > COUNTED,
    })))
}

/// Reads the place of the change that a page begins with: `53128-991`, or `0` for an empty
/// page.
pub(super) fn seen(parameters: &Parameters) -> Result<Option<Seen>, Failure> {
    let Some(text) = parameters.get("seen").filter(|text| *text != "0") else {
        return Ok(None);
    };
    let place = text
        .split_once('-')
        .and_then(|(transaction, change)| Some((transaction.parse().ok()?, change.parse().ok()?)));
    place.map(Some).ok_or(Failure::Stale)
}

/// Writes the place of a change as a parameter.
pub(super) fn written(place: Option<Seen>) -> String {
    place.map_or_else(
        || "0".to_owned(),
        |(transaction, change)| format!("{transaction}-{change}"),
    )
}
