//! Parsing of attributes token by token, so that a mistake in one element of a list does
//! not affect the others.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::{Error, Ident, Path};

/// Splits tokens at commas. A comma without an element before it becomes the element, as
/// the place of the error.
pub(crate) fn elements(tokens: TokenStream) -> Vec<TokenStream> {
    let mut elements = vec![];
    let mut element = vec![];
    for token in tokens {
        match &token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                if element.is_empty() {
                    element.push(token);
                }
                elements.push(element.drain(..).collect());
            }
            _ => element.push(token),
        }
    }
    if !element.is_empty() {
        elements.push(element.into_iter().collect());
    }
    elements
}

/// A list of columns such as `(email, phone)`.
pub(crate) struct Columns {
    pub(crate) names: Vec<Ident>,
    pub(crate) span: Span,
}

impl Columns {
    /// Returns `None` if this is not a list, or an empty one.
    pub(crate) fn read(list: Option<TokenTree>, errors: &mut Vec<Error>) -> Option<Self> {
        let Some(TokenTree::Group(list)) = list else {
            return None;
        };
        if list.delimiter() != Delimiter::Parenthesis || list.stream().is_empty() {
            return None;
        }
        let names = elements(list.stream())
            .into_iter()
            .filter_map(|element| column(element).map_err(|error| errors.push(error)).ok())
            .collect();
        Some(Self {
            names,
            span: list.span(),
        })
    }
}

fn column(element: TokenStream) -> syn::Result<Ident> {
    let mut tokens = element.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(name)), None) => plain(&name),
        _ => None,
    }
    .ok_or_else(|| {
        Error::new_spanned(
            element,
            "expected only the name of a column, as in `table!`",
        )
    })
}

/// Parses `user_id = users`.
pub(crate) fn column_and_table(element: TokenStream) -> Option<(Ident, Path)> {
    let mut tokens = element.into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(name)), Some(TokenTree::Punct(equals)))
            if equals.as_char() == '=' =>
        {
            Some((plain(&name)?, syn::parse2(tokens.collect()).ok()?))
        }
        _ => None,
    }
}

/// Normalizes an identifier: `r#email` becomes `email`, and `type` becomes `r#type`.
pub(crate) fn plain(ident: &Ident) -> Option<Ident> {
    identifier(&ident.unraw().to_string(), ident.span())
}

/// Returns a name as an identifier, which is raw only if the name is a keyword.
pub(crate) fn identifier(name: &str, span: Span) -> Option<Ident> {
    // Checked here, because rustc's parser would report an unreadable name itself, without
    // a location in the user's code.
    let readable = name.chars().all(|c| c == '_' || c.is_alphanumeric())
        && name.starts_with(|c| c == '_' || char::is_alphabetic(c))
        && !matches!(name, "_" | "self" | "Self" | "super" | "crate");
    if !readable {
        return None;
    }
    let mut ident = syn::parse_str::<Ident>(name)
        .or_else(|_| syn::parse_str(&format!("r#{name}")))
        .ok()?;
    ident.set_span(span);
    Some(ident)
}
