//! Roles that can become a role which undoes the protection.

use threadline_tests::{rows, run, value};

use super::Protected;

/// Returns a part of the message of `protect`, with the roles named as in this test.
fn refusal(protected: &mut Protected, prepare: &str) -> String {
    let protection = protected.protection();
    let names: Vec<_> = ["app", "owner", "other"]
        .map(|name| (protected.role(name), name))
        .into();
    let mut prepare = prepare.to_owned();
    for name in ["app", "owner", "other"] {
        prepare = prepare.replace(&format!("<{name}>"), &protected.role(name));
    }
    let admin = &mut protected.admin;
    run(admin, "BEGIN");
    run(admin, &prepare);
    let refusal = protection.apply(admin).expect_err(&prepare).to_string();
    run(admin, "ROLLBACK");
    names
        .iter()
        .fold(refusal, |text, (long, short)| text.replace(long, short))
}

#[test]
fn protection_refuses_roles_that_can_become_what_undoes_it() {
    let mut protected = Protected::new();
    for (prepare, expected) in [
        (
            "ALTER ROLE <other> SUPERUSER; GRANT <other> TO <app>",
            "app is a member of other, which is a superuser, to whom nothing is forbidden: REVOKE other FROM app",
        ),
        (
            "ALTER ROLE <other> CREATEROLE; GRANT <other> TO <app>",
            "app is a member of other, which may create roles, and grant itself others: REVOKE other FROM app",
        ),
        (
            "GRANT <owner> TO <other>; GRANT <other> TO <app>",
            "app can become owner through roles that it is a member of, and that one owns the audit; take it out of them",
        ),
        (
            "GRANT <owner> TO <other>; GRANT <other> TO <app> WITH ADMIN OPTION",
            "app can become owner through roles that it is a member of, and that one owns the audit; take it out of them",
        ),
        (
            "GRANT pg_write_all_data TO <app>",
            "app is a member of pg_write_all_data, which writes every table: REVOKE pg_write_all_data FROM app",
        ),
        (
            "GRANT pg_write_all_data TO <other>; GRANT <other> TO <app>",
            "app can become pg_write_all_data through roles that it is a member of, and that one writes every table; take it out of them",
        ),
        (
            "GRANT pg_execute_server_program TO <app>",
            "app is a member of pg_execute_server_program, which acts on the server as PostgreSQL does: REVOKE pg_execute_server_program FROM app",
        ),
        (
            "GRANT pg_write_server_files TO <app>",
            "app is a member of pg_write_server_files, which acts on the server as PostgreSQL does: REVOKE pg_write_server_files FROM app",
        ),
        (
            "GRANT pg_read_server_files TO <app>",
            "app is a member of pg_read_server_files, which reads the files of the server, and so the passwords of roles: REVOKE pg_read_server_files FROM app",
        ),
    ] {
        assert_eq!(
            refusal(&mut protected, prepare),
            format!("threadline: {expected}"),
            "{prepare}"
        );
    }
    // Also if a membership only lets its member grant it.
    if version(&mut protected) >= 16 {
        assert_eq!(
            refusal(
                &mut protected,
                "GRANT <owner> TO <app> WITH ADMIN TRUE, SET FALSE, INHERIT FALSE"
            ),
            "threadline: app is a member of owner: REVOKE owner FROM app"
        );
        let (app, owner) = (protected.role("app"), protected.role("owner"));
        // This one grants its member nothing.
        run(
            &mut protected.admin,
            &format!("GRANT {owner} TO {app} WITH ADMIN FALSE, SET FALSE, INHERIT FALSE"),
        );
        protected.protect();
    }
    // A reader could, too.
    let auditor = protected.role("auditor");
    let error = refusal(
        &mut protected,
        &format!("GRANT pg_write_all_data TO {auditor}"),
    );
    assert_eq!(
        error,
        format!(
            "threadline: {auditor} is a member of pg_write_all_data, which writes every table: REVOKE pg_write_all_data FROM {auditor}"
        )
    );
    // The owner of the database has this one without being its member.
    let error = threadline::Protection::of_owner("pg_database_owner")
        .application(protected.role("app"))
        .apply(&mut protected.admin)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "threadline: the owner pg_database_owner is a role of PostgreSQL; name one that is there for the audit alone"
    );
}

fn version(protected: &mut Protected) -> i32 {
    let version = value(
        &mut protected.admin,
        "SELECT current_setting('server_version_num')::int / 10000",
    );
    version.unwrap().parse().unwrap()
}

