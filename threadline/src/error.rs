mod class;
mod failure;

use std::fmt;
use std::path::{Path, PathBuf};

use diesel::result::Error as DieselError;

use crate::action::ActionError;
use crate::context::ContextError;
use crate::filter::FilterError;
use crate::model::UndecidedColumn;
use crate::record::{RevertConflict, Unavailable, clean};
use crate::version::SCHEMA_VERSION;

pub use self::class::ErrorClass;
pub(crate) use self::failure::kind_of;

/// An error of Threadline, with the way to resolve it in its message.
///
/// It converts into a [`diesel::result::Error`] with `?`, so that functions that return
/// Diesel's error need no second error type, and back without loss. [`class`](Self::class)
/// returns who must act on it.
#[derive(Debug)]
pub struct Error(Box<ErrorKind>);

/// The kinds of [`Error`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database has no audit schema, or one older than this crate.
    SchemaMissing {
        /// The installed version.
        installed: Option<i32>,
    },
    /// A table that is to be audited does not exist.
    TableMissing {
        /// The declaration: ``model `Member` ``, or the name of a file.
        declared_by: String,
        /// The quoted name of the table.
        table: String,
    },
    /// There is no such table, and no table of this name was ever audited.
    NoSuchTable {
        /// The given name.
        table: String,
        /// An audited table with a similar name.
        near: Option<String>,
    },
    /// There is no recorded transaction with this id.
    NoSuchTransaction {
        /// The given id.
        id: i64,
    },
    /// The table is not audited.
    NotAudited {
        /// The quoted name of the table.
        table: String,
    },
    /// A past record is not available.
    Unavailable(Unavailable),
    /// The `select_expression` of a model has a bound value, and the name of its table has
    /// a schema.
    BoundSelection {
        /// The quoted name of the table.
        table: String,
    },
    /// A revert had conflicts, and nothing was changed.
    RevertConflicts(Vec<RevertConflict>),
    /// The database returned an error or could not be reached.
    Database(DieselError),
    /// The connection could not be established.
    Connection(diesel::ConnectionError),
    /// An invalid context.
    Context(ContextError),
    /// An action that cannot be recorded.
    Action(ActionError),
    /// A filter that cannot be evaluated.
    Filter(FilterError),
    /// Rows cannot be found by a reference: the reference is invalid, or the recorded data
    /// does not show to which record a row referred.
    Reference {
        /// The problem, and how to resolve it.
        message: String,
    },
    /// A text that is not a cursor, or a cursor of another query.
    Cursor {
        /// The given text.
        text: String,
    },
    /// An export could not be written.
    Export {
        /// The cause.
        source: std::io::Error,
    },
    /// A file or folder could not be read or written.
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The migrations folder contains an invalid migration.
    Migrations {
        /// The problem, its location, and how to resolve it.
        message: String,
    },
    /// Columns whose names suggest a secret have no explicit policy.
    Undecided {
        /// The columns, each with its model.
        columns: Vec<UndecidedColumn>,
    },
    /// The generated migrations are behind the models.
    OutOfDate {
        /// The missing migrations, one line each.
        missing: Vec<String>,
    },
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        Self::new(ErrorKind::Io { path, source })
    }

    #[doc(hidden)]
    pub fn undecided(columns: Vec<UndecidedColumn>) -> Self {
        Self::new(ErrorKind::Undecided { columns })
    }

    #[doc(hidden)]
    pub fn schema_missing(installed: Option<i32>) -> Self {
        Self::new(ErrorKind::SchemaMissing { installed })
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            ErrorKind::SchemaMissing { installed: None } => write!(
                f,
                "the audit schema is not installed in this database; write its migrations with your program's `generate` command and run them with `diesel migration run`, or call `Models::install` at start-up"
            ),
            ErrorKind::SchemaMissing {
                installed: Some(installed),
            } => write!(
                f,
                "the audit schema in this database is version {installed} and this crate needs {SCHEMA_VERSION}; write the missing migrations with your program's `generate` command and run them with `diesel migration run`, or call `Models::install` at start-up"
            ),
            ErrorKind::TableMissing { declared_by, table } => write!(
                f,
                "{declared_by} audits table {table}, which does not exist; run the migration that creates it first, or check the search_path"
            ),
            ErrorKind::NoSuchTable { table, near } => {
                write!(
                    f,
                    "there is no table {table}, and none of this name was ever audited"
                )?;
                match near {
                    Some(near) => write!(f, "; did you mean {near}?"),
                    None => Ok(()),
                }
            }
            ErrorKind::NoSuchTransaction { id } => write!(
                f,
                "there is no transaction {id} on record; give its id in the audit tables, as `transaction.id` of a change has it"
            ),
            ErrorKind::NotAudited { table } => write!(
                f,
                "table {table} is not audited; generate the migrations with your program's `generate` command and run them; if it writes none, `verify` prints the statement for one"
            ),
            ErrorKind::Unavailable(reason) => write!(f, "{reason}"),
            ErrorKind::BoundSelection { table } => write!(
                f,
                "a select_expression of the model of {table} has a bound value, which cannot be read from the past of a table in a schema; write the value into the SQL, or read the image"
            ),
            ErrorKind::RevertConflicts(conflicts) => {
                write!(f, "nothing was reverted:")?;
                for conflict in conflicts {
                    let table = conflict.table.as_deref().unwrap_or("an unknown table");
                    write!(f, "\n  {}", clean(table))?;
                    if let Some(key) = &conflict.key {
                        write!(f, " {key}")?;
                    }
                    write!(f, ": {}", clean(&conflict.reason))?;
                }
                Ok(())
            }
            ErrorKind::Database(error) => {
                write!(f, "{error}")?;
                if let DieselError::DatabaseError(_, information) = error {
                    if let Some(hint) = information.hint() {
                        write!(f, "\nhint: {hint}")?;
                    } else if is_of_a_pooler(information.message()) {
                        f.write_str(POOLER)?;
                    } else if information.message() == "permission denied for schema threadline" {
                        f.write_str(RIGHTS)?;
                    }
                }
                Ok(())
            }
            ErrorKind::Connection(error) => write!(
                f,
                "cannot connect to the database: {}; check DATABASE_URL and that the server runs",
                connection_error(error)
            ),
            ErrorKind::Context(error) => write!(f, "{error}"),
            ErrorKind::Action(error) => write!(f, "{error}"),
            ErrorKind::Filter(error) => write!(f, "{error}"),
            ErrorKind::Reference { message } => f.write_str(message),
            ErrorKind::Cursor { text } => write!(
                f,
                "`{text}` is not a cursor of this query; pass on what `Page::next` gave, unchanged, to the same query"
            ),
            ErrorKind::Export { source } => write!(f, "the export could not be written: {source}"),
            ErrorKind::Io { path, source } => write!(f, "{}: {source}", path.display()),
            ErrorKind::Migrations { message } => f.write_str(message),
            ErrorKind::Undecided { columns } => {
                let file = columns.first().and_then(|column| column.file.as_deref());
                write!(
                    f,
                    "these columns need an explicit policy, because their names suggest secrets; declare it in {}:",
                    file.unwrap_or("#[audited(...)] of the model")
                )?;
                for column in columns {
                    write!(f, "\n  {column}")?;
                }
                Ok(())
            }
            ErrorKind::OutOfDate { missing } => {
                write!(f, "the audit migrations are behind the models:")?;
                for line in missing {
                    write!(f, "\n  {line}")?;
                }
                write!(
                    f,
                    "\nwrite them with the same program's `generate` command, review and commit them"
                )
            }
        }
    }
}

