//! The uses of a source file within its own crate, read from its tokens: so that macros
//! count, and comments and tests do not.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A name directly below the crate, and the line where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) name: String,
    pub(super) line: usize,
}

/// Returns the uses of a file whose module is `depth` modules below the crate.
pub(super) fn of_file(text: &str, depth: usize) -> Result<Vec<Use>, String> {
    let tokens: TokenStream = text
        .parse()
        .map_err(|error: proc_macro2::LexError| format!("{error}"))?;
    let mut uses = vec![];
    read(&tokens.into_iter().collect::<Vec<_>>(), depth, &mut uses);
    Ok(uses)
}

/// Returns the modules of a file's module that only tests have, in files of their own.
pub(super) fn test_modules(text: &str) -> Result<Vec<String>, String> {
    let tokens: TokenStream = text
        .parse()
        .map_err(|error: proc_macro2::LexError| format!("{error}"))?;
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let declared = tokens.windows(5).filter_map(|five| match five {
        [hash, attribute, module, name, end]
            if is_punct(hash, '#')
                && is_for_tests(attribute)
                && is(module, "mod")
                && is_punct(end, ';') =>
        {
            Some(name.to_string())
        }
        _ => None,
    });
    Ok(declared.collect())
}

/// Returns the modules that `lib.rs` declares, and for each name that it reexports the
/// module that it comes from.
pub(super) fn of_lib(text: &str) -> Result<(Vec<String>, BTreeMap<String, String>), String> {
    let tokens: TokenStream = text
        .parse()
        .map_err(|error: proc_macro2::LexError| format!("{error}"))?;
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut modules = vec![];
    let mut reexports = BTreeMap::new();
    for (index, token) in tokens.iter().enumerate() {
        if is(token, "mod") && tokens.get(index + 2).is_some_and(|t| is_punct(t, ';')) {
            modules.push(tokens[index + 1].to_string());
        }
        if is(token, "use") {
            let from = tokens.get(index + 1).map(ToString::to_string);
            let end = tokens[index..]
                .iter()
                .position(|t| is_punct(t, ';'))
                .map_or(tokens.len(), |length| index + length);
            for name in leaves(&tokens[index + 1..end]) {
                reexports.insert(name, from.clone().unwrap_or_default());
            }
        }
    }
    reexports.retain(|_, module| modules.contains(module));
    Ok((modules, reexports))
}

/// Returns the names that a `use` imports.
fn leaves(tokens: &[TokenTree]) -> Vec<String> {
    let mut names = vec![];
    for part in tokens.split(|token| is_punct(token, ',')) {
        match part.last() {
            Some(TokenTree::Group(group)) => {
                names.extend(leaves(&group.stream().into_iter().collect::<Vec<_>>()));
            }
            Some(TokenTree::Ident(name)) => names.push(name.to_string()),
            _ => {}
        }
    }
    names
}

