use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::{Error, ErrorKind, is_actor_required, is_of_a_right};
use crate::action::ActionError;
use crate::context::ContextError;
use crate::filter::FilterError;
use crate::forms::text_enum;
use crate::record::Unavailable;

text_enum! {
    /// The class of an [`Error`]: who must act on it, and how a service should respond.
    ///
    /// As an HTTP status, in any framework:
    ///
    /// ```
    /// use threadline::{Error, ErrorClass, Filter};
    ///
    /// fn status(error: &Error) -> u16 {
    ///     match error.class() {
    ///         ErrorClass::Caller => 400,
    ///         ErrorClass::NotFound => 404,
    ///         ErrorClass::Conflict => 409,
    ///         ErrorClass::Database => 503,
    ///         _ => 500,
    ///     }
    /// }
    ///
    /// /// The message for the client. Others are for the log: they can name roles and tables.
    /// fn body(error: &Error) -> String {
    ///     match error.class() {
    ///         ErrorClass::Caller | ErrorClass::NotFound | ErrorClass::Conflict => error.to_string(),
    ///         _ => "the audit is not available now; try again".to_owned(),
    ///     }
    /// }
    ///
    /// let error = Error::from(Filter::parse([("operation", "upsert")]).unwrap_err());
    /// assert_eq!(status(&error), 400);
    /// assert_eq!(
    ///     body(&error),
    ///     "filter `operation` cannot be `upsert`: an operation is insert, update, delete or truncate"
    /// );
    /// ```
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub enum ErrorClass: "The class of an error" {
        /// The request is invalid. The caller must change it.
        Caller = "caller",
        /// The request is valid but not possible now: a value has changed since, the result is
        /// not final yet, or something belongs to another record. A later retry may succeed.
        Conflict = "conflict",
        /// Nothing of that kind is recorded.
        NotFound = "not_found",
        /// The program, its migrations or the privileges of its role must change. The caller
        /// cannot resolve it.
        SetUp = "set_up",
        /// The database returned another error or could not be reached.
        Database = "database",
        /// A file or a stream could not be read or written.
        Output = "output",
        /// A class that a newer version recorded. Occurs only when reading its JSON.
        Unrecognized(String),
    }

    /// Returns the class as text: `caller`, `conflict`, `not_found`, `set_up`, `database`,
    /// `output`.
    pub fn as_str;
}

impl Error {
    /// Returns the class of the error.
    pub fn class(&self) -> ErrorClass {
        // Without a wildcard, so that every new kind gets a class.
        match self.kind() {
            ErrorKind::NoSuchTable { .. } | ErrorKind::NoSuchTransaction { .. } => {
                ErrorClass::NotFound
            }
            ErrorKind::Unavailable(reason) => of_unavailable(reason),
            ErrorKind::RevertConflicts(_) => ErrorClass::Conflict,
            ErrorKind::Database(error) => of_diesel(error),
            ErrorKind::Connection(_) => ErrorClass::Database,
            ErrorKind::Context(error) => of_context(error),
            ErrorKind::Action(error) => of_action(error),
            ErrorKind::Filter(FilterError::UnknownTable { .. }) => ErrorClass::NotFound,
            ErrorKind::Filter(_) | ErrorKind::Reference { .. } | ErrorKind::Cursor { .. } => {
                ErrorClass::Caller
            }
            ErrorKind::SchemaMissing { .. }
            | ErrorKind::TableMissing { .. }
            | ErrorKind::NotAudited { .. }
            | ErrorKind::BoundSelection { .. }
            | ErrorKind::Migrations { .. }
            | ErrorKind::Undecided { .. }
            | ErrorKind::OutOfDate { .. } => ErrorClass::SetUp,
            ErrorKind::Export { .. } | ErrorKind::Io { .. } => ErrorClass::Output,
        }
    }
}

fn of_unavailable(reason: &Unavailable) -> ErrorClass {
    match reason {
        Unavailable::NeverExisted
        | Unavailable::Deleted { .. }
        | Unavailable::KeyChanged { .. }
        | Unavailable::BeforeAudit { .. }
        | Unavailable::NoLongerKept { .. }
        | Unavailable::Erased { .. }
        | Unavailable::Converted { .. }
        | Unavailable::Incomplete
        | Unavailable::Unrecognized { .. } => ErrorClass::NotFound,
        Unavailable::NotFinal { .. } => ErrorClass::Conflict,
        // The model requires a value that is not available to it.
        Unavailable::Redacted { .. } | Unavailable::DoesNotFit { .. } => ErrorClass::SetUp,
    }
}

fn of_context(error: &ContextError) -> ErrorClass {
    match error {
        ContextError::ActorWithoutId { .. }
        | ContextError::UnknownActorType { .. }
        | ContextError::NulByte { .. }
        | ContextError::TooLong { .. }
        | ContextError::NotAContext { .. } => ErrorClass::Caller,
        ContextError::NoContext | ContextError::RowByRow => ErrorClass::SetUp,
    }
}

fn of_action(error: &ActionError) -> ErrorClass {
    match error {
        ActionError::InvalidActor { .. }
        | ActionError::InvalidName { .. }
        | ActionError::InvalidField { .. } => ErrorClass::Caller,
        ActionError::NoActor { .. } | ActionError::NoTransaction | ActionError::InTransaction => {
            ErrorClass::SetUp
        }
    }
}

