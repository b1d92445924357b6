//! The audit gets an owner of its own.

use threadline_tests::{assert_contains, assert_value, run, value};

use super::{after_quickstart, audit};

#[test]
fn one_command_takes_the_audit_out_of_the_applications_hands() {
    let database = after_quickstart();
    let conn = &mut database.connect();
    let role = |name: &str| format!("{}_{name}", database.name());
    let [owner, app, auditor] = ["owner", "app", "auditor"].map(role);
    run(conn, &format!("CREATE ROLE {app}"));
    let arguments = [
        "protect",
        "--owner",
        &owner,
        "--application",
        &app,
        "--reader",
        &auditor,
    ];

    // The SQL that it would run also works in psql.
    let (printed_well, sql, said) = audit(&database, &[&arguments[..], &["--print"]].concat());
    assert!(printed_well, "{said}");
    assert!(sql.contains(&owner) && sql.contains("ALTER SCHEMA threadline OWNER TO"));
    let owns = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'threadline'";
    assert_ne!(value(conn, owns).as_deref(), Some(owner.as_str()));
    run(conn, &sql);
    assert_value(conn, owns, owner.as_str());

    let (done, said, error) = audit(&database, &arguments);
    assert!(done, "{error}");
    assert_eq!(
        said,
        format!(
            "{owner} owns the audit now. Run this again, with the same roles, after each upgrade of the audit schema.\nAn event trigger records each change of the triggers of audited tables.\n"
        )
    );
    for (role, may_read) in [(&app, "false"), (&auditor, "true")] {
        let may = |what: &str| {
            format!(
                "SELECT has_table_privilege('{role}', 'threadline.audit_changes', '{what}')::text"
            )
        };
        assert_value(conn, &may("SELECT"), may_read);
        for write in ["INSERT", "UPDATE", "DELETE", "TRUNCATE"] {
            assert_eq!(
                value(conn, &may(write)).as_deref(),
                Some("false"),
                "{role} {write}"
            );
        }
    }

    // A role that could undo it is refused, with the way to change that.
    run(conn, &format!("ALTER ROLE {app} CREATEROLE"));
    let (done, _, error) = audit(&database, &arguments);
    assert!(!done);
    assert_contains(&error, &format!("ALTER ROLE {app} NOCREATEROLE"));
}
