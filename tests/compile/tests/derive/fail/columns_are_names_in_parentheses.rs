use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask = "email")]
struct Assigned;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask)]
struct Nothing;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask("email"))]
struct Text;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(users::email, self, _))]
struct Path;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email,, phone))]
struct Gap;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(require_actor(true))]
struct Flag;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email) require_actor)]
struct Comma;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited("mask(email)")]
struct Key;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited = "mask(email)"]
struct Attribute;

fn main() {}