#[test]
fn verify_reports_who_else_can_write_to_a_protected_audit() {
    let mut protected = Protected::new();
    protected.application();
    let names = ["app", "owner", "other"].map(|name| (name, protected.role(name)));
    let mut found = |prepare: &str| {
        let prepare = names
            .iter()
            .fold(prepare.to_owned(), |text, (short, long)| {
                text.replace(&format!("<{short}>"), long)
            });
        run(&mut protected.admin, "BEGIN");
        run(&mut protected.admin, &prepare);
        let found = rows(
            &mut protected.admin,
            "SELECT code, relation, message, fix FROM threadline.table_drift()",
        );
        run(&mut protected.admin, "ROLLBACK");
        found
            .iter()
            .map(|line| {
                names.iter().fold(line.clone(), |text, (short, long)| {
                    text.replace(long, short)
                })
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(found("SELECT"), [""; 0]);
    for (prepare, expected) in [
        (
            "GRANT INSERT, DELETE, SELECT ON threadline.journal TO <other>",
            "audit-exposed | threadline.journal | role other may DELETE, INSERT | REVOKE ALL ON TABLE threadline.journal FROM other;",
        ),
        (
            "GRANT UPDATE (op) ON threadline.ledger_changes TO PUBLIC",
            "audit-exposed | threadline.ledger_changes | role PUBLIC may UPDATE | REVOKE ALL ON TABLE threadline.ledger_changes FROM PUBLIC;",
        ),
        (
            "GRANT USAGE ON SEQUENCE threadline.entry_ids TO <app>",
            "audit-exposed | threadline.entry_ids | role app may USAGE | REVOKE ALL ON SEQUENCE threadline.entry_ids FROM app;",
        ),
        (
            "GRANT SELECT ON threadline.hash_keys TO <app>",
            "audit-exposed | threadline.hash_keys | role app may SELECT | REVOKE ALL ON TABLE threadline.hash_keys FROM app;",
        ),
        (
            "GRANT CREATE ON SCHEMA threadline TO <other>",
            "audit-exposed | threadline | role other may CREATE | REVOKE ALL ON SCHEMA threadline FROM other;",
        ),
        (
            "GRANT EXECUTE ON FUNCTION threadline.suspend(text, text, text, boolean) TO PUBLIC",
            "audit-exposed | threadline.suspend(text,text,text,boolean) | role PUBLIC may EXECUTE | REVOKE ALL ON FUNCTION threadline.suspend(text,text,text,boolean) FROM PUBLIC;",
        ),
        (
            "ALTER ROLE <app> CREATEROLE",
            "audit-exposed | threadline | role app may create roles, and grant itself others | NULL",
        ),
        (
            "ALTER ROLE <app> SUPERUSER",
            "audit-exposed | threadline | role app is a superuser, to whom nothing is forbidden | NULL",
        ),
        (
            "GRANT <owner> TO <other>; GRANT <other> TO <app>",
            "audit-exposed | threadline | role app can become owner, which owns the audit | NULL",
        ),
        (
            "GRANT pg_write_all_data TO <app>",
            "audit-exposed | threadline | role app can become pg_write_all_data, which writes every table | REVOKE pg_write_all_data FROM app;",
        ),
        // The owner of an audited table, named or not.
        (
            "ALTER TABLE items OWNER TO <other>; GRANT <owner> TO <other>",
            "audit-exposed | threadline | role other can become owner, which owns the audit | REVOKE owner FROM other;",
        ),
        (
            "ALTER ROLE <owner> LOGIN",
            "audit-exposed | threadline | role owner owns the audit and can log in; run `audit protect` with an owner that cannot | ALTER ROLE owner NOLOGIN;",
        ),
        // A superuser that restored a dump without this role owns the audit, and is needed.
        (
            "ALTER ROLE <owner> LOGIN SUPERUSER",
            "audit-exposed | threadline | role owner owns the audit and can log in; run `audit protect` with an owner that cannot | NULL",
        ),
    ] {
        assert_eq!(found(prepare), [expected], "{prepare}");
    }
    // Tables of a superuser, whose migrations it runs.
    assert_eq!(found("ALTER TABLE items OWNER TO CURRENT_USER"), [""; 0]);
    // With one role for everything, nothing can be exposed.
    let open = "DROP EVENT TRIGGER threadline_watch; ALTER ROLE <owner> LOGIN; GRANT ALL ON threadline.journal TO <other>";
    assert_eq!(found(open), [""; 0]);
}
