//! The routes of the warehouse, in plain Diesel: only the query of the audit mentions it.

use actix_web::web::{Data, Json, Path, ServiceConfig, delete, get, post, resource};
use actix_web::{HttpResponse, Responder};
use diesel::prelude::*;
use serde::Deserialize;
use threadline::Audited;

use crate::app::{App, DbConnection};
use crate::error::ApiError;
use crate::models::Item;
use crate::schema::items;

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/items").route(post().to(create)))
        .service(
            resource("/items/{id}")
                .route(get().to(show))
                .route(delete().to(remove)),
        )
        .service(resource("/items/{id}/stock").route(post().to(book)))
        .service(resource("/transfers").route(post().to(transfer)))
        .service(resource("/items/{id}/history").route(get().to(history)));
}

#[derive(Debug, Deserialize)]
struct NewItem {
    name: String,
}

async fn create(app: Data<App>, new: Json<NewItem>) -> Result<impl Responder, ApiError> {
    let insert = diesel::insert_into(items::table)
        .values(items::name.eq(new.into_inner().name))
        .returning(Item::as_returning());
    let item = app.db(move |conn| Ok(insert.get_result(conn)?)).await?;
    Ok(HttpResponse::Created().json(item))
}

async fn show(app: Data<App>, id: Path<i64>) -> Result<Json<Item>, ApiError> {
    let find = items::table.find(*id).select(Item::as_select());
    app.db(move |conn| Ok(find.first(conn)?)).await.map(Json)
}

async fn remove(app: Data<App>, id: Path<i64>) -> Result<impl Responder, ApiError> {
    let remove = diesel::delete(items::table.find(*id));
    match app.db(move |conn| Ok(remove.execute(conn)?)).await? {
        0 => Err(ApiError::NotFound),
        _ => Ok(HttpResponse::NoContent()),
    }
}

/// Goods that arrived or, with a negative number, left.
#[derive(Debug, Deserialize)]
struct Booking {
    quantity: i64,
}

async fn book(
    app: Data<App>,
    id: Path<i64>,
    booking: Json<Booking>,
) -> Result<Json<Item>, ApiError> {
    let (id, quantity) = (*id, booking.quantity);
    app.db(move |conn| Ok(change(conn, id, quantity)?))
        .await
        .map(Json)
}

#[derive(Debug, Deserialize)]
struct Transfer {
    from: i64,
    to: i64,
    quantity: i64,
}

/// Both or none, in one transaction.
async fn transfer(app: Data<App>, transfer: Json<Transfer>) -> Result<Json<Vec<Item>>, ApiError> {
    let work = move |conn: &mut DbConnection| {
        conn.transaction(|conn| {
            let from = change(conn, transfer.from, -transfer.quantity)?;
            let to = change(conn, transfer.to, transfer.quantity)?;
            Ok(vec![from, to])
        })
    };
    app.db(work).await.map(Json)
}

fn change(conn: &mut DbConnection, id: i64, quantity: i64) -> QueryResult<Item> {
    diesel::update(items::table.find(id))
        .set(items::stock.eq(items::stock + quantity))
        .returning(Item::as_returning())
        .get_result(conn)
}

/// Also for a deleted item.
async fn history(app: Data<App>, id: Path<i64>) -> Result<impl Responder, ApiError> {
    let id = id.into_inner();
    let changes = app.db(move |conn| Ok(Item::history_of(conn, id)?)).await?;
    match changes.is_empty() {
        true => Err(ApiError::NotFound),
        false => Ok(Json(changes)),
    }
}
