//! Code of the application never runs with the rights of the audit's owner.

use threadline_tests::{assert_rows, assert_value, rows, run};

use super::{ITEMS, Protected};

/// Types, casts, checks and indexes whose functions record as whom they run.
pub(super) const SPIES: &str = "
    CREATE TABLE spied (who text, through text); GRANT INSERT ON spied TO PUBLIC;
    CREATE FUNCTION spy(through text) RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.spied VALUES (current_user, through); RETURN true; END';
    CREATE FUNCTION spy_when_planned(through text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
        'BEGIN RETURN public.spy(through); END';
    GRANT EXECUTE ON FUNCTION spy(text), spy_when_planned(text) TO PUBLIC;

    CREATE TYPE mood AS ENUM ('fine', 'bad');
    CREATE TYPE pair AS (m mood, n int);
    CREATE FUNCTION mood_json(mood) RETURNS json LANGUAGE plpgsql AS
        $$ BEGIN PERFORM public.spy('cast to json'); RETURN to_json(concat('spoilt ', $1)); END $$;
    CREATE FUNCTION mood_text(mood) RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN PERFORM public.spy('cast to text'); RETURN concat('spoilt ', $1); END $$;
    CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
    CREATE CAST (mood AS text) WITH FUNCTION mood_text(mood);
    CREATE DOMAIN checked AS int CHECK (spy('domain'));
    CREATE DOMAIN code AS text CHECK (spy('domain of the key'));
";

fn calls_of(role: &str, protected: &mut Protected) -> Vec<String> {
    let role = protected.role(role);
    rows(
        &mut protected.admin,
        &format!("SELECT DISTINCT through FROM spied WHERE who = '{role}' ORDER BY 1"),
    )
}

#[test]
fn code_called_by_types_does_not_run_as_the_owner() {
    let (app, protected) = &mut Protected::with(&format!(
            "{SPIES}
             CREATE TABLE people (id code PRIMARY KEY, m mood, ms mood[], p pair, ps pair[], c checked, cs checked[], j json);
             CREATE TABLE keyed (m mood PRIMARY KEY, v int);
             CREATE TABLE parted (id int PRIMARY KEY, m mood) PARTITION BY RANGE (id);
             CREATE TABLE part PARTITION OF parted DEFAULT;
             SELECT threadline.audit('people'), threadline.audit('keyed'), threadline.audit('parted');
             INSERT INTO people VALUES ('1'), ('2');
             INSERT INTO people VALUES ('3', 'fine', '{{fine,bad}}', '(fine,1)', '{{\"(fine,1)\",\"(,)\"}}', 1, '{{1,2}}', '{{}}');"
        ));
    assert_eq!(calls_of("app", protected), ["domain", "domain of the key"]);
    run(app, "SELECT to_json(people), m::text FROM people");
    assert_eq!(
        calls_of("app", protected),
        [
            "cast to json",
            "cast to text",
            "domain",
            "domain of the key"
        ]
    );
    let image = "SELECT row_data FROM threadline.audit_changes ORDER BY id DESC LIMIT 1";
    let whole = r#"{"c": 1, "j": {}, "m": "fine", "p": {"m": "fine", "n": 1}, "cs": [1, 2], "id": "3", "ms": ["fine", "bad"], "ps": [{"m": "fine", "n": 1}, {"m": null, "n": null}]}"#;
    assert_value(&mut protected.admin, image, whole);
    let writes = "UPDATE people SET m = 'bad', ms = '{bad}', p = '(bad,2)', ps = NULL, c = 2, cs = '{3}', j = '[]';
         INSERT INTO people VALUES ('4', 'fine', '{fine,bad}', '(fine,1)', NULL, 1, '{1,2}', '\"\\u0000\"');
         DELETE FROM people WHERE id = '3'; TRUNCATE people;
         INSERT INTO keyed VALUES ('fine', 1); UPDATE keyed SET v = 2; UPDATE keyed SET m = 'bad'; TRUNCATE keyed;
         INSERT INTO parted VALUES (1, 'fine'); UPDATE parted SET m = 'bad'; DELETE FROM part";
    run(app, writes);
    // Also where capture looks up the columns again.
    run(
        app,
        &format!(
            "ALTER TABLE people ADD further mood; ALTER TABLE keyed ADD further mood; ALTER TABLE parted ADD further mood;
             INSERT INTO people VALUES ('3', 'fine', '{{fine,bad}}', '(fine,1)', '{{\"(fine,1)\",\"(,)\"}}', 1, '{{1,2}}', '{{}}');
             {writes}"
        ),
    );
    assert_eq!(calls_of("owner", protected), [""; 0]);
    assert_rows(
        &mut protected.admin,
        "SELECT table_name, op, count(*) FROM threadline.changes GROUP BY table_name, op ORDER BY 1, 2",
        [
            "keyed | insert | 2",
            "keyed | truncate | 2",
            "keyed | update | 4",
            "parted | delete | 2",
            "parted | insert | 2",
            "parted | update | 2",
            "people | delete | 2",
            "people | insert | 6",
            "people | truncate | 4",
            "people | update | 4",
        ],
    );
    assert_rows(
        &mut protected.admin,
        "SELECT count(*) FROM threadline.audit_changes WHERE concat(row_data, changed_from, changed_to, record_key) LIKE '%spoilt%'",
        ["0"],
    );
}

#[test]
fn code_called_by_the_planner_does_not_run_as_the_owner() {
    let (app, protected) = &mut Protected::with(&format!(
            "{SPIES}
             CREATE TABLE a (id int PRIMARY KEY, n int); CREATE INDEX ON a (id) WHERE spy_when_planned('index');
             CREATE TABLE b (id int PRIMARY KEY, n int CHECK (spy_when_planned('check')));
             CREATE TABLE c (id int PRIMARY KEY, n int); CREATE STATISTICS s ON (CASE WHEN spy_when_planned('statistics') THEN n END), id FROM c;
             CREATE TABLE d (id int PRIMARY KEY, n int); ALTER TABLE d ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
             CREATE POLICY p ON d USING (spy('policy'));
             SELECT threadline.audit('a'), threadline.audit('b'), threadline.audit('c'), threadline.audit('d');
             SET constraint_exclusion = on;"
        ));
    for table in ["a", "b", "c", "d"] {
        run(
            app,
            &format!(
                "INSERT INTO {table} VALUES (1, 1); UPDATE {table} SET n = 2; TRUNCATE {table}"
            ),
        );
    }
    assert_eq!(calls_of("owner", protected), [""; 0]);
    run(
        app,
        "SELECT FROM a WHERE id = 1; SELECT FROM b; SELECT FROM c",
    );
    assert_eq!(
        calls_of("app", protected),
        ["check", "index", "policy", "statistics"]
    );
    // If the rows could not be read, their removal is recorded nevertheless.
    assert_rows(
        &mut protected.admin,
        "SELECT t.table_name, c.record_key, c.row_data FROM threadline.audit_changes AS c
         JOIN threadline.audited_tables AS t ON t.id = c.table_id WHERE op = 'T' ORDER BY c.id",
        [
            "a | NULL | NULL",
            r#"b | 1 | {"n": 2, "id": 1}"#,
            "c | NULL | NULL",
            r#"d | 1 | {"n": 2, "id": 1}"#,
        ],
    );
}

#[test]
fn a_table_in_a_schema_that_the_owner_may_not_use_is_written_as_before() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let role = protected.role("app");
    run(
        &mut protected.admin,
        &format!("CREATE SCHEMA hidden AUTHORIZATION {role}"),
    );
    run(
        app,
        "ALTER TABLE items SET SCHEMA hidden; ALTER TABLE hidden.items ADD n int;
         INSERT INTO hidden.items VALUES (1, 'a', 1); UPDATE hidden.items SET n = 2; DELETE FROM hidden.items",
    );
    assert_rows(
        &mut protected.admin,
        "SELECT op, coalesce(changed_to, row_data) FROM threadline.audit_changes ORDER BY id",
        [
            r#"I | {"n": 1, "id": 1, "name": "a"}"#,
            r#"U | {"n": 2}"#,
            r#"D | {"n": 2, "id": 1, "name": "a"}"#,
        ],
    );
}

