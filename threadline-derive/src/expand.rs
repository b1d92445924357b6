use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, LitStr, Path};

use crate::attributes::ListedColumn;
use crate::model::{Model, two_meanings};
use crate::tokens::Columns;

pub(crate) fn expand(model: &Model) -> TokenStream {
    let Model {
        name,
        generics,
        table,
        primary_key,
        audited,
    } = model;
    let require_actor = audited.require_actor;
    let operations = audited.operations.iter().map(Ident::to_string);
    let optional = |text: &Option<LitStr>| match text {
        Some(text) => quote! { ::core::option::Option::Some(#text) },
        None => quote! { ::core::option::Option::None },
    };
    let condition = optional(&audited.condition);
    let keep = optional(&audited.keep);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let model_name = name.unraw().to_string();
    let (key, key_check) = key(model);

    // A column is emitted as its type from `table!`, with the span of the user's code, so
    // that rustc can suggest a similar name.
    let column_names = |columns: &[ListedColumn]| -> TokenStream {
        columns
            .iter()
            .map(|ListedColumn { column, .. }| {
                quote_spanned! {column.span()=>
                    <#table::#column as __threadline::diesel::Column>::NAME,
                }
            })
            .collect()
    };
    let policies: TokenStream = audited
        .column_policies
        .iter()
        .map(|(policy, ListedColumn { column, .. })| {
            let variant = Ident::new(policy.variant(), column.span());
            quote_spanned! {column.span()=>
                (
                    <#table::#column as __threadline::diesel::Column>::NAME,
                    __threadline::ColumnPolicy::#variant,
                ),
            }
        })
        .collect();
    let recorded_names = column_names(&audited.columns);
    let ignore_names = column_names(&audited.ignore);
    let personal_names = column_names(&audited.personal);
    let subjects = audited
        .subject
        .iter()
        .map(|(ListedColumn { column, .. }, named)| {
            let name = quote_spanned! {column.span()=>
                <#table::#column as __threadline::diesel::Column>::NAME
            };
            quote! { (#name, __threadline::table_name(#named::table)) }
        });
    let with_policy = audited.column_policies.iter().map(|(_, column)| column);
    let field_checks: TokenStream = with_policy
        .chain(&audited.columns)
        .chain(&audited.ignore)
        .chain(&audited.personal)
        .chain(audited.subject.iter().map(|(column, _)| column))
        .filter_map(|redacted| field_check(table, redacted))
        .collect();

    // If the key is declared, the macro itself checks this.
    let key_redacted: TokenStream = if primary_key.is_none() {
        audited
            .column_policies
            .iter()
            .filter(|(policy, _)| !policy.suits_a_key())
            .map(|(_, redacted)| (redacted, "be neither masked nor excluded"))
            .chain(
                audited
                    .personal
                    .iter()
                    .map(|column| (column, "not be personal")),
            )
            .map(|(redacted, how)| key_redacted(table, redacted, how))
            .collect()
    } else {
        TokenStream::new()
    };

    quote! {
        // Columns carry the user's spans, and a path with them looks like the user's.
        #[allow(unused_qualifications)]
        const _: () = {
            use ::threadline::__private as __threadline;
            type __Table = #table::table;
            type __Key = <__Table as __threadline::diesel::Table>::PrimaryKey;

            #[automatically_derived]
            impl #impl_generics __threadline::AuditedModel for #name #type_generics #where_clause {
                type Table = #table::table;
                type Key = #key;

                fn spec() -> __threadline::TableSpec {
                    __threadline::TableSpec::of(
                        #table::table,
                        #model_name,
                        __threadline::Policy::from_derive(&__threadline::DerivedPolicy {
                            column_policies: &[#policies],
                            require_actor: #require_actor,
                            columns: &[#recorded_names],
                            operations: &[#(#operations),*],
                            condition: #condition,
                            ignore: &[#ignore_names],
                            keep: #keep,
                            personal: &[#personal_names],
                            subject: ::std::vec![#(#subjects),*],
                        }),
                    )
                }
            }

            #key_check
            #key_redacted
            #field_checks
        };
    }
}

/// Returns the type of the key, and a check that it is the key of the table.
fn key(model: &Model) -> (TokenStream, TokenStream) {
    let Model {
        name,
        table,
        primary_key,
        ..
    } = model;
    let Some(Columns { names, span }) = primary_key else {
        return (
            quote! {
                __threadline::SingleKey<<#table::table as __threadline::diesel::Table>::PrimaryKey>
            },
            quote_spanned! {name.span()=>
                const __KEY: &str = __threadline::single_key_name::<__Key>();
            },
        );
    };
    let (shape, columns) = match names.as_slice() {
        [column] => (quote! { SingleKey }, quote! { #table::#column }),
        columns => (quote! { CompositeKey }, quote! { (#(#table::#columns,)*) }),
    };
    (
        quote! { __threadline::#shape<#columns> },
        quote_spanned! {*span=>
            const _: fn() = __threadline::assert_key::<__Key, #columns>;
        },
    )
}

fn key_redacted(
    table: &Path,
    ListedColumn { column, .. }: &ListedColumn,
    how: &str,
) -> TokenStream {
    let message = format!("`{column}` is the primary key, which identifies records; it can {how}");
    quote_spanned! {column.span()=>
        const _: () = ::core::assert!(
            !__threadline::same_name(
                __KEY,
                <#table::#column as __threadline::diesel::Column>::NAME,
            ),
            #message
        );
    }
}

/// Reports a column that was named by its field if the table also has a column of the
/// field's name that the model leaves out. The user may have meant that column, and it
/// would be stored plain.
fn field_check(table: &Path, ListedColumn { column, field }: &ListedColumn) -> Option<TokenStream> {
    let field = field.as_ref()?;
    let message = two_meanings(field, column, "rename the field");
    let check = quote_spanned! {field.span()=>
        ::core::assert!(__threadline::same_name(MEANT, REDACTED), #message);
    };
    Some(quote! {
        #[allow(dead_code, non_camel_case_types, unused_imports)]
        const _: () = {
            use #table::columns as __columns;
            const REDACTED: &str = <__columns::#column as __threadline::diesel::Column>::NAME;
            const _: () = {
                type #field = __columns::#column;
                const _: () = {
                    // Shadows the alias if there is such a column.
                    use __columns::*;
                    const MEANT: &str = <#field as __threadline::diesel::Column>::NAME;
                    #check
                };
            };
        };
    })
}
