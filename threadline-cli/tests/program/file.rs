use diesel::PgConnection;
use threadline_tests::{NEWEST, assert_contains, assert_rows, assert_value, run, value};

use super::{Place, Run};

const TABLES: &str = "
    CREATE TABLE members (id bigint PRIMARY KEY, name text, email text, password_hash text);
    CREATE TABLE payments (id bigint PRIMARY KEY, member_id bigint REFERENCES members, amount int);
    CREATE TABLE logins (at timestamptz, who text);
    CREATE TABLE schema_migrations (version text PRIMARY KEY);
";

const FILE: &str = r#"
unaudited = ["schema_migrations"]

[tables.members]
mask = ["email"]
exclude = ["password_hash"]
keep = "7 years"
personal = ["email"]

[tables.payments]
subject = { member_id = "members" }
condition = "NEW.amount > 0"
operations = ["insert", "update"]

[tables.logins]
keyless = true
"#;

fn with_tables() -> (Place, PgConnection) {
    let place = Place::new();
    let mut conn = place.database.connect();
    run(&mut conn, TABLES);
    (place, conn)
}

/// Installs the audit schema and audits the tables as the file says.
fn audited() -> (Place, PgConnection) {
    let (place, conn) = with_tables();
    place.file(FILE);
    place.done(&["install"]);
    place.done(&["audit", "--yes"]);
    (place, conn)
}

#[test]
fn a_database_without_a_rust_model_is_installed_audited_and_verified() {
    let (place, conn) = &mut with_tables();
    place.file(FILE);
    let installed = format!("The audit schema is installed, version {NEWEST}.\n");
    assert_eq!(place.done(&["install"]), installed);
    run(conn, "UPDATE threadline.schema_versions SET version = 0");
    let behind = place.refused(&["audit", "--yes"]);
    assert_contains(&behind, "is version 0");
    assert_contains(&behind, "run `threadline install`");
    let Run { code, out, .. } = place.run(&["status"]);
    assert_eq!(code, 1);
    assert_contains(&out, "version 0, behind");

    run(
        conn,
        &format!("UPDATE threadline.schema_versions SET version = {NEWEST}"),
    );
    assert_eq!(place.done(&["install"]), installed);

    let plan = place.done(&["audit", "--dry-run"]);
    assert_contains(
        &plan,
        "-- members: is not audited\nSELECT threadline.audit(\n    'members',",
    );
    let audited =
        "SELECT table_name FROM threadline.audited_tables WHERE unaudited_at IS NULL ORDER BY 1";
    assert_rows(conn, audited, []);
    // There is no terminal for a prompt.
    let unasked = place.refused(&["audit"]);
    assert_contains(&unasked, "nothing was done: pass --yes");
    assert_rows(conn, audited, []);

    let said = place.done(&["audit", "--yes"]);
    assert!(
        said.ends_with("3 tables are now audited as the file says.\n"),
        "{said}"
    );
    assert_rows(conn, audited, ["logins", "members", "payments"]);
    assert_eq!(
        place.done(&["audit"]),
        "Every table is audited as the file says.\n"
    );
    place.done(&["status"]);

    run(
        conn,
        "INSERT INTO members VALUES (1, 'Ada', 'ada@example.com', 'secret'); INSERT INTO logins VALUES (now(), 'ada')",
    );
    let history = place.done(&["history", "members", "1"]);
    assert_contains(&history, "insert of members 1");
    assert!(
        !history.contains("ada@example.com") && !history.contains("secret"),
        "{history}"
    );
    place.done(&["verify", "--deny-unaudited"]);
}

#[test]
fn the_plan_is_sql_that_does_the_same() {
    let (place, conn) = &mut with_tables();
    place.file(FILE);
    place.done(&["install"]);
    run(conn, &place.done(&["audit", "--dry-run"]));
    assert_eq!(
        place.done(&["audit"]),
        "Every table is audited as the file says.\n"
    );
}