/// Returns the message of libpq, but not if it repeats a text that is no URL: that may contain a
/// password.
fn connection_error(error: &diesel::ConnectionError) -> String {
    let text = error.to_string();
    if text.contains("missing \"=\" after") {
        return "what was given is no URL, as in postgres://user@host/name".to_owned();
    }
    text.trim_end().to_owned()
}

/// Recognizes the errors of prepared statements behind a transaction pooler: the next
/// transaction may reach another session, which does not know the statement, or has another
/// one under its name.
fn is_of_a_pooler(message: &str) -> bool {
    message.starts_with("prepared statement \"")
        && (message.ends_with("already exists") || message.ends_with("does not exist"))
}

const POOLER: &str = "\nhint: a transaction pooler such as PgBouncer is in between; let it keep prepared statements (max_prepared_statements of PgBouncer 1.21), or call `set_prepared_statement_cache_size(CacheSize::Disabled)` on each connection";

/// Recognizes the error of a role without a right, if the server writes English.
pub(crate) fn is_of_a_right(message: &str) -> bool {
    message.starts_with("permission denied for ")
}

const RIGHTS: &str = "\nhint: without `audit protect`, a role that writes actions and contexts needs `GRANT USAGE ON SCHEMA threadline` from the owner of the audit; with it, name the role as --application or --reader";

