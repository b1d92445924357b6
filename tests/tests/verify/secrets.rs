//! Columns whose names suggest a secret.

use diesel::prelude::*;
use diesel::result::Error::DatabaseError;
use diesel::sql_query;
use threadline::{Audited, Finding, FindingCode, Models, Severity};
use threadline_tests::{Database, assert_rows, assert_value, installed, run};

use super::fix;

diesel::table! {
    users (id) { id -> Int8, name -> Text, password_hash -> Text, token_count -> Int4, }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[allow(dead_code)]
struct Undecided;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(exclude(password_hash), plain(token_count))]
#[allow(dead_code)]
struct User;

const USERS: &str =
    "CREATE TABLE users (id bigint PRIMARY KEY, name text, password_hash text, token_count int)";

fn findings(models: &Models, conn: &mut PgConnection) -> Vec<Finding> {
    models.verify().run(conn).unwrap().findings
}

/// Returns code and message of each.
fn messages(models: &Models, conn: &mut PgConnection) -> Vec<String> {
    let findings = findings(models, conn);
    let line = |finding: &Finding| format!("{}: {}", finding.code, finding.message);
    findings.iter().map(line).collect()
}

#[test]
fn a_secret_looking_column_without_a_policy_in_its_model_is_a_warning_with_remedies() {
    let (_, conn) = &mut Database::with(USERS);
    run(conn, "SELECT threadline.audit_as_decided('users')");
    let undecided = threadline::models![Undecided];
    assert_eq!(
        messages(&undecided, conn),
        [
            "secret-looking: column password_hash needs an explicit policy, because its name suggests a secret (its values are recorded): \
             declare exclude(password_hash), mask(password_hash), hash(password_hash) or plain(password_hash) in #[audited(...)] of model `Undecided`, \
             then generate and run migrations",
        ]
    );
    let verification = undecided.verify().run(conn).unwrap();
    assert_eq!(verification.count(Severity::Warning), 1);
    assert!(verification.is_sound());

    // Until the new policy is in force there is a finding, and then none.
    let decided = threadline::models![User];
    let found = findings(&decided, conn);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, FindingCode::PolicyDiffers);
    fix(conn, &found);
    assert_eq!(messages(&decided, conn), [""; 0]);
    decided.install(conn).unwrap();
    assert!(decided.status(conn).unwrap().is_current());
}

#[test]
fn a_secret_looking_column_that_no_model_has_is_a_notice_and_can_be_excluded_at_once() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE cards (pan text PRIMARY KEY, holder text, cvv text, email text, pin boolean);
         SELECT threadline.audit_as_decided('cards', mask => ARRAY['email'])",
    );
    let models = Models::new(vec![]);
    assert_eq!(
        messages(&models, conn),
        [
            "secret-looking: column pan needs an explicit policy, because its name suggests a secret (its values are recorded): \
             name it in threadline.audit(..., hash => ...), or in plain if it is no secret",
            "secret-looking: column cvv needs an explicit policy, because its name suggests a secret (its values are recorded): \
             exclude it, or name it in mask, hash or plain",
        ]
    );
    let found = findings(&models, conn);
    assert_eq!(found[0].severity(), Severity::Warning);
    assert_eq!(
        found[1].fix.as_deref(),
        Some(
            "SELECT threadline.audit_as_decided('public.cards', mask => ARRAY['email'], exclude => ARRAY['cvv']);"
        )
    );
    fix(conn, &found[1..]);
    assert_eq!(findings(&models, conn).len(), 1);
    run(
        conn,
        "SELECT threadline.audit('cards', mask => ARRAY['email'], exclude => ARRAY['cvv'], plain => ARRAY['pan'])",
    );
    assert_eq!(messages(&models, conn), [""; 0]);
    // Naming a column is a decision, too.
    run(
        conn,
        "SELECT threadline.audit('cards', columns => ARRAY['cvv'], plain => ARRAY['pan'])",
    );
    assert_eq!(messages(&models, conn), [""; 0]);
}