#[test]
fn a_policy_that_changes_in_the_file_changes_in_the_database() {
    let (place, conn) = &mut with_tables();
    place.done(&["install"]);
    place.file("[tables.members]\nexclude = ['password_hash']\n");
    place.done(&["audit", "--yes"]);
    place.file("[tables.members]\nexclude = ['password_hash']\nmask = ['email']\n");
    let Run { code, out, .. } = place.run(&["status"]);
    assert_eq!(code, 1);
    assert_contains(
        &out,
        "members   audited under another policy; run `threadline audit`",
    );
    let plan = place.done(&["audit", "--yes"]);
    assert_contains(&plan, "-- members: is audited under another policy\n");
    place.done(&["status"]);

    // A table that the file does not name any more is left alone, and named.
    place.file("[tables.payments]\n");
    let Run { code, error, .. } = place.run(&["audit", "--yes"]);
    assert_eq!(code, 0, "{error}");
    assert_contains(&error, "members is audited but not in the file");
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.audited_tables WHERE unaudited_at IS NULL",
        "2",
    );
    place.done(&["unaudit", "members", "--yes"]);
    assert!(
        place
            .refused(&["unaudit", "members", "--yes"])
            .contains("table members is not audited")
    );
    run(conn, "INSERT INTO members VALUES (2)");
    assert!(
        place
            .refused(&["history", "members", "2"])
            .contains("nothing is on record of members 2")
    );
}

#[test]
fn secret_looking_columns_are_asked_about_before_anything_is_changed() {
    let (place, conn) = &mut with_tables();
    place.done(&["install"]);
    place.file("[tables.logins]\nkeyless = true\n[tables.members]\n");
    let refused = place.refused(&["audit", "--yes"]);
    assert_contains(&refused, "declare it in threadline.toml:");
    assert_contains(
        &refused,
        "members, column password_hash: list it in `exclude` to record nothing of it",
    );
    assert_value(conn, "SELECT count(*) FROM threadline.audited_tables", "0");
}

#[test]
fn mistakes_of_the_file_are_refused_before_anything_is_changed() {
    let (place, _) = &mut with_tables();
    place.done(&["install"]);
    assert!(
        place
            .refused(&["audit"])
            .contains("there is no threadline.toml here or above")
    );
    for (file, error) in [
        (
            "[tables.member]\n",
            "the file names tables that do not exist: member",
        ),
        (
            "[tables.payments]\n[tables.\"public.payments\"]\n",
            "payments and public.payments are one table",
        ),
        ("[tables.payments]\nmaks = []\n", "did you mean `mask`?"),
        (
            "[tables.payments]\n[tables.'\"members']\n",
            "threadline.toml: [tables.'\"members']: a double quote is not closed",
        ),
    ] {
        place.file(file);
        let refused = place.refused(&["audit", "--yes"]);
        assert_contains(&refused, error);
    }
    // Nor in an argument.
    for arguments in [["refresh", "\"members"], ["history", "\"members"]] {
        let refused = place.run(&[&arguments[..], &["1"]].concat()).error;
        assert_contains(&refused, "a double quote is not closed");
    }
    // Errors of the database are passed on unchanged.
    place.file("[tables.payments]\nmask = ['amuont']\n");
    let refused = place.refused(&["audit", "--yes"]);
    assert_contains(&refused, "amuont");
}

#[test]
fn a_table_that_was_created_anew_is_audited_again() {
    let (place, conn) = &mut audited();
    run(
        conn,
        "DROP TABLE payments; CREATE TABLE payments (id bigint PRIMARY KEY, member_id bigint, amount int)",
    );
    let Run { code, out, .. } = place.run(&["status"]);
    assert_eq!(code, 1);
    assert_contains(
        &out,
        "payments   created anew and not audited; run `threadline audit`",
    );
    place.done(&["audit", "--yes"]);
    place.done(&["status"]);
    run(conn, "INSERT INTO payments VALUES (1, 1, 5)");
    place.done(&["history", "payments", "1"]);
}