// The message includes that of the cause, so `source` returns none.
impl std::error::Error for Error {}

/// Restores an [`Error`] that was converted before.
impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::QueryBuilderError(inner) => match inner.downcast::<Self>() {
                Ok(error) => *error,
                Err(inner) => match inner.downcast::<ContextError>() {
                    Ok(error) => (*error).into(),
                    Err(inner) => {
                        Self::new(ErrorKind::Database(DieselError::QueryBuilderError(inner)))
                    }
                },
            },
            error => Self::new(ErrorKind::Database(error)),
        }
    }
}

/// Converts errors into the kinds that hold them.
macro_rules! from_errors {
    ($($error:ty => $kind:ident,)+) => {
        $(
            impl From<$error> for Error {
                fn from(error: $error) -> Self {
                    Self::new(ErrorKind::$kind(error))
                }
            }
        )+
    };
}

from_errors! {
    diesel::ConnectionError => Connection,
    ContextError => Context,
    ActionError => Action,
    FilterError => Filter,
    Unavailable => Unavailable,
}

/// Makes `pool.get()?` work in functions that return this error.
#[cfg(feature = "r2d2")]
impl From<diesel::r2d2::PoolError> for Error {
    fn from(error: diesel::r2d2::PoolError) -> Self {
        diesel::ConnectionError::BadConnection(error.to_string()).into()
    }
}

impl From<Error> for DieselError {
    fn from(error: Error) -> Self {
        match *error.0 {
            ErrorKind::Database(error) => error,
            kind => Self::QueryBuilderError(Box::new(Error::new(kind))),
        }
    }
}

/// Returns whether a write failed because its table requires an actor
/// (`#[audited(require_actor)]`).
///
/// ```
/// # fn handle(result: diesel::QueryResult<usize>) {
/// if let Err(error) = result {
///     if threadline::is_actor_required(&error) {
///         // Ask the caller to log in.
///     }
/// }
/// # }
/// ```
pub fn is_actor_required(error: &DieselError) -> bool {
    matches!(
        error,
        DieselError::DatabaseError(_, information)
            if information.constraint_name() == Some("threadline_actor_required")
    )
}

#[cfg(test)]
mod tests {
    use diesel::result::DatabaseErrorKind;

    use super::*;

    fn said(message: &str) -> String {
        let error =
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()));
        Error::from(error).to_string()
    }

    #[test]
    fn a_prepared_statement_that_a_pooler_lost_is_explained() {
        for message in [
            r#"prepared statement "__diesel_stmt_0" already exists"#,
            r#"prepared statement "__diesel_stmt_0" does not exist"#,
        ] {
            let said = said(message);
            assert!(said.starts_with(message), "{said}");
            assert!(
                said.contains("\nhint: a transaction pooler such as PgBouncer"),
                "{said}"
            );
        }
        assert_eq!(said("table t does not exist"), "table t does not exist");
    }

    #[test]
    fn a_missing_right_names_the_grant() {
        let message = "permission denied for schema threadline";
        let error =
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()));
        let error = Error::from(error);
        assert_eq!(error.class(), ErrorClass::SetUp);
        let said = error.to_string();
        assert!(said.starts_with(message), "{said}");
        assert!(said.contains("GRANT USAGE ON SCHEMA threadline"), "{said}");
    }
}
