use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Ident;

use crate::model::Model;

pub(crate) fn expand(model: &Model) -> TokenStream {
    let Model {
        name,
        generics,
        table,
        primary_key,
        mask,
        exclude,
        require_actor,
    } = model;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let model_name = name.to_string();
    let (key, key_check) = key(model);

    // A column is emitted as the type that `table!` made of it, at the place
    // where the user wrote it: rustc then knows the near name.
    let column_names = |columns: &[Ident]| -> TokenStream {
        columns
            .iter()
            .map(|column| {
                quote_spanned! {column.span()=>
                    <#table::#column as __threadline::diesel::Column>::NAME,
                }
            })
            .collect()
    };
    let mask_names = column_names(mask);
    let exclude_names = column_names(exclude);

    // With a declared key this is seen when the macro runs.
    let key_redacted: TokenStream = if primary_key.is_empty() {
        mask.iter()
            .chain(exclude)
            .map(|column| {
                let message = format!(
                    "`{column}` is the primary key, by which records are found again; it can be neither masked nor excluded"
                );
                quote_spanned! {column.span()=>
                    const _: () = ::core::assert!(
                        !__threadline::is_key_column::<#table::table, #table::#column>(),
                        #message
                    );
                }
            })
            .collect()
    } else {
        TokenStream::new()
    };

    quote! {
        // Columns carry the user's spans, and a path with them looks like the user's.
        #[allow(unused_qualifications)]
        const _: () = {
            use ::threadline::__private as __threadline;

            #[automatically_derived]
            impl #impl_generics __threadline::Audited for #name #type_generics #where_clause {
                type Table = #table::table;
                type Key = #key;

                fn spec() -> __threadline::TableSpec {
                    __threadline::TableSpec::of(
                        #table::table,
                        #model_name,
                        __threadline::Policy::from_derive(
                            &[#mask_names],
                            &[#exclude_names],
                            #require_actor,
                        ),
                    )
                }
            }

            #key_check
            #key_redacted
        };
    }
}

/// The shape of the key, and a check that it is the table's.
fn key(model: &Model) -> (TokenStream, TokenStream) {
    let Model {
        name,
        table,
        primary_key,
        ..
    } = model;
    match primary_key.as_slice() {
        [] => (
            quote! {
                __threadline::SingleKey<<#table::table as __threadline::diesel::Table>::PrimaryKey>
            },
            quote_spanned! {name.span()=>
                const _: fn() = __threadline::assert_single_key::<
                    <#table::table as __threadline::diesel::Table>::PrimaryKey,
                >;
            },
        ),
        [column] => (
            quote! { __threadline::SingleKey<#table::#column> },
            quote_spanned! {column.span()=>
                const _: fn() = __threadline::assert_key::<#table::table, #table::#column>;
            },
        ),
        columns => {
            let span = columns[0].span();
            (
                quote! { __threadline::CompositeKey<(#(#table::#columns,)*)> },
                quote_spanned! {span=>
                    const _: fn() = __threadline::assert_key::<#table::table, (#(#table::#columns,)*)>;
                },
            )
        }
    }
}
