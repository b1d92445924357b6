//! A model as the derive understands it.

use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, Generics, Ident, Path};

use crate::attributes::AuditedAttributes;
use crate::diesel_attributes::{self, StructAttributes};

pub(crate) struct Model {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) table: Path,
    /// As declared; empty when the model leaves it to `table!`.
    pub(crate) primary_key: Vec<Ident>,
    pub(crate) mask: Vec<Ident>,
    pub(crate) exclude: Vec<Ident>,
    pub(crate) require_actor: bool,
}

/// A field that stands for a column of another name.
struct Renamed {
    field: Ident,
    column: Ident,
}

impl Model {
    /// The model, as far as it can be made out, and everything that is wrong
    /// with it.
    pub(crate) fn read(input: &DeriveInput) -> (Option<Self>, Vec<syn::Error>) {
        let mut errors = vec![];
        let Data::Struct(data) = &input.data else {
            errors.push(syn::Error::new(
                input.ident.span(),
                "only a struct with a table of its own can be audited",
            ));
            return (None, errors);
        };
        let StructAttributes {
            table_name,
            primary_key,
        } = StructAttributes::read(&input.attrs);
        let AuditedAttributes {
            mask,
            exclude,
            require_actor,
        } = AuditedAttributes::read(&input.attrs, &mut errors);

        refuse_on_fields(&data.fields, &mut errors);
        let (renamed, columns) = columns_of(&data.fields);
        let mut resolve = |names: Vec<Ident>| -> Vec<Ident> {
            names
                .into_iter()
                .filter_map(|name| {
                    resolve_column(name, &renamed, &columns)
                        .map_err(|error| errors.push(error))
                        .ok()
                })
                .collect()
        };
        let mask = resolve(mask);
        let exclude = resolve(exclude);
        refuse_contradictions(&mask, &exclude, &primary_key, &mut errors);

        let Some(table) = table_name else {
            errors.push(syn::Error::new(
                input.ident.span(),
                format!(
                    "which table is audited? Say it as for Diesel's derives: `#[diesel(table_name = crate::schema::{}s)]`",
                    snake_case(&input.ident)
                ),
            ));
            return (None, errors);
        };
        let model = Self {
            name: input.ident.clone(),
            generics: input.generics.clone(),
            table,
            primary_key,
            mask,
            exclude,
            require_actor,
        };
        (Some(model), errors)
    }
}

fn refuse_on_fields(fields: &Fields, errors: &mut Vec<syn::Error>) {
    for field in fields {
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("audited")) {
            let column = field.ident.as_ref().map_or("column".to_owned(), Ident::to_string);
            errors.push(syn::Error::new_spanned(
                attribute,
                format!("write this on the struct: `#[audited(mask({column}))]`"),
            ));
        }
    }
}

/// The renamed fields, and the columns of all fields.
fn columns_of(fields: &Fields) -> (Vec<Renamed>, Vec<Ident>) {
    let mut renamed = vec![];
    let mut columns = vec![];
    for field in fields {
        match (diesel_attributes::column_name(&field.attrs), &field.ident) {
            (Some(column), Some(name)) if column.unraw() != name.unraw() => {
                columns.push(column.clone());
                renamed.push(Renamed {
                    field: name.clone(),
                    column,
                });
            }
            (Some(column), _) => columns.push(column),
            (None, Some(name)) => columns.push(name.clone()),
            (None, None) => {}
        }
    }
    (renamed, columns)
}

/// The column that a name in `#[audited(...)]` means, at that name's place. A
/// field that Diesel knows under another column name may be named either way,
/// unless the two ways mean different columns.
fn resolve_column(name: Ident, renamed: &[Renamed], columns: &[Ident]) -> syn::Result<Ident> {
    let Some(by_field) = renamed.iter().find(|r| r.field.unraw() == name.unraw()) else {
        return Ok(name);
    };
    if columns.iter().any(|column| column.unraw() == name.unraw()) {
        return Err(syn::Error::new(
            name.span(),
            format!(
                "`{name}` is the field of column `{column}` and also the column of another field; rename one of the fields",
                column = by_field.column
            ),
        ));
    }
    let mut column = by_field.column.clone();
    column.set_span(name.span());
    Ok(column)
}

fn refuse_contradictions(
    mask: &[Ident],
    exclude: &[Ident],
    primary_key: &[Ident],
    errors: &mut Vec<syn::Error>,
) {
    for column in mask.iter().filter(|column| exclude.contains(column)) {
        errors.push(syn::Error::new(
            column.span(),
            format!(
                "`{column}` is both masked and excluded; keep it in `mask` if a change of it should be seen, in `exclude` if not"
            ),
        ));
    }
    for column in mask.iter().chain(exclude).filter(|column| primary_key.contains(column)) {
        errors.push(syn::Error::new(
            column.span(),
            format!(
                "`{column}` belongs to the primary key, by which records are found again; it can be neither masked nor excluded"
            ),
        ));
    }
}

fn snake_case(name: &Ident) -> Ident {
    let mut snake = String::new();
    for (position, c) in name.to_string().chars().enumerate() {
        if c.is_uppercase() && position > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    format_ident!("{snake}")
}
