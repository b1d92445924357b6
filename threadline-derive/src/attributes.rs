//! Parsing of `#[audited(...)]`.

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Error, Ident, LitStr, Meta, Path};

use crate::column_policy::ColumnPolicy;
use crate::tokens::{Columns, column_and_table, elements};

/// The keys of the attribute, as written.
#[derive(Default)]
pub(crate) struct AuditedAttributes {
    pub(crate) column_policies: Vec<(ColumnPolicy, ListedColumn)>,
    pub(crate) require_actor: bool,
    pub(crate) columns: Vec<ListedColumn>,
    pub(crate) operations: Vec<Ident>,
    pub(crate) condition: Option<LitStr>,
    pub(crate) ignore: Vec<ListedColumn>,
    pub(crate) keep: Option<LitStr>,
    pub(crate) personal: Vec<ListedColumn>,
    pub(crate) subject: Vec<(ListedColumn, Path)>,
}

/// A column in one of the lists.
pub(crate) struct ListedColumn {
    /// The column, with the span of the attribute that names it.
    pub(crate) column: Ident,
    /// The field by which it was named, if the field has another name.
    pub(crate) field: Option<Ident>,
}

impl From<Ident> for ListedColumn {
    fn from(column: Ident) -> Self {
        Self {
            column,
            field: None,
        }
    }
}

/// One key of the attribute.
enum Key {
    Columns(ColumnPolicy, Vec<ListedColumn>),
    RequireActor,
    Recorded(Vec<ListedColumn>),
    Operations(Vec<Ident>),
    Condition(LitStr),
    Ignore(Vec<ListedColumn>),
    Keep(LitStr),
    Personal(Vec<ListedColumn>),
    Subject(Vec<(ListedColumn, Path)>),
}

/// The operations that can be recorded.
const OPERATIONS: [&str; 4] = ["insert", "update", "delete", "truncate"];

/// The name of each key, its form, and the parser of the tokens after the name. The
/// messages are built from this list.
const KEYS: &[(&str, &str, ReadKey)] = &[
    ("mask", "mask(column, ...)", |rest, errors| {
        read_columns(ColumnPolicy::Mask, rest, errors)
    }),
    ("exclude", "exclude(column, ...)", |rest, errors| {
        read_columns(ColumnPolicy::Exclude, rest, errors)
    }),
    ("require_actor", "require_actor", |_, _| {
        Some(Key::RequireActor)
    }),
    ("columns", "columns(column, ...)", |rest, errors| {
        read_list(rest, errors).map(Key::Recorded)
    }),
    (
        "operations",
        "operations(insert, update, ...)",
        |rest, errors| {
            let operations = Columns::read(rest.next(), errors)?.names;
            for operation in &operations {
                if !OPERATIONS.iter().any(|known| operation == known) {
                    errors.push(Error::new(
                        operation.span(),
                        format!("expected one of {}", OPERATIONS.join(", ")),
                    ));
                }
            }
            Some(Key::Operations(operations))
        },
    ),
    (
        "condition",
        "condition = \"SQL over OLD and NEW\"",
        |rest, _| read_text(rest).map(Key::Condition),
    ),
    ("plain", "plain(column, ...)", |rest, errors| {
        read_columns(ColumnPolicy::Plain, rest, errors)
    }),
    ("hash", "hash(column, ...)", |rest, errors| {
        read_columns(ColumnPolicy::Hash, rest, errors)
    }),
    ("ignore", "ignore(column, ...)", |rest, errors| {
        read_list(rest, errors).map(Key::Ignore)
    }),
    ("keep", "keep = \"7 years\"", |rest, errors| {
        let keep = read_text(rest)?;
        check_interval(&keep, errors);
        Some(Key::Keep(keep))
    }),
    ("personal", "personal(column, ...)", |rest, errors| {
        read_list(rest, errors).map(Key::Personal)
    }),
    ("subject", "subject(column = table, ...)", |rest, _| {
        let Some(TokenTree::Group(list)) = rest.next() else {
            return None;
        };
        let named: Option<Vec<_>> = elements(list.stream())
            .into_iter()
            .map(|element| column_and_table(element).map(|(column, table)| (column.into(), table)))
            .collect();
        named.filter(|named| !named.is_empty()).map(Key::Subject)
    }),
];
type ReadKey = fn(&mut IntoIter, &mut Vec<Error>) -> Option<Key>;

