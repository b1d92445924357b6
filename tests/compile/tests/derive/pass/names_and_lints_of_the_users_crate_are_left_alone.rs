#![deny(warnings, unused, nonstandard_style, unused_qualifications, unreachable_pub)]
#![deny(single_use_lifetimes, unused_lifetimes, unused_results, variant_size_differences)]
#![forbid(unsafe_code)]

mod schema {
    diesel::table! {
        users (id) {
            id -> Int4,
            email -> Text,
            phone -> Text,
        }
    }
}

mod model {
    #![no_implicit_prelude]

    use crate::schema::users;

    pub(crate) mod core {}
    pub(crate) mod diesel {}
    pub(crate) mod threadline {}
    pub(crate) struct Audited;
    pub(crate) struct Policy;
    pub(crate) struct TableSpec;

    #[derive(::threadline::Audited)]
    #[diesel(table_name = users)]
    #[audited(mask(email), exclude(mobile))]
    pub(crate) struct User {
        #[diesel(column_name = phone)]
        pub(crate) mobile: (),
    }
}

fn main() {
    let user = model::User { mobile: () };
    let () = user.mobile;
    let _ = (model::Audited, model::Policy, model::TableSpec);
    let policy = <model::User as threadline::AuditedModel>::spec().policy;
    assert_eq!(policy.columns_with(threadline::ColumnPolicy::Mask), ["email"]);
    assert_eq!(policy.columns_with(threadline::ColumnPolicy::Exclude), ["phone"]);
}