/// Each call replaces the policy, so that one for each column would undo the one before.
#[test]
fn the_fixes_of_several_columns_exclude_all_of_them_in_any_order() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE keys (token text PRIMARY KEY, api_key text, password text, email text, cvv text);
         SELECT threadline.audit_as_decided('keys', mask => ARRAY['email'], plain => ARRAY['cvv'])",
    );
    let models = Models::new(vec![]);
    let mut found = findings(&models, conn);
    // The key has no fix.
    assert_eq!(found.len(), 3);
    found.retain(|finding| finding.fix.is_some());
    assert_eq!(found.len(), 2);
    for _ in 0..2 {
        found.reverse();
        fix(conn, &found);
        run(
            conn,
            "DELETE FROM keys; INSERT INTO keys VALUES ('k', 'secret', 'secret', 'secret', '1')",
        );
        assert_value(
            conn,
            "SELECT row_data FROM threadline.audit_changes ORDER BY id DESC LIMIT 1",
            r#"{"cvv": "1", "email": "***", "token": "k"}"#,
        );
    }
}

#[test]
fn a_column_that_comes_later_is_seen_before_it_is_recorded() {
    let (_, conn, models) = &mut installed(USERS, threadline::models![User]);
    run(
        conn,
        "ALTER TABLE users ADD api_key text; INSERT INTO users VALUES (1, 'Ada', 'h', 1, 'k3y')",
    );
    assert_eq!(
        messages(models, conn)[1..],
        [
            "secret-looking: column api_key needs an explicit policy, because its name suggests a secret \
             (its values are not recorded until then): model `User` does not contain it; run `diesel print-schema`, \
             and declare exclude(api_key), mask(api_key), hash(api_key) or plain(api_key) in #[audited(...)]"
        ]
    );
    let found = findings(models, conn);
    assert_eq!(
        (found[0].message.as_str(), found[0].fix.as_deref()),
        (
            "its columns are not those that its capture was built for: api_key was added; api_key needs an explicit policy first, because its name suggests a secret",
            None
        )
    );
    let health = models.health(conn).unwrap();
    let changed = health
        .findings
        .iter()
        .find(|f| f.code == FindingCode::ColumnsChanged)
        .unwrap();
    assert!(
        changed.fix.is_none() && changed.message.contains("api_key needs an explicit policy"),
        "{changed:?}"
    );
    assert_eq!(
        refusal(conn, "SELECT threadline.refresh('users')"),
        "threadline: new column api_key of table public.users needs an explicit policy, because its name suggests a secret; it is not recorded until then\n\
         Name it in exclude, mask, hash or plain of the model, and generate and run migrations; without a model, of threadline.audit()."
    );
    assert_rows(
        conn,
        "SELECT error LIKE '%api_key%' FROM threadline.refresh_all()",
        ["true"],
    );
    run(conn, "UPDATE users SET api_key = 'k3y 2'");
    let recorded = "SELECT bool_or(coalesce(row_data, changed_from) ? 'api_key') FROM threadline.audit_changes";
    assert_value(conn, recorded, "false");
    run(
        conn,
        "SELECT threadline.audit('users', exclude => '{password_hash}', plain => '{token_count,api_key}'), threadline.refresh('users')",
    );
    assert_rows(conn, "SELECT code FROM threadline.table_drift()", []);

    // Nothing is redacted here, and nothing waits for a refresh.
    run(
        conn,
        "CREATE TABLE notes (id int PRIMARY KEY, body text); SELECT threadline.audit('notes');
         ALTER TABLE notes ADD secret text",
    );
    let found = messages(models, conn);
    assert!(
        found.iter().any(|message| message.starts_with(
            "secret-looking: column secret needs an explicit policy, because its name suggests a secret (its values are recorded): exclude it"
        )),
        "{found:?}"
    );
    // A list of recorded columns excludes all others.
    run(
        conn,
        "SELECT threadline.audit('notes', columns => ARRAY['body'])",
    );
    run(conn, "ALTER TABLE notes ADD token text");
    let found = messages(models, conn);
    assert!(
        !found.iter().any(|message| message.contains("column token")),
        "{found:?}"
    );
}