fn read(tokens: &[TokenTree], depth: usize, uses: &mut Vec<Use>) {
    let mut at = 0;
    while at < tokens.len() {
        if let Some(length) = attribute(&tokens[at..]) {
            let is_test = is_for_tests(&tokens[at + 1]);
            at += length;
            if is_test {
                at += item(&tokens[at..]);
            }
            continue;
        }
        match &tokens[at] {
            // Rust knows no item of these names, so this is where a path begins.
            token if is(token, "crate") => at += path(&tokens[at..], 1, uses),
            token if is(token, "super") && depth > 0 => {
                let mut ups = 1;
                let mut next = at + 3;
                while tokens.get(next).is_some_and(|token| is(token, "super")) {
                    ups += 1;
                    next += 3;
                }
                if ups == depth {
                    at = next - 3;
                    at += path(&tokens[at..], 1, uses);
                } else {
                    at = next;
                }
            }
            token if is(token, "mod") => {
                if let Some(TokenTree::Group(body)) = tokens.get(at + 2) {
                    let inner: Vec<_> = body.stream().into_iter().collect();
                    read(&inner, depth + 1, uses);
                    at += 2;
                }
                at += 1;
            }
            TokenTree::Group(group) => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                read(&inner, depth, uses);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Reads `crate::name` or `crate::{a, b::c}`, and returns the number of tokens read.
fn path(tokens: &[TokenTree], start: usize, uses: &mut Vec<Use>) -> usize {
    let colons = [start, start + 1]
        .iter()
        .all(|at| tokens.get(*at).is_some_and(|token| is_punct(token, ':')));
    if !colons {
        return start;
    }
    match tokens.get(start + 2) {
        Some(TokenTree::Ident(name)) => {
            // A macro of the crate belongs to no module.
            if !tokens.get(start + 3).is_some_and(|t| is_punct(t, '!')) {
                uses.push(Use {
                    name: name.to_string(),
                    line: name.span().start().line,
                });
            }
            start + 3
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<_> = group.stream().into_iter().collect();
            for part in inner.split(|token| is_punct(token, ',')) {
                if let Some(TokenTree::Ident(name)) = part.first() {
                    uses.push(Use {
                        name: name.to_string(),
                        line: name.span().start().line,
                    });
                }
            }
            start + 3
        }
        _ => start + 2,
    }
}

/// Returns the number of tokens of an attribute, if one begins here.
fn attribute(tokens: &[TokenTree]) -> Option<usize> {
    let hash = is_punct(tokens.first()?, '#');
    match tokens.get(1)? {
        TokenTree::Group(group) if hash && group.delimiter() == Delimiter::Bracket => Some(2),
        _ => None,
    }
}

/// Returns whether an attribute is `[cfg(test)]`, or `[cfg(all(test, …))]`.
fn is_for_tests(attribute: &TokenTree) -> bool {
    let text = attribute.to_string().replace(' ', "");
    text == "[cfg(test)]" || text.starts_with("[cfg(all(test,")
}

/// Returns the number of tokens of an item, which ends with its body or a semicolon.
fn item(tokens: &[TokenTree]) -> usize {
    let end = tokens.iter().position(|token| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_punct(token, ';'),
    });
    end.map_or(tokens.len(), |end| end + 1)
}

fn is(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

fn is_punct(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == punct)
}

#[cfg(test)]
mod tests {
    use super::{of_file, of_lib, test_modules};

    fn names(text: &str, depth: usize) -> Vec<(String, usize)> {
        of_file(text, depth)
            .unwrap()
            .into_iter()
            .map(|found| (found.name, found.line))
            .collect()
    }

    #[test]
    fn paths_of_every_form_are_found_with_their_lines() {
        let text = "\
use crate::run;
use crate::{sql::Literal, Error as E};
use super::sibling;
use super::super::model::Key;
macro_rules! m { () => { $crate::telemetry::count() }; }
fn f() -> crate::error::Error { crate::models![] }
mod inner { use super::super::super::forms; }
";
        let found = names(text, 2);
        let found: Vec<_> = found.iter().map(|(n, line)| (n.as_str(), *line)).collect();
        assert_eq!(
            found,
            [
                ("run", 1),
                ("sql", 2),
                ("Error", 2),
                ("model", 4),
                ("telemetry", 5),
                ("error", 6),
                ("forms", 7),
            ]
        );
    }

    #[test]
    fn comments_and_tests_do_not_count() {
        let text = "\
/// See [`Models`](crate::Models).
fn f() {}
#[cfg(test)]
mod tests { use crate::model; }
#[cfg(all(test, unix))]
mod random;
";
        assert!(names(text, 1).is_empty());
        assert_eq!(test_modules(text).unwrap(), ["random"]);
    }

    #[test]
    fn a_crates_modules_and_reexports_are_read() {
        let text =
            "mod a; pub mod b; pub use a::{X, inner::Y as Z}; pub use b::W; pub use other::V;";
        let (modules, reexports) = of_lib(text).unwrap();
        assert_eq!(modules, ["a", "b"]);
        let reexports: Vec<_> = reexports.into_iter().collect();
        let expected = [("W", "b"), ("X", "a"), ("Z", "a")];
        assert_eq!(
            reexports,
            expected.map(|(n, m)| (n.to_owned(), m.to_owned()))
        );
    }
}
