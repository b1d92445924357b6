//! The same data as JSON, with the same access rules.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use threadline::__cli::{Day, instant, record as record_key};
use threadline::{ActionFilter, Filter, PageRequest, PageRules};

use super::export::Format;
use super::{COUNTED, export_job, openapi};
use crate::exports::State;
use crate::failure::{ApiFailure, Failure};
use crate::pool::Pool;
use crate::texts;
use crate::view::job;
use crate::view::links::{self, Catalogue};
use crate::view::time::exact;
use crate::visit::Visit;

/// The limits of a page.
const RULES: fn() -> PageRules = || PageRules::new().limit(50).max_limit(200);

type Answer = Result<Json<Value>, ApiFailure>;

fn as_json(answer: impl serde::Serialize) -> Answer {
    match serde_json::to_value(answer) {
        Ok(value) => Ok(Json(value)),
        Err(_) => Err(Failure::Database.into()),
    }
}

/// Returns a page of changes.
pub(crate) async fn changes<P: Pool>(visit: Visit<P>) -> Answer {
    let request: PageRequest<Filter> = RULES().read_pairs(visit.parameters.pairs())?;
    let (page, searched_to) = visit
        .read(move |audit| audit.search(request.query, request.limit, request.cursor))
        .await?;
    let Json(mut page) = as_json(page)?;
    if let (Value::Object(page), Some(to)) = (&mut page, searched_to) {
        page.insert("searched_to".to_owned(), json!(exact(to)));
    }
    Ok(Json(page))
}

/// Returns a page of actions.
pub(crate) async fn actions<P: Pool>(visit: Visit<P>) -> Answer {
    let request: PageRequest<ActionFilter> = RULES().read_pairs(visit.parameters.pairs())?;
    let page = visit
        .read(move |audit| audit.actions(request.query, request.limit, request.cursor))
        .await?
        .ok_or(Failure::Denied)?;
    as_json(page)
}

/// Returns counts of the newest changes.
pub(crate) async fn overview<P: Pool>(visit: Visit<P>) -> Answer {
    let request: PageRequest<Filter> = RULES().read_pairs(visit.parameters.pairs())?;
    let overview = visit
        .read(move |audit| audit.glance(request.query, COUNTED))
        .await?;
    let times = overview.times.iter();
    let sources = overview.sources.iter();
    as_json(json!({
        "changes": overview.changes,
        "more": overview.more,
        "searched_to": overview.searched_to.map(exact),
        "transactions": overview.transactions,
        "step_seconds": overview.step,
        "times": times.map(|(at, n)| json!({ "at": exact(*at), "changes": n })).collect::<Value>(),
        "tables": overview.tables,
        "operations": overview.operations,
        "actors": overview.actors,
        "sources": sources.map(|(source, n)| json!({ "source": source, "changes": n })).collect::<Value>(),
    }))
}

/// Returns the tables that the viewer can see.
pub(crate) async fn tables<P: Pool>(visit: Visit<P>) -> Answer {
    let tables = visit.read(|audit| audit.tables()).await?;
    let tables: Value = tables
        .iter()
        .map(|table| {
            let columns = table.columns.iter();
            json!({
                "table": table.sql_name,
                "schema": table.schema,
                "name": table.name,
                "key": table.key,
                "audited_since": exact(table.since),
                "audited_until": table.until.map(exact),
                "columns": columns.map(|(name, policy)| json!({ "name": name, "policy": policy })).collect::<Value>(),
            })
        })
        .collect();
    as_json(json!({ "tables": tables }))
}

/// Returns a record as it is now, or as it was at an instant.
pub(crate) async fn record<P: Pool>(visit: Visit<P>) -> Answer {
    let table = visit.parameters.need("table")?.to_owned();
    let key = visit.parameters.need("key")?.to_owned();
    let values = record_key(&key).map_err(Failure::Question)?.into_values();
    let at = match visit.parameters.get("at") {
        Some(at) => Some(instant(at, Day::End).map_err(Failure::Question)?),
        None => None,
    };
    let (asked, of) = (table.clone(), values);
    let found = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            let Some(info) = catalogue.named(&asked).filter(|i| i.key.len() == of.len()) else {
                return Ok(None);
            };
            Ok(Some(match at {
                Some(at) => audit
                    .record_then(&info.sql_name, &of, at)?
                    .map_err(|e| e.to_string()),
                None => audit
                    .record_now(&info.sql_name, &of)?
                    .ok_or_else(|| texts::NOT_THERE.to_owned()),
            }))
        })
        .await?
        .ok_or_else(|| Failure::NotFound(format!("{} {table}", texts::NO_TABLE)))?;
    visit.record_view(&table, &key).await?;
    let image = found.map_err(Failure::NotFound)?;
    as_json(json!({ "table": table, "key": key, "at": at.map(exact), "row": image }))
}

/// Returns the state of an export in the background.
pub(crate) async fn export_job<P: Pool>(visit: Visit<P>) -> Answer {
    let found = export_job::found(&visit)?;
    let state = found.state();
    let (changes, bytes) = found.written();
    let (total, until, failure) = match &state {
        State::Writing(total) => (*total, None, None),
        State::Done { changes, until, .. } => (Some(*changes), Some(*until), None),
        State::Failed(failure) => (None, None, Some(failure.message())),
        _ => (None, None, None),
    };
    as_json(json!({
        "id": found.id,
        "search": found.line,
        "format": Format::of(found.format).name,
        "begun_at": exact(found.begun_at),
        "state": job::name(&state),
        "changes": changes,
        "total": total,
        "bytes": bytes,
        "file": until.map(|_| links::page("export-file", &[("id", &found.id)])),
        "removed_at": until.map(exact),
        "error": failure.map(|(title, message)| json!({ "error": title, "message": message })),
    }))
}

/// Returns the OpenAPI document.
pub(crate) async fn document<P: Pool>(_: Visit<P>) -> Response {
    (
        [(CONTENT_TYPE, "application/json")],
        openapi::document().to_string(),
    )
        .into_response()
}