#[test]
fn a_decision_follows_its_column_also_through_a_dump_and_goes_with_it() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE pages (id int PRIMARY KEY, token_count int, name text);
         SELECT threadline.audit('pages', plain => ARRAY['token_count']);
         ALTER TABLE pages RENAME token_count TO tokens",
    );
    let models = Models::new(vec![]);
    assert_eq!(messages(&models, conn).len(), 1, "columns-changed");
    run(conn, "SELECT threadline.refresh('pages')");
    assert_eq!(messages(&models, conn), [""; 0]);
    assert_value(
        conn,
        "SELECT threadline.audit_call(1, 'pages')",
        "SELECT threadline.audit_as_decided('public.pages', plain => ARRAY['tokens']);",
    );
    // Another column of the name has no policy.
    run(
        conn,
        "ALTER TABLE pages DROP tokens; ALTER TABLE pages ADD tokens text; SELECT threadline.refresh('pages')",
    );
    let found = messages(&models, conn);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("secret-looking: column tokens"));

    // After a restore columns have other numbers and the same names.
    run(
        conn,
        "SELECT threadline.audit('public.pages', plain => ARRAY['tokens'])",
    );
    let (_, conn) = &mut database.restored().connected();
    let found = messages(&models, conn);
    assert!(
        found.iter().all(|message| !message.starts_with("secret")),
        "{found:?}"
    );
    run(conn, "SELECT threadline.refresh('pages')");
    assert_eq!(messages(&models, conn), [""; 0]);
    assert_rows(
        conn,
        "SELECT policy -> 'plain' FROM threadline.audited_tables",
        [r#"["tokens"]"#],
    );
}

