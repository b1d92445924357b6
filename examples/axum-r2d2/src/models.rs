//! The audited models.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use threadline::{Audited, Models};

/// The database refuses a write without a known user, also from a handler that does not call
/// `audited`.
#[derive(Debug, Queryable, Selectable, Identifiable, Serialize, Audited)]
#[diesel(table_name = crate::schema::articles)]
#[audited(require_actor)]
pub struct Article {
    pub id: i64,
    pub title: String,
    pub body: String,
}

#[derive(Debug, Deserialize, Insertable, AsChangeset)]
#[diesel(table_name = crate::schema::articles)]
pub struct ArticleText {
    pub title: String,
    pub body: String,
}

/// Visitors comment too.
#[derive(Debug, Queryable, Selectable, Identifiable, Serialize, Audited)]
#[diesel(table_name = crate::schema::comments)]
pub struct Comment {
    pub id: i64,
    pub article_id: i64,
    pub text: String,
}

/// Returns all audited models.
pub fn audited() -> Models {
    threadline::models![Article, Comment]
}
