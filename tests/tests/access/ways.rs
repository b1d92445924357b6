//! Ways to alter, hide, forge or stop the record of a protected audit. The table in the
//! guide states the result of each, and is compared with the result here.

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use threadline::Models;
use threadline_tests::{assert_value, rows, run, value};

use super::Protected;

const GUIDE: &str = include_str!("../../../threadline/src/docs/owner_and_readers.md");

/// The role that tries it.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    /// A role named as `--application` that writes to tables of another.
    Application,
    /// The role that owns the audited tables, named as `--application`, too.
    TableOwner,
    /// The same, with the right to create roles.
    RoleCreator,
}

impl Who {
    fn text(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::TableOwner => "table's owner",
            Self::RoleCreator => "table's owner with CREATEROLE",
        }
    }
}

/// A role, its attempt in words and as SQL, and a query for success. In `<>` are roles;
/// table 1 is `items`, table 2 the partitioned `events`.
type Way = (Who, &'static str, &'static str, &'static str);

/// Whether row 66 was written and not recorded.
const HIDDEN: &str = "EXISTS (SELECT FROM public.items WHERE id = 66)
    AND NOT EXISTS (SELECT FROM threadline.audit_changes WHERE table_id = 1 AND record_key = '66')";
/// Whether the recorded row 1 was changed without a record.
const CHANGED: &str = "NOT EXISTS (SELECT FROM public.items WHERE id = 1 AND name = 'b')
    AND (SELECT count(*) FROM threadline.audit_changes WHERE table_id = 1 AND record_key = '1') = 2";
/// Whether a change to row 77, which was never written, is on record; or a change twice.
const FORGED: &str = "EXISTS (SELECT FROM threadline.audit_changes WHERE record_key = '77')
    OR (SELECT count(*) FROM threadline.audit_changes WHERE record_key = '66') > 1";
/// Whether a record names the victim as its actor.
const BLAMED: &str = "EXISTS (SELECT FROM threadline.changes WHERE actor_id = 'victim' AND key = '{\"id\": 66}')
    OR EXISTS (SELECT FROM threadline.actions AS a JOIN threadline.transactions AS x ON x.id = a.transaction_id WHERE x.actor_id = 'victim')";
/// Whether a TRUNCATE removed the recorded row 1 without a record of it.
const UNREAD: &str = "NOT EXISTS (SELECT FROM public.items)
    AND NOT EXISTS (SELECT FROM threadline.audit_changes WHERE table_id = 1 AND op = 'T' AND record_key = '1')";
/// For refused attempts.
const NEVER: &str = "true";
const SPIED: &str = "EXISTS (SELECT FROM public.spied WHERE who NOT IN ('<app>', '<other>'))";

const ON: &str = "ALTER TABLE items ENABLE ALWAYS TRIGGER \"!threadline_capture_1\", ENABLE ALWAYS TRIGGER \"!threadline_truncate_1\"";

const WAYS: &[Way] = &[
    (Who::Application, "delete from the journal or the ledger", "DELETE FROM threadline.journal", NEVER),
    (Who::Application, "change a recorded value", "UPDATE threadline.ledger_changes SET row_data = '{}'", NEVER),
    (Who::Application, "insert a change that did not happen", "INSERT INTO threadline.journal SELECT * FROM threadline.journal", NEVER),
    (Who::Application, "truncate the ledger", "TRUNCATE threadline.ledger_changes", NEVER),
    (Who::Application, "drop the schema", "DROP SCHEMA threadline CASCADE", NEVER),
    (Who::Application, "lock the journal to prevent recording", "LOCK TABLE threadline.journal", NEVER),
    (Who::Application, "reset the sequence of ids", "SELECT setval('threadline.entry_ids', 1)", NEVER),
    (Who::Application, "replace a capture function", "CREATE OR REPLACE FUNCTION threadline.capture_1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'", NEVER),
    (Who::Application, "create a function in the audit's schema", "CREATE FUNCTION threadline.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'", NEVER),
    (Who::Application, "create a trigger on a table of the audit", "CREATE TRIGGER t BEFORE INSERT ON threadline.journal FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()", NEVER),
    (Who::Application, "inherit from a table of the audit", "CREATE TABLE child () INHERITS (threadline.ledger_changes)", NEVER),
    (Who::Application, "read the keys of keyed hashes", "SELECT * FROM threadline.hash_keys", NEVER),
    (Who::Application, "call functions that append, post or build", "SELECT threadline.append_truncated(1, 0::oid, '{}')", NEVER),
    (Who::Application, "post entries a second time", "SELECT threadline.post(1); SELECT threadline.post_again()", NEVER),
    (Who::Application, "suspend capture", "SELECT threadline.suspend('why not')", NEVER),
    (Who::Application, "set the setting that says that capture is suspended", "SET LOCAL threadline.suspended = 'yes'; INSERT INTO items VALUES (66)", HIDDEN),
    (Who::Application, "disable triggers for the session", "SET session_replication_role = replica", NEVER),
    (Who::Application, "disable the triggers of another role's table", "ALTER TABLE items DISABLE TRIGGER ALL", NEVER),
    (Who::Application, "end the audit of another role's table, or change its policy", "SELECT threadline.unaudit('items')", NEVER),
    (Who::Application, "do the same with internal functions", r#"SELECT threadline.write_policy('items', '{"mask": [], "exclude": ["name"], "require_actor": false}', false)"#, NEVER),
    (Who::Application, "become the audit's owner", "SET ROLE <owner>", NEVER),
    (Who::Application, "make itself a member of the owner", "GRANT <owner> TO <other>", NEVER),
    (Who::Application, "make itself a superuser", "ALTER ROLE <other> SUPERUSER", NEVER),
    (Who::Application, "drop the event trigger, or create one", "DROP EVENT TRIGGER threadline_watch", NEVER),
    (Who::Application, "run a program on the server", "COPY items FROM PROGRAM 'true'", NEVER),
    (Who::Application, "write as another user, with a context set for the session", "SET threadline.context = '1 {\"actor\": {\"type\": \"user\", \"id\": \"victim\"}}'; INSERT INTO items VALUES (66)", BLAMED),
    (Who::Application, "write into another user's transaction, with the settings of capture", "SELECT set_config('threadline.transaction', '1', true), set_config('threadline.transaction_context', '', true); INSERT INTO items VALUES (66)", BLAMED),
    (Who::Application, "record an action in another user's transaction", "SELECT set_config('threadline.transaction', '1', true), set_config('threadline.transaction_context', '', true); SELECT threadline.record_action('items.stolen', 'user', '1')", BLAMED),
    (Who::Application, "record an action that only the audit records", "SELECT threadline.record_action('audit.resumed', 'user', '1')", NEVER),
    (Who::Application, "hide a write with temporary tables", "CREATE TEMP TABLE journal (x int); CREATE TEMP TABLE audited_tables (id int); SET LOCAL search_path = pg_temp, public; INSERT INTO items VALUES (66)", HIDDEN),
    (Who::Application, "write through a view", "CREATE VIEW shown AS SELECT * FROM items WHERE id < 0; GRANT ALL ON items TO <other>; INSERT INTO shown VALUES (66)", HIDDEN),
    (Who::Application, "claim to be another user in its own transaction", "SELECT threadline.set_context('{\"actor\": {\"type\": \"user\", \"id\": \"victim\"}}'); INSERT INTO items VALUES (66)", BLAMED),
    (Who::TableOwner, "disable triggers", "ALTER TABLE items DISABLE TRIGGER ALL; INSERT INTO items VALUES (66)", HIDDEN),
    (Who::TableOwner, "disable triggers, insert, and enable them again", "ALTER TABLE items DISABLE TRIGGER ALL; INSERT INTO items VALUES (66); <on>", HIDDEN),
    (Who::TableOwner, "disable triggers, change a row with history, and enable them again", "ALTER TABLE items DISABLE TRIGGER ALL; UPDATE items SET name = 'x' WHERE id = 1; <on>", CHANGED),
    (Who::TableOwner, "let triggers fire only for replicated changes", "ALTER TABLE items ENABLE REPLICA TRIGGER \"!threadline_capture_1\"; INSERT INTO items VALUES (66); <on>", HIDDEN),
    (Who::TableOwner, "drop a trigger, and audit the table again", "DROP TRIGGER \"!threadline_capture_1\" ON items; INSERT INTO items VALUES (66); SELECT threadline.audit('items')", HIDDEN),
    (Who::TableOwner, "rename a trigger, and rename it back", "ALTER TRIGGER \"!threadline_capture_1\" ON items RENAME TO x; INSERT INTO items VALUES (66); ALTER TRIGGER x ON items RENAME TO \"!threadline_capture_1\"", HIDDEN),
    (Who::TableOwner, "give the trigger a condition, and refresh the table", "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" AFTER INSERT OR DELETE OR UPDATE ON items FOR EACH ROW WHEN (false) EXECUTE FUNCTION threadline.capture_1(); INSERT INTO items VALUES (66); SELECT threadline.refresh('items')", "NOT EXISTS (SELECT FROM threadline.audit_changes WHERE table_id = 1 AND record_key = '66')"),
    (Who::TableOwner, "give the trigger a condition, and register it as the policy's", "SELECT threadline.audit('items', condition => 'NEW.id > 0', operations => '{insert,update}');
        CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" AFTER INSERT OR UPDATE ON items FOR EACH ROW WHEN (false) EXECUTE FUNCTION threadline.capture_1(); ALTER TABLE items ENABLE ALWAYS TRIGGER \"!threadline_capture_1\";
        GRANT TRIGGER ON items TO <owner>; SELECT threadline.note_condition('items'); INSERT INTO items VALUES (66)", HIDDEN),
    (Who::TableOwner, "detach a partition, write, and attach it again", "ALTER TABLE events DETACH PARTITION events_1; INSERT INTO events_1 VALUES (5); ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM (0) TO (10)", "NOT EXISTS (SELECT FROM threadline.audit_changes WHERE table_id = 2 AND record_key = '5')"),
    (Who::TableOwner, "end the audit, write, and begin it again", "SELECT threadline.unaudit('items'); INSERT INTO items VALUES (66); SELECT threadline.audit('items')", HIDDEN),
    (Who::TableOwner, "exclude a column, and include it again", "SELECT threadline.audit('items', exclude => '{name}'); INSERT INTO items VALUES (66, 'x'); SELECT threadline.audit('items')", "NOT EXISTS (SELECT FROM threadline.audit_changes WHERE record_key = '66' AND row_data ? 'name')"),
    (Who::TableOwner, "drop the table", "DROP TABLE items", "to_regclass('public.items') IS NULL"),
    (Who::TableOwner, "replace the table with another one of the same name", "ALTER TABLE items RENAME TO items_old; CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (66)", HIDDEN),
    (Who::TableOwner, "write into an inheritance child", "CREATE TABLE child () INHERITS (items); INSERT INTO child VALUES (66)", HIDDEN),
    (Who::TableOwner, "change all values with ALTER TYPE … USING, and refresh the table", "ALTER TABLE items ALTER name TYPE varchar USING 'x'; SELECT threadline.refresh('items')", CHANGED),
    (Who::TableOwner, "change or discard the written row with its own trigger", "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := ''x''; RETURN NEW; END'; CREATE TRIGGER a BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION swallow(); INSERT INTO items VALUES (66)", HIDDEN),
    (Who::TableOwner, "hide rows from a TRUNCATE with row-level security", "CREATE POLICY p ON items USING (false); ALTER TABLE items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; TRUNCATE items", UNREAD),
    (Who::TableOwner, "revoke the right of the audit's owner to read the table, and truncate it", "REVOKE ALL ON items FROM <owner>; TRUNCATE items", UNREAD),
    (Who::TableOwner, "do the same, and grant the right again", "REVOKE ALL ON items FROM <owner>; TRUNCATE items; GRANT SELECT ON items TO <owner>", UNREAD),
    (Who::TableOwner, "hide rows from a TRUNCATE with an index that calls its own function", "CREATE INDEX ON items (id) WHERE spy_when_planned('index'); TRUNCATE items", UNREAD),
    (Who::TableOwner, "record its own table with another table's capture function", "CREATE TABLE copies (id int PRIMARY KEY, name text); CREATE TRIGGER \"!threadline_capture_1\" AFTER INSERT ON copies FOR EACH ROW EXECUTE FUNCTION threadline.capture_1(); INSERT INTO copies VALUES (77)", FORGED),
    (Who::TableOwner, "record a change twice", "CREATE TRIGGER zz AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION threadline.capture_1(); INSERT INTO items VALUES (66)", FORGED),
    (Who::TableOwner, "record a change that its own trigger prevents", "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION threadline.capture_1(); INSERT INTO items VALUES (77)", FORGED),
    (Who::TableOwner, "run code as the audit's owner, with a temporary view", "CREATE TEMP VIEW tl_new AS SELECT 66 AS id, spy('view')::text AS name; GRANT SELECT ON tl_new TO PUBLIC; CREATE TRIGGER zz AFTER INSERT ON items FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_1(); INSERT INTO items VALUES (66)", SPIED),
    (Who::TableOwner, "run code as the audit's owner, with a cast, a domain, an index or a policy", "CREATE TABLE spoilt (id int PRIMARY KEY, m mood, c checked); CREATE INDEX ON spoilt (id) WHERE spy_when_planned('index'); SELECT threadline.audit('spoilt'); INSERT INTO spoilt VALUES (1, 'fine', 1); UPDATE spoilt SET m = 'bad'; TRUNCATE spoilt", SPIED),
    (Who::TableOwner, "run code as the role that maintains the audit, with a condition", "SELECT threadline.audit('items', condition => 'true) EXECUTE FUNCTION threadline.capture_1(); SELECT public.spy(''condition''); --')", NEVER),
    (Who::TableOwner, "give the table, and with it its policy, to the audit's owner", "ALTER TABLE items OWNER TO <owner>", NEVER),
    (Who::RoleCreator, "make itself a member of the audit's owner", "GRANT <owner> TO <app>", "pg_has_role('<app>', '<owner>', 'MEMBER')"),
    (Who::RoleCreator, "grant itself a built-in role that can write to every table", "GRANT pg_write_all_data TO <app>", "pg_has_role('<app>', 'pg_write_all_data', 'MEMBER')"),
    (Who::RoleCreator, "let the audit's owner log in", "ALTER ROLE <owner> LOGIN PASSWORD 'secret'", "(SELECT rolcanlogin FROM pg_roles WHERE rolname = '<owner>')"),
];

/// Returns the result of a way, in the words of the table, and leaves nothing of it.
fn outcome(protected: &mut Protected, way: &Way) -> String {
    let (who, _, sql, won) = *way;
    let named = |text: &str| {
        ["app", "other", "owner"]
            .iter()
            .fold(text.replace("<on>", ON), |text, name| {
                text.replace(&format!("<{name}>"), &protected.role(name))
            })
    };
    let (sql, won) = (named(sql), named(won));
    let role = protected.role(if who == Who::Application {
        "other"
    } else {
        "app"
    });
    let admin = &mut protected.admin;
    run(admin, "BEGIN");
    if who == Who::RoleCreator {
        run(admin, &format!("ALTER ROLE {role} CREATEROLE"));
    }
    let before = codes(admin);
    run(admin, &format!("SET LOCAL SESSION AUTHORIZATION {role}"));
    let result = admin.batch_execute(&sql);
    let outcome = if let Err(error) = result {
        let error = error.to_string();
        let expected = [
            "ermission denied",
            "must be",
            "must have",
            "by threadline",
            "belong into an expression",
            "only the owner of table",
        ];
        assert!(
            expected.iter().any(|part| error.contains(part)),
            "{sql}: {error}"
        );
        "refused".to_owned()
    } else {
        run(
            admin,
            "RESET SESSION AUTHORIZATION; SET LOCAL search_path = public; SELECT set_config('threadline.suspended', '', true), set_config('threadline.context', '', true)",
        );
        let won = value(admin, &won).as_deref() == Some("true");
        let mut shown: Vec<_> = rows(
            admin,
            "SELECT DISTINCT name FROM threadline.actions WHERE name LIKE 'audit.%'",
        )
        .into_iter()
        .map(|name| format!("action `{name}`"))
        .collect();
        shown.extend(
            codes(admin)
                .difference(&before)
                .map(|(code, _)| format!("finding `{code}`")),
        );
        // A role that may create roles is reported, however it uses that.
        if who == Who::RoleCreator && before.iter().any(|(code, _)| *code == "audit-exposed") {
            shown.push("finding `audit-exposed`".to_owned());
        }
        shown.sort();
        shown.dedup();
        match (won, shown.is_empty()) {
            (false, true) => "no effect: recorded as usual".to_owned(),
            (false, false) => format!("no effect, reported by {}", shown.join(", ")),
            (true, false) => format!("possible, reported by {}", shown.join(", ")),
            (true, true) => "possible: the application states the actor; PostgreSQL records the role that was logged in".to_owned(),
        }
    };
    run(admin, "ROLLBACK");
    outcome
}

/// Returns the findings of verify, with their tables.
fn codes(conn: &mut PgConnection) -> BTreeSet<(String, Option<String>)> {
    let verification = Models::new(vec![]).verify().run(conn).unwrap();
    verification
        .findings
        .into_iter()
        .filter(|finding| finding.code != threadline::FindingCode::Unattributed)
        .map(|finding| (finding.code.to_string(), finding.table))
        .collect()
}

#[test]
fn the_guide_says_what_comes_of_each_way_to_alter_hide_forge_or_stop_the_record() {
    let mut protected = Protected::new();
    let other = protected.role("other");
    let app = &mut protected.application();
    run(app, super::code::SPIES);
    run(
        app,
        &format!(
            "GRANT ALL ON items TO {other}; ALTER ROLE {other} SET search_path = public;
             CREATE TABLE events (id int PRIMARY KEY) PARTITION BY RANGE (id);
             CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
             SELECT threadline.audit('events')"
        )
        .replace(&format!("ALTER ROLE {other} SET search_path = public;"), ""),
    );
    let protection = protected.protection().application(&other);
    protection.apply(&mut protected.admin).unwrap();
    run(
        app,
        "BEGIN; SELECT threadline.set_context('{\"actor\": {\"type\": \"user\", \"id\": \"victim\"}}'); INSERT INTO items VALUES (1, 'a'); COMMIT",
    );
    run(app, "UPDATE items SET name = 'b'");
    run(app, "SELECT threadline.post()");
    assert_value(
        &mut protected.admin,
        "SELECT min(id) FROM threadline.transactions",
        "1",
    );
    let major = value(
        &mut protected.admin,
        "SELECT current_setting('server_version_num')::int / 10000",
    );
    let is_old = major.as_deref() == Some("15");

    assert!(WAYS.len() >= 40);
    let mut table = "| role | attack | result |\n|---|---|---|\n".to_owned();
    for way in WAYS {
        let (who, title, ..) = way;
        let mut outcome = outcome(&mut protected, way);
        if *who == Who::RoleCreator {
            // Since PostgreSQL 16, that needs the right to grant the role.
            assert!(is_old || outcome == "refused", "{title}: {outcome}");
            outcome =
                "PostgreSQL 15: possible, reported by finding `audit-exposed`; refused since 16"
                    .to_owned();
            if is_old {
                assert_eq!(
                    super::ways::outcome(&mut protected, way),
                    "possible, reported by finding `audit-exposed`",
                    "{title}"
                );
            }
        }
        table += &format!("| {} | {title} | {outcome} |\n", who.text());
    }
    assert!(
        GUIDE.contains(&table),
        "the guide's table is not this one:\n{table}"
    );
}