impl AuditedAttributes {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Vec<Error>) -> Self {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("audited")) {
            // `#[audited]` without a list has no keys.
            if let Meta::Path(_) = attribute.meta {
                continue;
            }
            let Meta::List(list) = &attribute.meta else {
                errors.push(Error::new_spanned(
                    &attribute.meta,
                    format!("expected `audited(...)` with any of {}", known_keys()),
                ));
                continue;
            };
            for element in elements(list.tokens.clone()) {
                match read_key(element, errors) {
                    Some(Key::Columns(policy, columns)) => read
                        .column_policies
                        .extend(columns.into_iter().map(|column| (policy, column))),
                    Some(Key::RequireActor) => read.require_actor = true,
                    Some(Key::Recorded(columns)) => read.columns.extend(columns),
                    Some(Key::Operations(operations)) => read.operations.extend(operations),
                    Some(Key::Condition(sql)) => {
                        if read.condition.is_some() {
                            errors.push(Error::new(
                                sql.span(),
                                "a second `condition`; join the two with AND",
                            ));
                        }
                        read.condition = Some(sql);
                    }
                    Some(Key::Ignore(columns)) => read.ignore.extend(columns),
                    Some(Key::Keep(keep)) => {
                        if read.keep.is_some() {
                            errors.push(Error::new(keep.span(), "a second `keep`; choose one"));
                        }
                        read.keep = Some(keep);
                    }
                    Some(Key::Personal(columns)) => read.personal.extend(columns),
                    Some(Key::Subject(named)) => read.subject.extend(named),
                    None => {}
                }
            }
        }
        read
    }
}

fn read_columns(policy: ColumnPolicy, rest: &mut IntoIter, errors: &mut Vec<Error>) -> Option<Key> {
    read_list(rest, errors).map(|columns| Key::Columns(policy, columns))
}

fn read_list(rest: &mut IntoIter, errors: &mut Vec<Error>) -> Option<Vec<ListedColumn>> {
    let names = Columns::read(rest.next(), errors)?.names;
    Some(names.into_iter().map(ListedColumn::from).collect())
}

/// Parses `= "..."` after a key.
fn read_text(rest: &mut IntoIter) -> Option<LitStr> {
    match (rest.next(), rest.next()) {
        (Some(TokenTree::Punct(equals)), Some(TokenTree::Literal(text)))
            if equals.as_char() == '=' =>
        {
            syn::parse2(TokenTree::from(text).into()).ok()
        }
        _ => None,
    }
}

/// Reports a text that is not a length of time. PostgreSQL accepts the same forms.
fn check_interval(keep: &LitStr, errors: &mut Vec<Error>) {
    const UNITS: [&str; 5] = ["day", "week", "month", "year", "decade"];
    let text = keep.value();
    let words: Vec<_> = text.split_whitespace().collect();
    let is_length = !words.is_empty()
        && words.chunks(2).all(|pair| match pair {
            [number, unit] => {
                number.parse::<u16>().is_ok_and(|number| number > 0)
                    && UNITS.contains(&unit.strip_suffix('s').unwrap_or(unit))
            }
            _ => false,
        });
    if !is_length {
        errors.push(Error::new(
            keep.span(),
            "expected a length of time: a number and `days`, `weeks`, `months` or `years`, such as \"7 years\"",
        ));
    }
}

fn read_key(element: TokenStream, errors: &mut Vec<Error>) -> Option<Key> {
    let mut rest = element.clone().into_iter();
    let Some(TokenTree::Ident(name)) = rest.next() else {
        errors.push(Error::new_spanned(
            element,
            format!("expected one of {}", known_keys()),
        ));
        return None;
    };
    let Some((_, form, read)) = KEYS.iter().find(|(key, ..)| name == key) else {
        errors.push(Error::new(
            name.span(),
            format!("unknown key `{name}`; there are {}", known_keys()),
        ));
        return None;
    };
    let Some(key) = read(&mut rest, errors) else {
        errors.push(Error::new_spanned(element, format!("expected `{form}`")));
        return None;
    };
    let rest: TokenStream = rest.collect();
    if !rest.is_empty() {
        errors.push(Error::new_spanned(
            rest,
            format!("expected `,` after `{form}`"),
        ));
    }
    Some(key)
}

fn known_keys() -> String {
    let forms: Vec<_> = KEYS
        .iter()
        .map(|(_, form, _)| format!("`{form}`"))
        .collect();
    forms.join(", ")
}

/// Reports `#[audited(mask)]` on a field, with its form on the struct.
pub(crate) fn refuse_on_field(attributes: &[Attribute], column: &str, errors: &mut Vec<Error>) {
    for attribute in attributes.iter().filter(|a| a.path().is_ident("audited")) {
        let key = match &attribute.meta {
            Meta::List(list) => list.tokens.clone().into_iter().next(),
            _ => None,
        };
        let key = key.map(|key| key.to_string());
        let (_, form, _) = KEYS
            .iter()
            .find(|(name, ..)| key.as_deref() == Some(name))
            .unwrap_or(&KEYS[0]);
        let form = form.replace("column, ...", column);
        errors.push(Error::new_spanned(
            attribute,
            format!("write this on the struct: `#[audited({form})]`"),
        ));
    }
}
