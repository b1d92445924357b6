//! The few keys of `#[diesel(...)]` that matter here. Everything else in it is
//! Diesel's business, and passed over whatever its form.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitStr, Meta, Path, Token};

/// `table_name` and `primary_key` of a struct.
#[derive(Default)]
pub(crate) struct StructAttributes {
    pub(crate) table_name: Option<Path>,
    pub(crate) primary_key: Vec<Ident>,
}

impl StructAttributes {
    pub(crate) fn read(attributes: &[Attribute]) -> Self {
        let mut read = Self::default();
        for (name, rest) in keys(attributes) {
            if name == "table_name" {
                read.table_name = syn::parse2(after_equals(rest)).ok();
            } else if name == "primary_key" {
                read.primary_key = rest.into_iter().next().map(names).unwrap_or_default();
            }
        }
        read
    }
}

/// `column_name` of a field.
pub(crate) fn column_name(attributes: &[Attribute]) -> Option<Ident> {
    keys(attributes)
        .into_iter()
        .filter(|(name, _)| name == "column_name")
        .find_map(|(_, rest)| {
            let value = after_equals(rest);
            syn::parse2::<Ident>(value.clone()).ok().or_else(|| {
                let text = syn::parse2::<LitStr>(value).ok()?;
                text.parse().ok()
            })
        })
}

/// Each key with what follows it up to the next comma.
fn keys(attributes: &[Attribute]) -> Vec<(Ident, TokenStream)> {
    let mut keys = vec![];
    for attribute in attributes.iter().filter(|a| a.path().is_ident("diesel")) {
        let Meta::List(list) = &attribute.meta else {
            continue;
        };
        let mut tokens = list.tokens.clone().into_iter().peekable();
        while let Some(token) = tokens.next() {
            let mut rest = vec![];
            while let Some(token) = tokens.next_if(|token| !is_comma(token)) {
                rest.push(token);
            }
            tokens.next();
            if let TokenTree::Ident(name) = token {
                keys.push((name, rest.into_iter().collect()));
            }
        }
    }
    keys
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(p) if p.as_char() == ',' && p.spacing() == Spacing::Alone)
}

fn after_equals(tokens: TokenStream) -> TokenStream {
    tokens.into_iter().skip(1).collect()
}

fn names(group: TokenTree) -> Vec<Ident> {
    let TokenTree::Group(group) = group else {
        return vec![];
    };
    Punctuated::<Ident, Token![,]>::parse_terminated
        .parse2(group.stream())
        .map(|names| names.into_iter().collect())
        .unwrap_or_default()
}
