//! The rights that an audit needs: the right to create a schema in the database.

use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, AuditExt, Filter};
use threadline_tests::{Database, NEWEST, NEXT, assert_value, rows, run, schema_migration};

use super::app::{Post, TABLES, User};

/// A session of a role that owns nothing, is a member of nothing, and may create schemas.
struct Least {
    database: Database,
    conn: PgConnection,
    role: String,
}

impl Least {
    /// Installs the first version of the audit as the role.
    fn with_first_version() -> Self {
        let database = Database::empty();
        let name = database.name();
        let role = format!("{name}_least");
        let mut conn = database.connect();
        run(
            &mut conn,
            &format!(
                "CREATE ROLE {role} LOGIN;
                 REVOKE ALL ON DATABASE {name} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;
                 GRANT CREATE ON DATABASE {name} TO {role};
                 SET SESSION AUTHORIZATION {role};
                 CREATE SCHEMA app; SET search_path = app;
                 BEGIN; {} COMMIT",
                schema_migration(0, NEWEST).up
            ),
        );
        Self {
            database,
            conn,
            role,
        }
    }
}

impl Drop for Least {
    fn drop(&mut self) {
        let conn = &mut self.database.connect();
        run(
            conn,
            &format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", self.role),
        );
    }
}

/// Makes eleven changes of every kind of table, some under a context, and an action.
fn write(conn: &mut PgConnection) {
    let context = AuditContext::new(ActorRef::user(7).unwrap());
    conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
        run(
            conn,
            "INSERT INTO plain VALUES (1, 1), (2, 2); UPDATE plain SET n = 3 WHERE id = 1; DELETE FROM plain;
             INSERT INTO redacted VALUES (1, 's3cr3t', 's3cr3t', 's3cr3t');
             INSERT INTO parts VALUES (1, 'north'); UPDATE parts SET region = 'south'",
        );
        threadline::record_action(conn, "items.made")
    })
    .unwrap();
    run(conn, "TRUNCATE parts, redacted");
}
const CHANGES: &str = "SELECT count(*) FROM threadline.changes";

#[track_caller]
fn is_sound(conn: &mut PgConnection) {
    let mut verified = threadline::Models::new(vec![]).verify().run(conn).unwrap();
    // Some of it was written without an actor.
    verified
        .findings
        .retain(|finding| finding.code != threadline::FindingCode::Unattributed);
    assert_eq!(verified.findings, []);
}

#[test]
fn the_right_to_create_a_schema_suffices_from_the_first_version_to_the_newest() {
    let mut least = Least::with_first_version();
    let conn = &mut least.conn;
    run(
        conn,
        "CREATE TABLE plain (id int PRIMARY KEY, n int);
         CREATE TABLE redacted (id int PRIMARY KEY, email text, password text, ssn text);
         CREATE TABLE parts (id int, region text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
         CREATE TABLE north PARTITION OF parts FOR VALUES IN ('north');
         CREATE TABLE south PARTITION OF parts FOR VALUES IN ('south');
         SELECT threadline.audit('plain'), threadline.audit('parts'),
                threadline.audit('redacted', mask => ARRAY['email'], exclude => ARRAY['password'], hash => ARRAY['ssn'])",
    );
    run(conn, "INSERT INTO plain VALUES (9, 9)");
    assert_value(conn, "SELECT threadline.post()", "1");
    run(conn, "UPDATE plain SET n = 10");

    let step = schema_migration(NEWEST, NEXT);
    for sql in [&step.up, &step.down, &step.up] {
        run(conn, &format!("BEGIN; {sql} COMMIT"));
    }
    assert_value(conn, CHANGES, "2");
    is_sound(conn);
    run(conn, "DELETE FROM plain");
    write(conn);
    assert_value(conn, CHANGES, "14");
    threadline::post(conn).unwrap();
    assert_eq!(threadline::waiting(conn).unwrap().entries, 0);
    assert_value(conn, CHANGES, "14");
    is_sound(conn);

    let page = threadline::timeline(Filter::new()).page(conn).unwrap();
    assert_eq!(page.entries.len(), 14);
    run(
        conn,
        "ALTER TABLE redacted ADD COLUMN more text; SELECT threadline.refresh('redacted');
         SELECT threadline.unaudit('plain'); SELECT threadline.audit('plain')",
    );
    assert_eq!(
        rows(conn, "SELECT error FROM threadline.refresh_all()"),
        ["NULL"; 3]
    );
    write(conn);
    assert_value(conn, CHANGES, "25");
    assert!(
        !least
            .database
            .contents()
            .split("threadline.")
            .skip(1)
            .any(|table| table.contains("s3cr3t"))
    );
}

#[test]
fn the_right_to_create_a_schema_suffices_for_the_installer() {
    let mut least = Least::with_first_version();
    let conn = &mut least.conn;
    run(conn, TABLES);
    let models = threadline::models![User, Post];
    models.install(conn).unwrap();
    assert!(models.status(conn).unwrap().is_current());
    run(
        conn,
        "INSERT INTO users VALUES (1, 'Ada', 's3cr3t', 's3cr3t'); INSERT INTO blog.posts VALUES (1, 1, 't')",
    );
    threadline::post(conn).unwrap();
    assert_value(conn, CHANGES, "2");
    let codes = models.verify().run(conn).unwrap().findings;
    assert!(
        codes
            .iter()
            .all(|finding| finding.code == threadline::FindingCode::Unattributed),
        "{codes:?}"
    );
}
