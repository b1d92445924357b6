//! `#[audited(...)]`.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, Meta, Token, parenthesized};

/// What the model asks for, as written.
#[derive(Default)]
pub(crate) struct AuditedAttributes {
    pub(crate) mask: Vec<Ident>,
    pub(crate) exclude: Vec<Ident>,
    pub(crate) require_actor: bool,
}

/// One key of the attribute.
enum Key {
    Mask(Vec<Ident>),
    Exclude(Vec<Ident>),
    RequireActor,
}

/// The name of each key, how it is written, and how the rest of it is read.
/// The messages are made from this list.
type ReadKey = fn(ParseStream<'_>) -> syn::Result<Key>;
const KEYS: &[(&str, &str, ReadKey)] = &[
    ("mask", "mask(column, ...)", |input| columns(input).map(Key::Mask)),
    ("exclude", "exclude(column, ...)", |input| columns(input).map(Key::Exclude)),
    ("require_actor", "require_actor", |_| Ok(Key::RequireActor)),
];

impl Parse for Key {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        let Some((_, _, read)) = KEYS.iter().find(|(key, ..)| name == key) else {
            let known: Vec<_> = KEYS.iter().map(|(_, form, _)| format!("`{form}`")).collect();
            // Past what belongs to it, so that the keys after it are read too.
            let _ = skip_to_comma(input);
            return Err(syn::Error::new(
                name.span(),
                format!("unknown key `{name}`; there are {}", known.join(", ")),
            ));
        };
        read(input).map_err(|mut error| {
            let form = KEYS.iter().find(|(key, ..)| name == key).map(|(_, form, _)| form);
            error.combine(syn::Error::new(
                name.span(),
                format!("expected `{}`", form.unwrap_or(&"")),
            ));
            error
        })
    }
}

fn columns(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let list;
    parenthesized!(list in input);
    let columns = Punctuated::<Ident, Token![,]>::parse_terminated(&list)?;
    if columns.is_empty() {
        return Err(list.error("names no column"));
    }
    Ok(columns.into_iter().collect())
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

/// A key, or what is wrong with it; reading goes on with the next.
struct Keys(Vec<syn::Result<Key>>);

impl Parse for Keys {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut keys = vec![];
        while !input.is_empty() {
            let key = input.parse::<Key>();
            if key.is_err() {
                skip_to_comma(input)?;
            }
            keys.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Self(keys))
    }
}

impl AuditedAttributes {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Vec<syn::Error>) -> Self {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("audited")) {
            // `#[audited]` alone asks for nothing.
            if let Meta::Path(_) = attribute.meta {
                continue;
            }
            match attribute.parse_args::<Keys>() {
                Ok(Keys(keys)) => {
                    for key in keys {
                        match key {
                            Ok(Key::Mask(columns)) => read.mask.extend(columns),
                            Ok(Key::Exclude(columns)) => read.exclude.extend(columns),
                            Ok(Key::RequireActor) => read.require_actor = true,
                            Err(error) => errors.push(error),
                        }
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        read
    }
}
