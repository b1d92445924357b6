//! `#[derive(Audited)]`; see the documentation of `threadline`.

mod attributes;
mod column_policy;
mod diesel_attributes;
mod expand;
mod model;
mod tokens;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

/// Makes a Diesel model's table an audited one.
///
/// Stands next to Diesel's own derives and reads `table_name`, `primary_key`,
/// `column_name` and `embed` from their attribute. What is captured is said in
/// `#[audited(...)]`:
///
/// | key | effect |
/// |---|---|
/// | `mask(email, phone)` | stored as a placeholder; that they changed can be seen |
/// | `hash(ssn)` | stored as a keyed hash; that it changed, and changed back, can be seen |
/// | `exclude(password_hash)` | never stored, and a change of it alone leaves no trace |
/// | `plain(token_count)` | stored as it is, though its name looks like a secret's |
/// | `ignore(score, view_count)` | recorded with what else changes; an update of these alone leaves no record |
/// | `keep = "7 years"` | older changes are removed by [`threadline::purge`](https://docs.rs/threadline/latest/threadline/fn.purge.html); without it all are kept |
/// | `require_actor` | a write without an actor is refused |
/// | `columns(status, amount)` | these columns and the key are recorded, and no others, whichever come |
/// | `operations(update, delete)` | of insert, update, delete and truncate, these alone |
/// | `condition = "OLD.status IS DISTINCT FROM NEW.status"` | rows of which this is true; SQL as in the `WHEN` of a trigger, where an insert has no `OLD` and a delete no `NEW` |
///
/// With `operations` or `condition` not every change is recorded, so that nobody can
/// say what a record was at an instant. `columns` and `mask` may go together.
///
/// PostgreSQL evaluates `condition` for each row that is written, as the role that writes, like
/// a `CHECK`: an expression that fails, such as a cast of a text that is no number, fails
/// the write, and its message is PostgreSQL's. And like a trigger's it holds its columns
/// fast: one that it names can be neither dropped nor given another type before the
/// table is audited with another condition.
///
/// A column whose name looks secret (`password`, `api_key`, `card_number`, `pin`) wants
/// one of `exclude`, `mask`, `hash` and `plain`, or to be named in `columns`: before that, no
/// migration is generated.
///
/// Columns are named as in `table!`, or by their field where Diesel knows it
/// under another `column_name`; the model need not have a field for them. A
/// column of the primary key can be neither masked nor excluded; one that
/// is a secret is recorded with `hash`, and records are found by it all the same.
#[proc_macro_derive(Audited, attributes(audited, diesel))]
pub fn derive_audited(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let (model, errors) = model::Model::read(&input);
    let mut tokens = model
        .map(|model| expand::expand(&model))
        .unwrap_or_default();
    if !errors.is_empty() {
        let errors = errors.into_iter().map(|error| error.into_compile_error());
        // Next to the user's items they would silence rustc about unknown
        // columns, and those would come to light only in the next build.
        tokens.extend(quote! { const _: () = { #(#errors)* }; });
    }
    tokens.into()
}
