//! Checks whether an empty result can have another reason than that nothing happened.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz};

use crate::connection::AuditConnection;
use crate::error::{Error, ErrorKind};
use crate::filter::check_table_name;
use crate::record::{AnyJson, AnyTime};
use crate::run;
use crate::statement::{Bind, Typed};

/// A table that is or was audited.
#[derive(Debug)]
pub struct KnownTable {
    /// The columns of its key, in order.
    pub key_columns: Vec<String>,
    /// The time since which it is audited without interruption.
    pub since: Option<DateTime<Utc>>,
    /// The keys that it had before, oldest first.
    pub former_keys: Vec<FormerKey>,
}

/// A primary key that a table had before.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct FormerKey {
    /// Its columns, in order.
    pub columns: Vec<String>,
    /// The time up to which changes were recorded with it.
    pub until: DateTime<Utc>,
}

/// A TRUNCATE that recorded only the number of removed rows: it is in no record's history.
#[derive(Debug, Clone)]
pub struct UnseenRemoval {
    /// The transaction.
    pub transaction: i64,
    /// The id of the change.
    pub id: i64,
    /// The time of the TRUNCATE.
    pub at: DateTime<Utc>,
}

/// Returns the removals of unknown rows of a table, oldest first.
///
/// # Errors
///
/// Returns an error if the query fails.
pub async fn unseen_removals<C: AuditConnection>(
    conn: &mut C,
    table: &str,
) -> Result<Vec<UnseenRemoval>, Error> {
    let query = Typed::<(BigInt, BigInt, Timestamptz)>::new(
        include_str!("unseen_removals.sql"),
        [Bind::Text(table.to_owned())],
    );
    let rows: Vec<(i64, i64, AnyTime)> = run::read(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(transaction, id, at)| UnseenRemoval {
            transaction,
            id,
            at: at.into_inner(),
        })
        .collect())
}

/// Finds the table of this name, written as in SQL.
///
/// # Errors
///
/// Returns an error if there is no such table, with the most similar name, or if the table
/// was never audited.
pub async fn known_table<C: AuditConnection>(
    conn: &mut C,
    name: &str,
) -> Result<KnownTable, Error> {
    check_table_name(name)?;
    type Row = (
        bool,
        bool,
        Vec<String>,
        Option<AnyTime>,
        Option<AnyJson>,
        Vec<String>,
    );
    type Columns = (
        Bool,
        Bool,
        Array<Text>,
        Nullable<Timestamptz>,
        Nullable<Jsonb>,
        Array<Text>,
    );
    let query = Typed::<Columns>::new(
        include_str!("known_table.sql"),
        [Bind::Text(name.to_owned())],
    );
    let row: Row = run::read_one(conn, query).await?;
    let (audited, exists, key_columns, since, former_keys, names) = row;
    if audited {
        let former_keys = former_keys
            .and_then(|keys| serde_json::from_value(keys.into_inner()).ok())
            .unwrap_or_default();
        return Ok(KnownTable {
            key_columns,
            since: since.map(AnyTime::into_inner),
            former_keys,
        });
    }
    let table = name.to_owned();
    Err(Error::new(if exists {
        ErrorKind::NotAudited { table }
    } else {
        ErrorKind::NoSuchTable {
            near: near(name, &names),
            table,
        }
    }))
}

/// Returns the name that was probably meant, if one is similar.
pub(super) fn near(given: &str, names: &[String]) -> Option<String> {
    let bare = |name: &str| {
        let name = name.rsplit('.').next().unwrap_or(name);
        name.trim().trim_matches('"').to_lowercase()
    };
    let given = bare(given);
    names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&given, &bare(name)), name))
        .filter(|(distance, _)| *distance <= 1 + given.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn a_name_is_found_by_one_that_is_like_it() {
        let names = ["members", "payments", "app.\"Order\""].map(str::to_owned);
        let near = |given| near(given, &names);
        assert_eq!(near("memberz").as_deref(), Some("members"));
        assert_eq!(near("member").as_deref(), Some("members"));
        assert_eq!(near("public.memebrs").as_deref(), Some("members"));
        assert_eq!(near("orders").as_deref(), Some("app.\"Order\""));
        assert_eq!(near("invoices"), None);
    }
}
