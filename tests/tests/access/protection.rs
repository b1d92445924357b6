use threadline::Protection;
use threadline_tests::{Database, NEWEST, assert_rows, rows, run, schema_migration, value};

use super::{ITEMS, Protected, forbidden, refused};

fn owners(protected: &mut Protected) -> Vec<String> {
    rows(
        &mut protected.admin,
        "SELECT DISTINCT owner::regrole FROM (
             SELECT nspowner AS owner FROM pg_namespace WHERE nspname = 'threadline'
             UNION ALL SELECT relowner FROM pg_class WHERE relnamespace = 'threadline'::regnamespace
             UNION ALL SELECT proowner FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace
             UNION ALL SELECT typowner FROM pg_type WHERE typnamespace = 'threadline'::regnamespace
         ) AS objects",
    )
}

#[test]
fn everything_in_the_schema_has_the_one_owner_and_who_asks_for_the_status_sees_it() {
    let mut protected = Protected::new();
    protected.application();
    assert_eq!(owners(&mut protected), [protected.role("owner")]);
    let status = threadline::Models::new(vec![])
        .status(&mut protected.session("app"))
        .unwrap();
    assert_eq!(status.owner, Some(protected.role("owner")));
}

#[test]
fn a_capture_built_for_other_columns_is_no_alteration() {
    let (app, protected) =
        &mut Protected::with_items("ALTER TABLE items ADD more numeric, ADD doc json");
    let error = protected.refusal();
    assert_eq!(
        error,
        "threadline: the columns or keys of some tables changed since their capture functions were built, so the functions cannot be compared with what Threadline writes; rebuild them, and protect the audit again:\n  SELECT threadline.refresh('public.items');"
    );
    run(app, "SELECT threadline.refresh('public.items')");
    protected.protect();
}

#[test]
fn protecting_again_changes_nothing_and_takes_in_what_came_since() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let rights = "SELECT o.name, a.grantee, a.privilege_type FROM (
        SELECT oid::regclass::text AS name, relacl AS acl FROM pg_class WHERE relnamespace IN ('threadline'::regnamespace, 'public'::regnamespace)
        UNION ALL SELECT oid::regprocedure::text, proacl FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace
        UNION ALL SELECT nspname, nspacl FROM pg_namespace) AS o, aclexplode(o.acl) AS a
        WHERE a.grantee <> (SELECT nspowner FROM pg_namespace WHERE nspname = 'threadline') ORDER BY 1, 2, 3";
    let before = rows(&mut protected.admin, rights);
    protected.protect();
    assert_eq!(rows(&mut protected.admin, rights), before);

    // The state after an administrator installs a table or a function again.
    run(
        &mut protected.admin,
        "ALTER TABLE threadline.suspensions OWNER TO CURRENT_USER; GRANT INSERT ON threadline.suspensions TO PUBLIC;
         ALTER FUNCTION threadline.post(integer) OWNER TO CURRENT_USER",
    );
    protected.protect();
    assert_eq!(owners(protected), [protected.role("owner")]);
    assert_eq!(rows(&mut protected.admin, rights), before);
    forbidden(app, "INSERT INTO threadline.suspensions DEFAULT VALUES");
    // This program does not protect a later version of the schema.
    run(
        &mut protected.admin,
        "INSERT INTO threadline.schema_versions (version) VALUES (999)",
    );
    let error = protected.refusal();
    assert!(
        error.ends_with("protect it with the program that installed it"),
        "{error}"
    );
}

#[test]
fn a_migration_that_removes_it_says_what_to_do() {
    let mut protected = Protected::new();
    let admin = &mut protected.admin;
    // As if this migration had installed it.
    let migration = schema_migration(0, NEWEST);
    run(
        admin,
        &format!("UPDATE threadline.schema_versions SET installed_by = 'test0to{NEWEST}'"),
    );
    let error = refused(admin, &migration.down);
    assert_eq!(
        error,
        "threadline: the audit is protected, and this migration removes it with its history; nothing is changed. To keep it, run the migrations that were reverted before this one again: they audit their tables. To remove it, run this as a superuser, and then revert this migration as a superuser: DROP EVENT TRIGGER threadline_watch; DROP EVENT TRIGGER threadline_watch_drops; DROP EVENT TRIGGER threadline_watch_rewrites"
    );
    let (_, statements) = error.split_once("superuser: ").unwrap();
    run(admin, statements);
    run(admin, &migration.down);
    let schema = value(admin, "SELECT to_regnamespace('threadline') IS NULL");
    assert_eq!(schema.as_deref(), Some("true"));
}