fn of_diesel(error: &DieselError) -> ErrorClass {
    match error {
        DieselError::NotFound => ErrorClass::NotFound,
        error if is_actor_required(error) => ErrorClass::Caller,
        DieselError::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::RestrictViolation
            | DatabaseErrorKind::ExclusionViolation
            | DatabaseErrorKind::SerializationFailure => ErrorClass::Conflict,
            DatabaseErrorKind::NotNullViolation | DatabaseErrorKind::CheckViolation => {
                ErrorClass::Caller
            }
            // Errors raised by functions of the audit schema begin with its name.
            _ if information.message().starts_with("threadline: ") => ErrorClass::Caller,
            _ if is_of_a_right(information.message()) => ErrorClass::SetUp,
            _ => ErrorClass::Database,
        },
        _ => ErrorClass::Database,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> Vec<(ErrorKind, ErrorClass)> {
        let table = || "members".to_owned();
        let message = table;
        let io = || std::io::Error::other("no space");
        vec![
            (
                ErrorKind::SchemaMissing { installed: None },
                ErrorClass::SetUp,
            ),
            (
                ErrorKind::TableMissing {
                    declared_by: "model `Member`".to_owned(),
                    table: table(),
                },
                ErrorClass::SetUp,
            ),
            (
                ErrorKind::NoSuchTable {
                    table: table(),
                    near: None,
                },
                ErrorClass::NotFound,
            ),
            (ErrorKind::NoSuchTransaction { id: 7 }, ErrorClass::NotFound),
            (ErrorKind::NotAudited { table: table() }, ErrorClass::SetUp),
            (
                ErrorKind::Unavailable(Unavailable::NeverExisted),
                ErrorClass::NotFound,
            ),
            (
                ErrorKind::Unavailable(Unavailable::NotFinal { open: vec![] }),
                ErrorClass::Conflict,
            ),
            (
                ErrorKind::BoundSelection { table: table() },
                ErrorClass::SetUp,
            ),
            (ErrorKind::RevertConflicts(vec![]), ErrorClass::Conflict),
            (
                ErrorKind::Database(DieselError::NotFound),
                ErrorClass::NotFound,
            ),
            (
                ErrorKind::Database(DieselError::BrokenTransactionManager),
                ErrorClass::Database,
            ),
            (
                ErrorKind::Connection(diesel::ConnectionError::BadConnection(message())),
                ErrorClass::Database,
            ),
            (
                ErrorKind::Context(ContextError::NoContext),
                ErrorClass::SetUp,
            ),
            (
                ErrorKind::Context(ContextError::NulByte { field: "source" }),
                ErrorClass::Caller,
            ),
            (
                ErrorKind::Action(ActionError::NoTransaction),
                ErrorClass::SetUp,
            ),
            (
                ErrorKind::Filter(FilterError::RecordWithoutTable),
                ErrorClass::Caller,
            ),
            (
                ErrorKind::Filter(FilterError::UnknownTable {
                    table: table(),
                    audited: table(),
                }),
                ErrorClass::NotFound,
            ),
            (
                ErrorKind::Reference { message: message() },
                ErrorClass::Caller,
            ),
            (ErrorKind::Cursor { text: message() }, ErrorClass::Caller),
            (ErrorKind::Export { source: io() }, ErrorClass::Output),
            (
                ErrorKind::Io {
                    path: "diesel.toml".into(),
                    source: io(),
                },
                ErrorClass::Output,
            ),
            (
                ErrorKind::Migrations { message: message() },
                ErrorClass::SetUp,
            ),
            (ErrorKind::Undecided { columns: vec![] }, ErrorClass::SetUp),
            (ErrorKind::OutOfDate { missing: vec![] }, ErrorClass::SetUp),
        ]
    }

    #[test]
    fn each_kind_has_its_class() {
        for (kind, class) in kinds() {
            let error = Error::new(kind);
            assert_eq!(error.class(), class, "{error:?}");
            let text = serde_json::to_string(&class).unwrap();
            assert_eq!(serde_json::from_str::<ErrorClass>(&text).unwrap(), class);
        }
    }

    #[test]
    fn an_error_that_went_through_diesels_is_what_it_was() {
        for (kind, class) in kinds() {
            let error = Error::new(kind);
            let (debug, text) = (format!("{error:?}"), error.to_string());
            let twice = DieselError::from(Error::from(DieselError::from(error)));
            let back = Error::from(twice);
            assert_eq!(format!("{back:?}"), debug);
            assert_eq!(back.to_string(), text);
            assert_eq!(back.class(), class);
        }
        let foreign = DieselError::QueryBuilderError("of somebody else".into());
        let back = Error::from(foreign);
        assert!(matches!(
            back.kind(),
            ErrorKind::Database(DieselError::QueryBuilderError(_))
        ));
    }
    #[test]
    fn a_missing_context_is_the_programs_matter() {
        let of_audited = DieselError::QueryBuilderError(Box::new(ContextError::NoContext));
        let error = Error::from(of_audited);
        assert!(matches!(
            error.kind(),
            ErrorKind::Context(ContextError::NoContext)
        ));
        assert_eq!(error.class(), ErrorClass::SetUp);
    }

    #[cfg(feature = "r2d2")]
    #[test]
    fn a_pool_that_lends_no_connection_is_the_databases_matter() {
        use diesel::PgConnection;
        use diesel::r2d2::{ConnectionManager, Pool};

        let manager = ConnectionManager::<PgConnection>::new("postgres://127.0.0.1:1/none");
        let pool = Pool::builder()
            .max_size(1)
            .min_idle(Some(0))
            .connection_timeout(std::time::Duration::from_millis(1))
            .build_unchecked(manager);
        let error = Error::from(pool.get().map(drop).unwrap_err());
        assert_eq!(error.class(), ErrorClass::Database);
        let text = error.to_string();
        assert!(text.starts_with("cannot connect to the database"), "{text}");
    }
}