#[test]
fn code_called_by_a_new_type_does_not_run_as_the_owner() {
    let (app, protected) = &mut Protected::with(&format!(
            "{SPIES}
             CREATE TABLE parted (id int PRIMARY KEY, m text) PARTITION BY RANGE (id);
             CREATE TABLE part PARTITION OF parted DEFAULT;
             CREATE TABLE plain (id int PRIMARY KEY, m text);
             CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN IF pg_trigger_depth() = 1 THEN UPDATE plain SET m = ''bad'' WHERE id = NEW.id; END IF; RETURN NULL; END';
             CREATE TRIGGER again AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION again();
             SELECT threadline.audit('parted'), threadline.audit('plain');"
        ));
    for table in ["parted", "plain"] {
        run(
            app,
            &format!(
                "INSERT INTO {table} VALUES (1, 'fine'); ALTER TABLE {table} ALTER m TYPE mood USING m::mood"
            ),
        );
        run(
            app,
            &format!(
                "INSERT INTO {table} VALUES (2, 'fine'), (3, 'fine'); UPDATE {table} SET m = 'fine' WHERE id = 2;
                 UPDATE {table} SET m = 'bad'; DELETE FROM {table} WHERE id = 2; TRUNCATE {table}"
            ),
        );
    }
    assert_eq!(calls_of("owner", protected), [""; 0]);
    assert_rows(
        &mut protected.admin,
        "SELECT count(*) > 10, bool_or(concat(row_data, changed_from, changed_to) LIKE '%spoilt%') FROM threadline.audit_changes",
        ["true | false"],
    );
}

#[test]
fn a_truncate_under_forced_row_security_is_recorded_whole() {
    let (_, protected) = &mut Protected::with(
        "CREATE TABLE forced (id int PRIMARY KEY); ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         CREATE POLICY p ON forced TO current_user USING (true); SELECT threadline.audit('forced'); INSERT INTO forced VALUES (1), (2);
         TRUNCATE forced; INSERT INTO forced VALUES (3); SET row_security = off; TRUNCATE forced",
    );
    assert_rows(
        &mut protected.admin,
        "SELECT op, record_key, row_data FROM threadline.audit_changes ORDER BY id",
        [
            r#"I | 1 | {"id": 1}"#,
            r#"I | 2 | {"id": 2}"#,
            r#"T | 1 | {"id": 1}"#,
            r#"T | 2 | {"id": 2}"#,
            r#"I | 3 | {"id": 3}"#,
            r#"T | 3 | {"id": 3}"#,
        ],
    );
}
