use threadline::Audited;

mod schema {
    diesel::table! {
        users (id) {
            id -> Int4,
            email -> Text,
        }
    }
}

mod relative {
    use threadline::Audited;

    #[derive(Audited)]
    #[diesel(table_name = super::schema::users)]
    #[audited(mask(email))]
    pub struct User;
}

mod own {
    use threadline::Audited;

    pub use crate::schema::users;

    #[derive(Audited)]
    #[diesel(table_name = self::users)]
    #[audited(mask(mail))]
    pub struct User {
        #[diesel(column_name = email)]
        pub mail: String,
    }
}

mod imported {
    use threadline::Audited;

    use crate::schema::users;

    #[derive(Audited)]
    #[diesel(table_name = users)]
    #[audited(mask(email))]
    pub struct User {
        #[diesel(column_name = email)]
        pub users: String,
    }
}

mod renamed {
    use crate::schema::users as people;

    #[derive(threadline::Audited)]
    #[diesel(table_name = people)]
    #[audited(mask(people))]
    pub struct User {
        #[diesel(column_name = email)]
        pub people: String,
    }
}

#[derive(Audited)]
#[diesel(table_name = schema::users)]
#[audited(mask(email))]
struct Near;

#[derive(Audited)]
#[diesel(table_name = crate::schema::users)]
#[audited(mask(email))]
struct Absolute;

fn main() {
    use schema::users;

    #[derive(Audited)]
    #[diesel(table_name = users)]
    #[audited(mask(mail))]
    struct Local {
        #[diesel(column_name = email)]
        mail: String,
    }

    let models = threadline::models![
        relative::User,
        own::User,
        imported::User,
        renamed::User,
        Near,
        Absolute,
        Local,
    ];
    assert_eq!(models.specs().len(), 7);
    for spec in models.specs() {
        assert_eq!(spec.table, r#""users""#);
        assert_eq!(spec.policy.columns_with(threadline::ColumnPolicy::Mask), ["email"]);
    }
}
