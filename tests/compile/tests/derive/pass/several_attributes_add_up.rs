use threadline::{Audited, AuditedModel, ColumnPolicy};

diesel::table! {
    users (id) {
        id -> Int4,
        name -> Text,
        email -> Text,
        phone -> Text,
        password_hash -> Text,
        token_count -> Int4,
        pin -> Int4,
        ssn -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email), mask(phone,),)]
#[audited(exclude(password_hash), mask(name))]
#[audited(require_actor, plain(token_count))]
#[audited(plain(pin), hash(ssn))]
struct Much;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited]
#[audited()]
struct Nothing;

#[derive(Audited)]
#[diesel(table_name = users)]
struct Silent;

fn main() {
    let policy = Much::spec().policy;
    assert_eq!(policy.columns_with(ColumnPolicy::Mask), ["email", "phone", "name"]);
    assert_eq!(policy.columns_with(ColumnPolicy::Exclude), ["password_hash"]);
    assert!(policy.require_actor);
    assert_eq!(policy.columns_with(ColumnPolicy::Hash), ["ssn"]);
    assert_eq!(policy.columns_with(ColumnPolicy::Plain), ["token_count", "pin"]);
    for policy in [Nothing::spec().policy, Silent::spec().policy] {
        assert_eq!(policy, threadline::Policy::default());
    }
}
