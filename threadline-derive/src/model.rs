//! The model that the derive reads.

use std::collections::HashSet;

use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, Generics, Ident, Path};

use crate::attributes::{AuditedAttributes, ListedColumn, refuse_on_field};
use crate::column_policy::ColumnPolicy;
use crate::diesel_attributes::{StructAttributes, TableName, column_name};
use crate::tokens::{Columns, plain};

pub(crate) struct Model {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) table: Path,
    /// The declared key; `None` if the model uses the key of `table!`.
    pub(crate) primary_key: Option<Columns>,
    pub(crate) audited: AuditedAttributes,
}

/// The column of a field.
struct FieldColumn {
    field: Option<Ident>,
    column: Ident,
}

impl Model {
    /// Returns the model, as far as it can be read, and all errors in it.
    pub(crate) fn read(input: &DeriveInput) -> (Option<Self>, Vec<Error>) {
        let mut errors = vec![];
        let Data::Struct(data) = &input.data else {
            errors.push(Error::new(
                input.ident.span(),
                "only a struct with a table of its own can be audited",
            ));
            return (None, errors);
        };
        let StructAttributes {
            table_name,
            primary_key,
        } = StructAttributes::read(&input.attrs, &mut errors);
        let mut audited = AuditedAttributes::read(&input.attrs, &mut errors);

        let fields = columns_of(&data.fields, &mut errors);
        let mut resolve = |listed: &mut ListedColumn| {
            let resolved = resolve_column(listed, &fields);
            resolved.map_err(|error| errors.push(error)).is_ok()
        };
        (audited.column_policies).retain_mut(|(_, listed)| resolve(listed));
        audited.columns.retain_mut(&mut resolve);
        audited.ignore.retain_mut(&mut resolve);
        audited.personal.retain_mut(&mut resolve);
        (audited.subject).retain_mut(|(listed, _)| resolve(listed));

        refuse_repetitions(
            audited.subject.iter().map(|(column, _)| column),
            &mut errors,
        );
        refuse_repetitions(&audited.columns, &mut errors);
        for (_, ListedColumn { column, .. }) in audited
            .column_policies
            .iter()
            .filter(|(policy, _)| *policy == ColumnPolicy::Exclude)
        {
            if audited.columns.iter().any(|kept| kept.column == *column) {
                errors.push(Error::new(
                    column.span(),
                    format!("`{column}` is both excluded and in `columns`; choose one"),
                ));
            }
        }
        refuse_repetitions(&audited.ignore, &mut errors);
        refuse_repetitions(&audited.personal, &mut errors);
        let key_columns = primary_key.as_ref().map_or(&[][..], |key| &key.names);
        refuse_contradictions(&audited.column_policies, key_columns, &mut errors);
        refuse_ignored(&audited, key_columns, &mut errors);
        refuse_personal_keys(&audited.personal, key_columns, &mut errors);

        let table = match table_name {
            TableName::Path(table) => table,
            TableName::Unreadable => return (None, errors),
            TableName::Missing => default_table(&input.ident).into(),
        };
        let model = Self {
            name: input.ident.clone(),
            generics: input.generics.clone(),
            table,
            primary_key,
            audited,
        };
        (Some(model), errors)
    }
}

fn columns_of(fields: &Fields, errors: &mut Vec<Error>) -> Vec<FieldColumn> {
    let mut columns = vec![];
    for field in fields {
        let name = field.ident.as_ref().and_then(plain);
        let column = column_name(&field.attrs, errors).or_else(|| name.clone());
        let shown = name.as_ref().or(column.as_ref());
        let shown = shown.map_or("column".to_owned(), |name| name.unraw().to_string());
        refuse_on_field(&field.attrs, &shown, errors);
        columns.extend(column.map(|column| FieldColumn {
            field: name,
            column,
        }));
    }
    columns
}

/// Finds the column for a name in `#[audited(...)]`. A field that Diesel knows under
/// another column name may be named by either name, unless the two names refer to different
/// columns.
fn resolve_column(listed: &mut ListedColumn, columns: &[FieldColumn]) -> syn::Result<()> {
    let name = &listed.column;
    let by_field = columns
        .iter()
        .find(|known| known.field.as_ref() == Some(name));
    let by_column = columns.iter().find(|known| known.column == *name);
    match (by_field, by_column) {
        (Some(by_field), None) => {
            let mut column = by_field.column.clone();
            column.set_span(name.span());
            listed.field = Some(std::mem::replace(&mut listed.column, column));
            Ok(())
        }
        (Some(FieldColumn { column, .. }), Some(other)) if column != name => {
            let second = match &other.field {
                Some(field) => format!("write `{field}`"),
                None => "rename the field".to_owned(),
            };
            Err(Error::new(name.span(), two_meanings(name, column, &second)))
        }
        _ => Ok(()),
    }
}

/// Returns the message for a name that is both a field and the column of another field.
pub(crate) fn two_meanings(name: &Ident, column: &Ident, second: &str) -> String {
    format!(
        "`{name}` may mean the field of column `{column}` or the column `{name}`; write `{column}` for the first; for the second {second}"
    )
}