#[test]
fn a_role_that_could_undo_it_is_refused_with_the_way_out() {
    let mut protected = Protected::new();
    let (app, owner) = (protected.role("app"), protected.role("owner"));
    let mut refusal = |prepare: &str| {
        let _ = diesel::Connection::begin_test_transaction(&mut protected.admin);
        run(&mut protected.admin, prepare);
        let error = protected.refusal();
        run(&mut protected.admin, "ROLLBACK");
        protected.admin = protected.database.connect();
        error.replace(&app, "app").replace(&owner, "owner")
    };
    for (prepare, expected) in [
        (
            format!("ALTER ROLE {app} SUPERUSER"),
            "threadline: app is a superuser, to whom nothing is forbidden; let the application log in as another role",
        ),
        (
            format!("ALTER ROLE {app} CREATEROLE"),
            "threadline: app may create roles, and so make itself the owner: ALTER ROLE app NOCREATEROLE",
        ),
        (
            format!("GRANT {owner} TO {app}"),
            "threadline: app is a member of owner: REVOKE owner FROM app",
        ),
        (
            format!("ALTER ROLE {owner} LOGIN"),
            "threadline: the owner owner can log in; nobody should: ALTER ROLE owner NOLOGIN",
        ),
    ] {
        assert_eq!(refusal(&prepare), expected);
    }
}

#[test]
fn a_database_or_a_role_that_is_not_there_is_named() {
    let (database, conn) = &mut Database::empty().connected();
    let protection = Protection::of_owner("threadline_nobody").application("nobody_of_this_name");
    assert_eq!(
        protection.apply(conn).unwrap_err().to_string(),
        format!(
            "threadline: there is no audit schema in database {}; install it first, then protect it",
            database.name()
        )
    );
    let (_, conn) = &mut Database::new().connected();
    assert_eq!(
        protection.apply(conn).unwrap_err().to_string(),
        "threadline: there is no role nobody_of_this_name; create it first, or check its name"
    );
    assert_eq!(
        value(conn, "SELECT to_regrole('threadline_nobody')"),
        None,
        "a role is left over"
    );
}

/// The script for an administrator without Rust.
#[test]
fn the_script_does_the_same_and_names_of_any_kind_are_quoted() {
    let (database, conn) = &mut Database::new().connected();
    let name = database.name();
    let owner = format!("{name} \"own'er\\");
    let app = format!("{name} $threadline_protect$");
    let quoted = |role: &str| format!("\"{}\"", role.replace('"', "\"\""));
    run(conn, &format!("CREATE ROLE {}", quoted(&app)));
    let protection = Protection::of_owner(&owner)
        .application(&app)
        .suspender(&app);
    run(conn, &protection.to_string());
    assert_eq!(
        value(
            conn,
            "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'threadline'"
        ),
        Some(quoted(&owner))
    );
    let roles = [quoted(&owner), quoted(&app)].join(", ");
    run(
        conn,
        &format!("DROP OWNED BY {roles} CASCADE; DROP ROLE {roles}"),
    );
}

/// As on servers of providers that keep the superuser to themselves.
#[test]
fn an_administrator_who_is_no_superuser_can_do_it() {
    let database = Database::empty();
    let name = database.name();
    let admin = format!("{name}_admin");
    let conn = &mut database.connect();
    run(
        conn,
        &format!(
            "CREATE ROLE {admin} CREATEROLE; GRANT ALL ON DATABASE {name} TO {admin};
             CREATE ROLE {name}_app;
             SET SESSION AUTHORIZATION {admin}"
        ),
    );
    threadline::Models::new(vec![]).install(conn).unwrap();
    let protection =
        Protection::of_owner(format!("{name}_owner")).application(format!("{name}_app"));
    protection.apply(conn).unwrap();
    protection.apply(conn).unwrap();
    forbidden(conn, "DELETE FROM threadline.ledger_changes");
    run(
        conn,
        &format!("RESET SESSION AUTHORIZATION; GRANT ALL ON SCHEMA public TO {name}_app; SET SESSION AUTHORIZATION {name}_app;
            CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items'); INSERT INTO items VALUES (1); TRUNCATE items;
            RESET SESSION AUTHORIZATION"),
    );
    assert_rows(
        conn,
        "SELECT op FROM threadline.changes ORDER BY id",
        ["insert", "truncate"],
    );
    let roles = format!("{admin}, {name}_app, {name}_owner");
    run(
        conn,
        &format!("DROP OWNED BY {roles} CASCADE; DROP ROLE {roles}"),
    );
}
