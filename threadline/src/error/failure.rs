use std::any::{Any, type_name};
use std::fmt::Debug;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::{Error, ErrorKind};

/// Returns the kind of an error without its message. A message can contain values of rows,
/// which must not be in a reason.
pub(crate) fn kind_of<E: Debug + 'static>(error: &E) -> String {
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<DieselError>() {
        return of_diesel(error);
    }
    if let Some(error) = any.downcast_ref::<Error>() {
        return match error.kind() {
            ErrorKind::Database(error) => of_diesel(error),
            kind => format!(
                "threadline::ErrorKind::{}",
                variant(kind).unwrap_or_default()
            ),
        };
    }
    let name = type_name::<E>();
    match variant(error) {
        Some(variant) if !name.ends_with(&format!("::{variant}")) => format!("{name}::{variant}"),
        _ => name.to_owned(),
    }
}

fn of_diesel(error: &DieselError) -> String {
    let DieselError::DatabaseError(kind, information) = error else {
        return match error {
            DieselError::NotFound => "not found".to_owned(),
            DieselError::RollbackTransaction => "rolled back".to_owned(),
            error => format!(
                "diesel::result::Error::{}",
                variant(error).unwrap_or_default()
            ),
        };
    };
    let kind = match kind {
        DatabaseErrorKind::UniqueViolation => "unique violation",
        DatabaseErrorKind::ForeignKeyViolation => "foreign key violation",
        DatabaseErrorKind::NotNullViolation => "not null violation",
        DatabaseErrorKind::CheckViolation => "check violation",
        DatabaseErrorKind::SerializationFailure => "serialization failure",
        DatabaseErrorKind::ReadOnlyTransaction => "read-only transaction",
        DatabaseErrorKind::ClosedConnection => "closed connection",
        _ => "database error",
    };
    match information.constraint_name() {
        Some(constraint) => format!("{kind}: {constraint}"),
        None => kind.to_owned(),
    }
}

/// Returns the name of an enum variant or struct, with which a derived `Debug` begins.
fn variant(value: &impl Debug) -> Option<String> {
    let text = format!("{value:?}");
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let derived = rest.is_empty() || rest.starts_with('(') || rest.starts_with(" {");
    (derived && name.starts_with(|c: char| c.is_ascii_uppercase())).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[allow(dead_code)]
    enum Refused {
        Closed,
        Insufficient { balance: i64 },
    }

    #[derive(Debug)]
    #[allow(dead_code)]
    struct Broken(String);

    #[test]
    fn the_kind_of_a_failure_is_named_without_what_it_says() {
        let module = module_path!();
        assert_eq!(kind_of(&DieselError::NotFound), "not found");
        assert_eq!(kind_of(&DieselError::RollbackTransaction), "rolled back");
        assert_eq!(
            kind_of(&DieselError::QueryBuilderError("secret".into())),
            "diesel::result::Error::QueryBuilderError"
        );
        assert_eq!(
            kind_of(&Refused::Closed),
            format!("{module}::Refused::Closed")
        );
        assert_eq!(
            kind_of(&Refused::Insufficient { balance: 3 }),
            format!("{module}::Refused::Insufficient")
        );
        assert_eq!(
            kind_of(&Broken("secret".into())),
            format!("{module}::Broken")
        );
        assert_eq!(kind_of(&"secret".to_owned()), "alloc::string::String");
        let error = Error::new(ErrorKind::NotAudited {
            table: "t".to_owned(),
        });
        assert_eq!(kind_of(&error), "threadline::ErrorKind::NotAudited");
    }
}