#[test]
fn a_table_that_nobody_audits_is_seen_if_none_may_be() {
    let (place, conn) = &mut audited();
    run(conn, "CREATE TABLE forgotten (id int PRIMARY KEY)");
    place.done(&["verify"]);
    let Run { code, out, error } = place.run(&["verify", "--deny-unaudited"]);
    assert_eq!(code, 1);
    assert_contains(&out, "table-unaudited  public.forgotten");
    assert_contains(&error, "tables are not audited (1)");
    place.done(&[
        "verify",
        "--deny-unaudited",
        "--allow-unaudited",
        "forgotten",
    ]);
}

#[test]
fn the_capture_of_a_table_is_built_anew() {
    let (place, conn) = &mut audited();
    run(conn, "ALTER TABLE members ADD COLUMN city text");
    assert_eq!(place.run(&["status"]).code, 1);
    assert_eq!(place.done(&["refresh", "members"]), "members: refreshed\n");
    place.done(&["status"]);
    run(conn, "ALTER TABLE members ADD COLUMN country text");
    let all = place.done(&["refresh"]);
    assert_eq!(all.lines().count(), 3, "{all}");
    place.done(&["status"]);
}

#[test]
fn migrations_are_written_from_the_file_and_checked() {
    let (place, conn) = &mut with_tables();
    place.file(FILE);
    std::fs::create_dir(place.dir.join("migrations")).unwrap();
    let checked = place.run(&["check", "--json"]);
    assert_eq!(checked.code, 1);
    assert_contains(&checked.out, "\"up_to_date\": false");
    assert_contains(&checked.out, "\"threadline_audit_members\"");
    place.done(&["generate"]);
    place.done(&["check"]);
    assert_eq!(
        place.done(&["check", "--json"]),
        "{\n  \"up_to_date\": true,\n  \"missing\": [],\n  \"message\": null\n}\n"
    );
    let mut folders: Vec<_> = std::fs::read_dir(place.dir.join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    for folder in &folders {
        run(
            conn,
            &std::fs::read_to_string(folder.join("up.sql")).unwrap(),
        );
    }
    assert_eq!(
        place.done(&["audit"]),
        "Every table is audited as the file says.\n"
    );
    for folder in folders.iter().rev() {
        run(
            conn,
            &std::fs::read_to_string(folder.join("down.sql")).unwrap(),
        );
    }
}

#[test]
fn the_other_commands_need_no_file() {
    let (place, conn) = &mut with_tables();
    place.done(&["install"]);
    run(conn, "SELECT threadline.audit('payments')");
    assert_eq!(
        place.done(&["work", "--once"]),
        "0 entries were moved into the ledger.\n"
    );
    let database = value(conn, "SELECT current_database()").unwrap();
    let read_only = format!("ALTER DATABASE \"{database}\" SET default_transaction_read_only");
    run(conn, "INSERT INTO payments VALUES (1)");
    run(conn, &format!("{read_only} = on"));
    assert_eq!(
        place.done(&["work", "--once"]),
        "0 entries were moved into the ledger.\n1 wait. Another session is posting, or this one is read-only: see default_transaction_read_only.\n"
    );
    run(conn, &format!("{read_only} = off"));
    place.done(&["purge", "--dry-run"]);
    place.done(&["purge"]);
    let Run { code, error, .. } = place.run(&["verify"]);
    assert_eq!(code, 0, "{error}");
    assert_contains(&error, "There is no threadline.toml");
    let script = place.done(&["protect", "--owner", "o", "--application", "a", "--print"]);
    assert!(script.starts_with("BEGIN;"), "{script}");
}

#[test]
fn six_processes_install_and_audit_at_once() {
    let (place, _) = &mut with_tables();
    place.file(FILE);
    for arguments in [&["install"][..], &["audit", "--yes"]] {
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| place.done(arguments));
            }
        });
    }
    place.done(&["verify", "--deny-unaudited"]);
    assert_rows(
        &mut place.database.connect(),
        "SELECT table_name, count(*) FROM threadline.audited_tables GROUP BY 1 ORDER BY 1",
        ["logins | 1", "members | 1", "payments | 1"],
    );
}