#[test]
fn a_column_declared_plain_exists_and_is_not_redacted() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE cards (id int PRIMARY KEY, number text, token text GENERATED ALWAYS AS (md5(number)) STORED)",
    );
    for (call, expected) in [
        (
            "plain => ARRAY['tokn']",
            "threadline: table public.cards has no column tokn; its columns are: id, number, token",
        ),
        (
            "mask => ARRAY['token'], plain => ARRAY['token']",
            "threadline: column token of table public.cards is declared plain, and it is redacted, or made from a column that is; choose one",
        ),
        (
            "exclude => ARRAY['number'], plain => ARRAY['token']",
            "threadline: column token of table public.cards is declared plain, and it is redacted, or made from a column that is; choose one",
        ),
    ] {
        let error = sql_query(format!("SELECT threadline.audit('cards', {call})"))
            .execute(conn)
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

fn refusal(conn: &mut PgConnection, sql: &str) -> String {
    let Err(DatabaseError(_, said)) = sql_query(sql).execute(conn) else {
        panic!("went through: {sql}")
    };
    format!("{}\n{}", said.message(), said.hint().unwrap_or_default())
}

#[test]
fn a_policy_in_sql_says_something_of_each_column_that_looks_secret() {
    let (_, conn) = &mut Database::with(
        "CREATE DOMAIN counter AS bigint;
         CREATE TABLE cards (id int PRIMARY KEY, pan text UNIQUE);
         CREATE TABLE wallets (
             id int PRIMARY KEY, api_key text, pin int, \"backupCodes\" int[], card_pan text REFERENCES cards (pan),
             card int REFERENCES cards, token_count counter, tokens numeric, pin_attempts int, otp boolean, token_date date, note text)",
    );
    assert_eq!(
        refusal(conn, "SELECT threadline.audit('wallets')"),
        "threadline: columns api_key, pin, backupCodes, card_pan of table public.wallets need an explicit policy, because their names suggest secrets\n\
         Choose what is recorded: exclude => ARRAY['api_key', 'pin', 'backupCodes', 'card_pan'] (nothing), \
         mask => ARRAY['api_key', 'pin', 'backupCodes', 'card_pan'] (that it changed), \
         hash => ARRAY['api_key', 'pin', 'backupCodes', 'card_pan'] (a keyed hash), \
         or plain => ARRAY['api_key', 'pin', 'backupCodes', 'card_pan'] (it is no secret)."
    );
    assert_value(conn, "SELECT count(*) FROM threadline.audited_tables", "0");
    for (decided, left) in [
        (
            "exclude => '{api_key}', plain => '{card_pan}', mask => '{pin}'",
            "backupCodes",
        ),
        (
            "hash => '{api_key,pin}', columns => '{note,backupCodes}'",
            "",
        ),
        ("columns => '{note}'", ""),
        ("exclude => '{api_key,pin,backupCodes}'", "card_pan"),
        (
            "exclude => '{api_key,pin,backupCodes}', plain => '{card_pan}'",
            "",
        ),
    ] {
        let audit = format!("SELECT threadline.audit('wallets', {decided})");
        if left.is_empty() {
            run(conn, &audit);
        } else {
            let refusal = refusal(conn, &audit);
            assert!(
                refusal.starts_with(&format!("threadline: column {left} of")),
                "{refusal}"
            );
        }
    }
    // A key, which allows fewer policies.
    run(conn, "CREATE TABLE login_token (token text PRIMARY KEY)");
    assert!(
        refusal(conn, "SELECT threadline.audit('login_token')")
            .ends_with("Choose what is recorded: hash => ARRAY['token'] (a keyed hash, by which records are found), or plain => ARRAY['token'] (it is no secret).")
    );
    run(
        conn,
        "SELECT threadline.audit('login_token', hash => ARRAY['token'])",
    );
}

/// Policies in force, of a model, or restored by a migration need no decision.
#[test]
fn only_a_new_policy_in_sql_is_asked_about() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id int PRIMARY KEY, name text); SELECT threadline.audit('users', mask => '{name}');
         ALTER TABLE users ADD api_key text;
         SELECT threadline.audit_as_decided('users', mask => '{name}');
         SELECT threadline.refresh('users'), threadline.refresh_all(), threadline.audit('users', mask => '{name}')",
    );
    for policy in [
        "audit_as_before('users')",
        "audit_as_decided('users', keep => '1 year')",
    ] {
        assert!(
            refusal(
                conn,
                "SELECT threadline.audit('users', exclude => '{name}')"
            )
            .starts_with("threadline: column api_key of table")
        );
        run(conn, &format!("SELECT threadline.{policy}"));
    }
    run(
        conn,
        "ALTER TABLE users DISABLE TRIGGER ALL; CREATE TABLE imports (id int PRIMARY KEY, token text)",
    );
    let models = Models::new(vec![]);
    let found = findings(&models, conn);
    assert!(found.len() > 2, "{found:?}");
    // The fix of an unaudited table leaves the secret out.
    for _ in 0..2 {
        let found = findings(&models, conn);
        fix(conn, &found);
    }
    assert_eq!(messages(&models, conn), [""; 0]);
    run(conn, "INSERT INTO imports VALUES (1, 's3cr3t')");
    assert_value(
        conn,
        "SELECT row_data FROM threadline.audit_changes",
        r#"{"id": 1}"#,
    );
}

/// Whether the rename was noted or not.
#[test]
fn a_policy_that_lost_the_name_of_a_redacted_column_does_not_record_it() {
    for refresh in ["", "; SELECT threadline.refresh('users')"] {
        let (_, conn) = &mut Database::with(
            "CREATE TABLE users (id int PRIMARY KEY, name text, password_hash text, api_token text);
             SELECT threadline.audit_as_decided('users', exclude => '{password_hash,api_token}')",
        );
        run(
            conn,
            &format!("ALTER TABLE users RENAME password_hash TO door{refresh}"),
        );
        for function in ["audit", "audit_as_decided"] {
            assert_eq!(
                refusal(
                    conn,
                    &format!("SELECT threadline.{function}('users', exclude => '{{api_token}}')")
                ),
                "threadline: column door of table public.users was password_hash and is redacted (exclude), and this policy would record it; name it in exclude, or in plain to record it\n"
            );
        }
        run(
            conn,
            "SELECT threadline.audit_as_decided('users', exclude => '{door}');
             SELECT threadline.audit('users', plain => '{door,api_token}'); SELECT threadline.audit_as_decided('users');
             INSERT INTO users VALUES (1, 'Ada', 'open', 't')",
        );
        assert_value(
            conn,
            "SELECT row_data ->> 'door' FROM threadline.changes",
            "open",
        );
    }
}
