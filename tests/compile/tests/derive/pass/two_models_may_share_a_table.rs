use diesel::prelude::*;
use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
pub struct User {
    pub id: i32,
    pub email: String,
}

#[derive(Insertable, Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
pub struct NewUser {
    pub email: String,
}

fn main() {
    let models = threadline::models![User, NewUser];
    let [user, new] = models.specs() else { panic!() };
    assert_eq!(user.table, new.table);
    assert_eq!(user.columns, new.columns);
    assert_eq!(user.policy, new.policy);
    assert_eq!((user.model.as_str(), new.model.as_str()), ("User", "NewUser"));
}
