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

/// Declares the table of a Diesel model as audited.
///
/// Use it next to Diesel's own derives. It reads `table_name`, `primary_key`, `column_name`
/// and `embed` from their attribute. `#[audited(...)]` declares what is captured:
///
/// | key | effect |
/// |---|---|
/// | `mask(email, phone)` | stored as a placeholder; changes are visible, values are not |
/// | `hash(ssn)` | stored as a keyed hash; a change, and a change back, are visible |
/// | `exclude(password_hash)` | never stored, and a change of it alone leaves no record |
/// | `plain(token_count)` | stored plain, although its name suggests a secret |
/// | `ignore(score, view_count)` | recorded together with other changes; an update of only these columns leaves no record |
/// | `personal(email)` | the columns with personal data, which `audit erase` makes unreadable |
/// | `subject(user_id = users)` | the column that names the person to whom a row belongs, and the table of that person |
/// | `keep = "7 years"` | older changes are removed by [`threadline::purge`](https://docs.rs/threadline/latest/threadline/fn.purge.html); without it, all changes are kept |
/// | `require_actor` | a write without an actor is refused |
/// | `columns(status, amount)` | only these columns and the key are recorded, also if columns are added later |
/// | `operations(update, delete)` | only these of insert, update, delete and truncate are recorded |
/// | `operations(update), condition = "OLD.status IS DISTINCT FROM NEW.status"` | only rows for which the condition is true are recorded; it is SQL as in the `WHEN` of a trigger |
///
/// Not every value of a column with `ignore` is recorded. A row at an instant has its present
/// value, or the last one if the row was deleted, so this value is not evidence of the past.
/// A revert neither compares nor restores the column.
///
/// With `operations` or `condition` not every change is recorded, so the state of a record
/// at an instant cannot be queried. `columns` and `mask` can be combined.
///
/// An insert has no `OLD` and a delete has no `NEW`. If `condition` uses one of them, name in
/// `operations` those operations that have it; otherwise PostgreSQL refuses the trigger.
///
/// PostgreSQL evaluates `condition` for each row that is written, as the role that writes,
/// like a `CHECK`. If the expression fails, such as a cast of a text that is not a number,
/// the write fails with PostgreSQL's message. Like the condition of a trigger, it depends
/// on its columns: a column that it names can be neither dropped nor given another type
/// until the table is audited with another condition.
///
/// A column whose name suggests a secret (`password`, `api_key`, `card_number`, `pin`)
/// needs one of `exclude`, `mask`, `hash` and `plain`, or must be named in `columns`.
/// Otherwise no migration is generated.
///
/// Name a column as in `table!`, or by the name of its field if that differs
/// (`column_name`). The model may lack a field for the column. A column of the primary key can
/// be neither masked nor excluded, because it identifies records. If the key is a secret,
/// use `hash`: the hash then identifies the record.
#[proc_macro_derive(Audited, attributes(audited, diesel))]
pub fn derive_audited(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let (model, errors) = model::Model::read(&input);
    let mut tokens = model
        .map(|model| expand::expand(&model))
        .unwrap_or_default();
    if !errors.is_empty() {
        let errors = errors.into_iter().map(|error| error.into_compile_error());
        // Next to the user's items, these errors would hide rustc's errors about unknown
        // columns until the next build.
        tokens.extend(quote! { const _: () = { #(#errors)* }; });
    }
    tokens.into()
}
