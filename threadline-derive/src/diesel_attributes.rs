//! Parsing of the keys of `#[diesel(...)]` that the derive uses. All other keys are skipped
//! in any form.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Error, Ident, LitStr, Meta, Path};

use crate::tokens::{Columns, elements, identifier, plain};

/// `table_name` and `primary_key` of a struct.
#[derive(Default)]
pub(crate) struct StructAttributes {
    pub(crate) table_name: TableName,
    pub(crate) primary_key: Option<Columns>,
}

#[derive(Default)]
pub(crate) enum TableName {
    #[default]
    Missing,
    Unreadable,
    Path(Path),
}

impl StructAttributes {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Vec<Error>) -> Self {
        let mut read = Self::default();
        for Key {
            name,
            rest,
            written,
        } in keys(attributes)
        {
            if name == "table_name" {
                let path = syn::parse2(after_equals(rest));
                read.table_name = match (read.table_name, path) {
                    (TableName::Path(first), _) => {
                        errors.push(Error::new_spanned(
                            written,
                            "an audited model has one table, and this is the second",
                        ));
                        TableName::Path(first)
                    }
                    (_, Ok(path)) => TableName::Path(path),
                    (_, Err(_)) => {
                        errors.push(Error::new_spanned(
                            written,
                            "expected a path, such as `table_name = crate::schema::users`",
                        ));
                        TableName::Unreadable
                    }
                };
            } else if name == "primary_key" {
                let errors_before = errors.len();
                match Columns::read(rest.into_iter().next(), errors) {
                    // A partly read key would also be reported as a wrong key.
                    Some(columns) if errors.len() == errors_before => {
                        read.primary_key = Some(columns);
                    }
                    Some(_) => {}
                    None => errors.push(Error::new_spanned(
                        written,
                        "expected `primary_key(column, ...)`",
                    )),
                }
            }
        }
        read
    }
}

/// `column_name` of a field.
pub(crate) fn column_name(attributes: &[Attribute], errors: &mut Vec<Error>) -> Option<Ident> {
    let Key { rest, written, .. } = keys(attributes)
        .into_iter()
        .rfind(|key| key.name == "column_name")?;
    let value = after_equals(rest);
    let column = match syn::parse2::<Ident>(value.clone()) {
        Ok(name) => plain(&name),
        Err(_) => syn::parse2::<LitStr>(value)
            .ok()
            .and_then(|name| identifier(&name.value(), name.span())),
    };
    if column.is_none() {
        errors.push(Error::new_spanned(
            written,
            "expected the name of a column in `table!`",
        ));
    }
    column
}

/// A key with what follows it up to the next comma.
struct Key {
    name: Ident,
    rest: TokenStream,
    written: TokenStream,
}

fn keys(attributes: &[Attribute]) -> Vec<Key> {
    let mut keys = vec![];
    for attribute in attributes.iter().filter(|a| a.path().is_ident("diesel")) {
        let Meta::List(list) = &attribute.meta else {
            continue;
        };
        for written in elements(list.tokens.clone()) {
            let mut rest = written.clone().into_iter();
            if let Some(TokenTree::Ident(name)) = rest.next() {
                let rest = rest.collect();
                keys.push(Key {
                    name,
                    rest,
                    written,
                });
            }
        }
    }
    keys
}

fn after_equals(tokens: TokenStream) -> TokenStream {
    tokens.into_iter().skip(1).collect()
}
