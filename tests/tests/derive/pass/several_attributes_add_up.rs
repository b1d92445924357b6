use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        name -> Text,
        email -> Text,
        phone -> Text,
        password_hash -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email), mask(phone,),)]
#[audited(exclude(password_hash), mask(name))]
#[audited(require_actor)]
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
    assert_eq!(policy.mask, ["email", "phone", "name"]);
    assert_eq!(policy.exclude, ["password_hash"]);
    assert!(policy.require_actor);
    for policy in [Nothing::spec().policy, Silent::spec().policy] {
        assert_eq!(policy, threadline::Policy::default());
    }
}
