use diesel::prelude::*;
use threadline::{Audited, FindingCode, Models};
use threadline_tests::{Database, run};

use super::{fix, trigger};

diesel::table! {
    users (id) { id -> Int8, email -> Text, }
}
diesel::table! {
    blog.posts (id) { id -> Int8, title -> Text, }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
#[allow(dead_code)]
struct User;

#[derive(Audited)]
#[diesel(table_name = posts)]
#[allow(dead_code)]
struct Post;

fn codes(models: &Models, conn: &mut PgConnection) -> Vec<FindingCode> {
    let verification = models.verify().run(conn).unwrap();
    verification
        .findings
        .iter()
        .map(|finding| finding.code.clone())
        .collect()
}

#[test]
fn a_model_that_is_not_in_force_is_found() {
    let (_, conn) = &mut Database::new().connected();
    let models = threadline::models![User, Post];
    assert_eq!(
        codes(&models, conn),
        [
            FindingCode::ModelTableMissing,
            FindingCode::ModelTableMissing
        ]
    );
    run(
        conn,
        "CREATE TABLE users (id bigint PRIMARY KEY, email text); CREATE SCHEMA blog;
         CREATE TABLE posts (id bigint PRIMARY KEY, title text); SELECT threadline.audit('posts');",
    );
    // The one in the other schema does not belong to the model.
    assert_eq!(
        codes(&models, conn),
        [FindingCode::ModelNotAudited, FindingCode::ModelTableMissing]
    );
    run(
        conn,
        "CREATE TABLE blog.posts (id bigint PRIMARY KEY, title text)",
    );
    let verification = models.verify().run(conn).unwrap();
    assert_eq!(
        codes(&models, conn),
        [FindingCode::ModelNotAudited, FindingCode::ModelNotAudited]
    );
    fix(conn, &verification.findings);
    assert_eq!(codes(&models, conn), []);

    run(conn, "SELECT threadline.audit('users')");
    let verification = models.verify().run(conn).unwrap();
    assert_eq!(codes(&models, conn), [FindingCode::PolicyDiffers]);
    assert_eq!(
        verification.findings[0].message,
        "it is audited under another policy than that of model `User`"
    );
    assert_eq!(
        models
            .verify()
            .table("blog.posts")
            .run(conn)
            .unwrap()
            .findings,
        []
    );
    fix(conn, &verification.findings);
    assert_eq!(codes(&models, conn), []);

    let name = trigger(conn, "users", "capture");
    run(conn, &format!("DROP TRIGGER {name} ON users"));
    assert_eq!(codes(&models, conn), [FindingCode::TriggerMissing]);
}
