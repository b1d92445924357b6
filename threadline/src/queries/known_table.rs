//! Checks whether an empty result can have another reason than that nothing happened.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz};

use crate::connection::AuditConnection;
use crate::error::{Error, ErrorKind};
use crate::filter::{FilterError, is_table_name};
use crate::record::AnyTime;
use crate::run;
use crate::statement::{Bind, Typed};

/// A table that is or was audited.
#[derive(Debug)]
pub struct KnownTable {
    /// The columns of its key, in order.
    pub key_columns: Vec<String>,
    /// The time since which it is audited without interruption.
    pub since: Option<DateTime<Utc>>,
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
    if !is_table_name(name) {
        return Err(FilterError::Value {
            name: "table".to_owned(),
            value: name.to_owned(),
            message: "a table is named as in SQL: members, app.members, \"Order\"".to_owned(),
        }
        .into());
    }
    type Row = (bool, bool, Vec<String>, Option<AnyTime>, Vec<String>);
    let query = Typed::<(Bool, Bool, Array<Text>, Nullable<Timestamptz>, Array<Text>)>::new(
        include_str!("known_table.sql"),
        [Bind::Text(name.to_owned())],
    );
    let (audited, exists, key_columns, since, names): Row = run::read_one(conn, query).await?;
    if audited {
        return Ok(KnownTable {
            key_columns,
            since: since.map(AnyTime::into_inner),
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