fn refuse_repetitions<'l>(
    list: impl IntoIterator<Item = &'l ListedColumn>,
    errors: &mut Vec<Error>,
) {
    let mut earlier = HashSet::new();
    for ListedColumn { column, .. } in list {
        if !earlier.insert(column) {
            errors.push(Error::new(
                column.span(),
                format!("column `{column}` is named twice"),
            ));
        }
    }
}

/// Reports columns with several policies, and primary-key columns with a policy under which
/// their value no longer identifies a record.
fn refuse_contradictions(
    column_policies: &[(ColumnPolicy, ListedColumn)],
    primary_key: &[Ident],
    errors: &mut Vec<Error>,
) {
    for (position, (policy, ListedColumn { column, .. })) in column_policies.iter().enumerate() {
        let mut earlier = column_policies[..position].iter();
        match earlier.find(|(_, earlier)| earlier.column == *column) {
            Some((earlier, _)) if earlier == policy => errors.push(Error::new(
                column.span(),
                format!("column `{column}` is named twice"),
            )),
            Some((earlier, _)) => {
                let (first, second) = match (*earlier as u8) < (*policy as u8) {
                    true => (earlier, policy),
                    false => (policy, earlier),
                };
                errors.push(Error::new(
                    column.span(),
                    format!(
                        "`{column}` is both {} and {}; {}",
                        first.participle(),
                        second.participle(),
                        match second {
                            ColumnPolicy::Exclude => first.choice(),
                            second => second.choice(),
                        }
                    ),
                ));
            }
            None => {}
        }
    }
    for (policy, ListedColumn { column, .. }) in column_policies {
        if !policy.suits_a_key() && primary_key.contains(column) {
            errors.push(Error::new(
                column.span(),
                format!(
                    "`{column}` belongs to the primary key, which identifies records; it can be neither masked nor excluded; record it as a keyed hash with `hash({column})` if it is a secret"
                ),
            ));
        }
    }
}

fn refuse_ignored(audited: &AuditedAttributes, primary_key: &[Ident], errors: &mut Vec<Error>) {
    for ListedColumn { column, .. } in &audited.ignore {
        let is_excluded = audited
            .column_policies
            .iter()
            .any(|(policy, of)| *policy == ColumnPolicy::Exclude && of.column == *column);
        let why = if is_excluded {
            "is excluded, so that a change of it alone leaves no record anyway; name it in `exclude` alone"
        } else if primary_key.contains(column) {
            "belongs to the primary key; a change of it is always recorded"
        } else {
            continue;
        };
        errors.push(Error::new(column.span(), format!("`{column}` {why}")));
    }
}

fn refuse_personal_keys(personal: &[ListedColumn], primary_key: &[Ident], errors: &mut Vec<Error>) {
    for ListedColumn { column, .. } in personal {
        if primary_key.contains(column) {
            errors.push(Error::new(
                column.span(),
                format!(
                    "`{column}` belongs to the primary key, which identifies records; it cannot be erased"
                ),
            ));
        }
    }
}

/// Returns the table that Diesel's derives use for a struct without `table_name`, such as
/// `blog_posts` in scope for `BlogPost`.
fn default_table(name: &Ident) -> Ident {
    let mut snake = String::new();
    for (position, c) in name.unraw().to_string().chars().enumerate() {
        if c.is_uppercase() && position > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake.push('s');
    Ident::new(&snake, name.span())
}

#[cfg(test)]
mod tests {
    use super::Model;

    fn mistakes(attribute: &str) -> Vec<String> {
        let model =
            format!("#[diesel(table_name = users)] #[{attribute}] struct User {{ id: i32 }}");
        let (_, errors) = Model::read(&syn::parse_str(&model).expect("Rust"));
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unreadable_attributes_are_mistakes() {
        for attribute in [
            "audited(,)",
            "audited(1)",
            "audited(mask, (email))",
            "audited(mask[email])",
            "audited(mask(email)(phone))",
            "audited(mask(email); exclude(phone))",
            "audited(mask(email phone))",
            "audited(mask(,))",
            "audited(mask('a'))",
            "audited(mask(_))",
            "audited(mask(self))",
            "audited(mask(Self))",
            "audited(mask(crate::email))",
            "audited(mask(email), mask(email))",
            "audited{key}",
            "diesel(table_name)",
            "diesel(table_name =)",
            "diesel(table_name = self)",
            "diesel(primary_key)",
            "diesel(primary_key[id])",
            "diesel(primary_key(id id))",
        ] {
            assert_ne!(mistakes(attribute), [""; 0], "{attribute}");
        }
    }

    #[test]
    fn attributes_of_diesel_are_ignored() {
        for attribute in [
            "diesel",
            "diesel = 1",
            "diesel(,,)",
            "diesel(check_for_backend(Pg),,'a,|x, y| -> z)",
            "diesel(base_query = f::<id, g<1, 2>>(), 7)",
            "diesel_of_another_kind(table_name = users)",
        ] {
            assert_eq!(mistakes(attribute), [""; 0], "{attribute}");
        }
    }
}
