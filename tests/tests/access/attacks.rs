//! A table's owner tries to run code as the audit's owner, or as a superuser who maintains
//! the audit.

use diesel::prelude::*;
use threadline_tests::{assert_rows, assert_value, rolled_back_with, rows, run};

use super::code::SPIES;
use super::{ITEMS, Protected, refused};

/// Runs statements, some of which may be refused.
fn attempt(conn: &mut PgConnection, statements: &[&str]) {
    for statement in statements {
        let _ = diesel::connection::SimpleConnection::batch_execute(conn, statement);
    }
}

/// Opens a session of the application with [`SPIES`] and the audited table `items`, which
/// has the id 1.
fn spying() -> (PgConnection, Protected) {
    let (mut app, protected) = Protected::with(ITEMS);
    run(&mut app, SPIES);
    (app, protected)
}

/// Asserts that the application's code ran only as the application itself.
#[track_caller]
fn assert_nobody_was_spied(protected: &mut Protected) {
    let app = protected.role("app");
    assert_rows(
        &mut protected.admin,
        &format!("SELECT DISTINCT who, through FROM spied WHERE who <> '{app}'"),
        [],
    );
    assert_value(
        &mut protected.admin,
        &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{app}'"),
        "false",
    );
}

/// Returns the recorded changes of table 1.
fn recorded(protected: &mut Protected) -> Vec<String> {
    rows(
        &mut protected.admin,
        "SELECT op, record_key FROM threadline.audit_changes WHERE table_id = 1 ORDER BY id",
    )
}

/// Runs a superuser's maintenance of a table.
fn maintain(protected: &mut Protected, table: &str) {
    attempt(
        &mut protected.admin,
        &[
            &format!("SELECT threadline.refresh('{table}')"),
            &format!("SELECT * FROM threadline.table_drift('{table}')"),
            &format!("SELECT threadline.unaudit('{table}')"),
            &format!("SELECT threadline.audit('{table}')"),
            &format!("SELECT threadline.refresh('{table}')"),
        ],
    );
    protected.protect();
}

#[test]
fn a_view_of_the_session_is_not_taken_for_the_rows_of_a_statement() {
    let (app, protected) = &mut spying();
    run(
        app,
        "CREATE FUNCTION gone() RETURNS SETOF items LANGUAGE plpgsql AS $$ BEGIN
             PERFORM public.spy('view'); RETURN QUERY SELECT 1, 'x'::text; END $$;
         GRANT USAGE ON SCHEMA public TO PUBLIC",
    );
    for name in [
        "tl_new",
        "tl_old",
        "new",
        "old",
        "journal",
        "audited_tables",
        "suspensions",
    ] {
        run(
            app,
            &format!(
                "CREATE TEMP VIEW {name} AS SELECT * FROM gone(); GRANT SELECT ON {name} TO PUBLIC"
            ),
        );
    }
    for (trigger, referencing) in [
        ("zz", ""),
        ("zz", "REFERENCING NEW TABLE AS tl_new"),
        ("zz", "REFERENCING NEW TABLE AS journal"),
        ("\"!threadline_capture_1\"", ""),
        ("\"!threadline_truncate_1\"", ""),
    ] {
        attempt(
            app,
            &[
                &format!(
                    "CREATE OR REPLACE TRIGGER {trigger} AFTER INSERT ON items {referencing} FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_1()"
                ),
                "INSERT INTO items VALUES (2, 'x')",
                "DELETE FROM items",
                &format!("DROP TRIGGER {trigger} ON items"),
                "SELECT threadline.refresh('items')",
            ],
        );
    }
    assert_nobody_was_spied(protected);
    run(
        app,
        "SELECT threadline.audit('items'); INSERT INTO items VALUES (3)",
    );
    assert_eq!(
        recorded(protected).last().map(String::as_str),
        Some("I | 3")
    );
}

#[test]
fn a_condition_that_is_more_than_an_expression_is_run_by_nobody() {
    let (app, protected) = &mut spying();
    let role = protected.role("app");
    let condition = format!(
        "$c$true) EXECUTE FUNCTION threadline.capture_1();
         DO $x$ BEGIN IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN EXECUTE 'ALTER ROLE {role} SUPERUSER'; END IF; END $x$;
         CREATE OR REPLACE TRIGGER zzz AFTER DELETE ON public.items FOR EACH ROW WHEN (false$c$"
    );
    assert!(
        refused(
            app,
            &format!("SELECT threadline.audit('items', condition => {condition})")
        )
        .contains("does not belong into an expression")
    );
    // Through functions that audit() calls.
    run(
        app,
        &format!(
            "GRANT TRIGGER ON items TO {};
             SELECT threadline.write_policy('items', threadline.policy('{{}}', '{{}}', false, NULL, NULL, {condition}, NULL, NULL), false)",
            protected.role("owner")
        ),
    );
    refused(&mut protected.admin, "SELECT threadline.refresh('items')");
    // The triggers have to be created again, too.
    run(app, "DROP TRIGGER \"!threadline_capture_1\" ON items");
    attempt(
        &mut protected.admin,
        &["SELECT threadline.install_triggers(1, 'items')"],
    );
    refused(&mut protected.admin, "SELECT threadline.refresh('items')");
    maintain(protected, "items");
    assert_nobody_was_spied(protected);
}

#[test]
fn the_constants_of_a_condition_are_read_by_the_tables_owner_alone() {
    let (app, protected) = &mut spying();
    run(
        app,
        "CREATE TYPE holder AS (c checked);
         CREATE TABLE tagged (id int PRIMARY KEY, tags code[], h holder);
         CREATE TABLE plain (id int PRIMARY KEY, v text)",
    );
    for (table, condition) in [
        ("tagged", "NEW.tags <> '{x}'"),
        ("tagged", "NEW.h IS DISTINCT FROM '(1)'::public.holder"),
        ("plain", "NEW.v <> ('{x}'::public.code[])[1]"),
        ("plain", "NEW.v <> ('{x}' :: \"public\" . code[])[1]"),
        (
            "plain",
            "coalesce(NEW.v, '') OPERATOR(pg_catalog.<>) ('{x}'::public.code[])[1]",
        ),
    ] {
        let audit = format!(
            "SELECT threadline.audit('{table}', condition => $${condition}$$, operations => '{{insert,update}}')"
        );
        run(app, &audit);
        // Unchanged triggers are kept, so no code is parsed.
        run(
            &mut protected.admin,
            &format!("SELECT threadline.refresh('{table}')"),
        );
        // Otherwise it would have to be created again.
        run(
            app,
            &format!(
                "DO $$ BEGIN EXECUTE (SELECT format('CREATE OR REPLACE TRIGGER %I AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION %s()', tgname, tgfoid::regproc)
                 FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND tgname ~ 'capture'); END $$"
            ),
        );
        let error = refused(
            &mut protected.admin,
            &format!("SELECT threadline.refresh('{table}')"),
        );
        assert!(
            error.starts_with(&format!("threadline: the condition under which table public.{table} is recorded uses functions or types that are not PostgreSQL's own")),
            "{error}"
        );
        refused(&mut protected.admin, &audit);
        run(app, &format!("SELECT threadline.refresh('{table}')"));
    }
    assert_nobody_was_spied(protected);
    // A condition of PostgreSQL's own types can be set by any role with the right.
    run(
        &mut protected.admin,
        "SELECT threadline.audit('plain', condition => $$NEW.v <> 'a.b' AND new . id > 1.5 AND pg_catalog.length(NEW.\"v\") > 0$$, operations => '{insert,update}')",
    );
}

/// `verify` compares the trigger with the noted condition.
#[test]
fn a_condition_written_by_hand_is_not_noted_in_silence() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let note = format!(
        "GRANT TRIGGER ON items TO {}; SELECT threadline.note_condition('items')",
        protected.role("owner")
    );
    let by_hand =
        "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" AFTER INSERT OR UPDATE ON items
         FOR EACH ROW WHEN (false) EXECUTE FUNCTION threadline.capture_1();
         ALTER TABLE items ENABLE ALWAYS TRIGGER \"!threadline_capture_1\"";
    run(app, by_hand);
    assert_eq!(
        refused(app, &note),
        "threadline: table public.items is recorded without a condition; give it one with SELECT threadline.audit('public.items', condition => ...)"
    );
    run(
        app,
        "SELECT threadline.audit('items', condition => 'NEW.id > 0', operations => '{insert,update}')",
    );
    run(app, by_hand);
    run(app, &note);
    // An argument may look like anything.
    run(
        app,
        "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" AFTER INSERT OR UPDATE ON items
         FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION threadline.capture_1('; ) EXECUTE FUNCTION x')",
    );
    refused(app, &note);
    assert_rows(
        &mut protected.admin,
        "SELECT name, meta ->> 'condition', meta ->> 'former_condition' FROM threadline.actions WHERE name = 'audit.condition_changed' ORDER BY id",
        [
            "audit.condition_changed | (new.id > 0) | NULL",
            "audit.condition_changed | false | (new.id > 0)",
        ],
    );
    assert_eq!(
        refused(
            app,
            "SELECT threadline.record_action('audit.condition_changed', 'user', '1')"
        ),
        "threadline: the action 'audit.condition_changed' is recorded by threadline.audit() alone"
    );
}

#[test]
fn operators_and_functions_in_the_path_of_the_session_are_not_those_of_the_audit() {
    let (app, protected) = &mut spying();
    run(
        app,
        "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC",
    );
    // All operators between types that the audit compares.
    run(
        app,
        r#"DO $do$
        DECLARE
            tl_operator record;
        BEGIN
            FOR tl_operator IN
                SELECT o.oprname AS name, o.oprleft::regtype AS left, o.oprright::regtype AS right, o.oprresult::regtype AS result
                FROM pg_operator AS o
                WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprkind = 'b'
                  AND o.oprleft::regtype::text IN ('"char"', 'bigint', 'boolean', 'integer', 'jsonb', 'name', 'oid', 'record', 'smallint', 'text', 'timestamp with time zone', 'xid8')
            LOOP
                EXECUTE format(
                    'CREATE FUNCTION evil.%1$I(%2$s, %3$s) RETURNS %4$s LANGUAGE plpgsql AS
                         $$ BEGIN PERFORM public.spy(%5$L); RETURN NULL; END $$',
                    concat_ws(' ', 'spying', tl_operator.name, tl_operator.left, tl_operator.right), tl_operator.left, tl_operator.right,
                    tl_operator.result, 'operator ' || tl_operator.name);
                EXECUTE format(
                    'CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.%I)',
                    tl_operator.name, tl_operator.left, tl_operator.right,
                    concat_ws(' ', 'spying', tl_operator.name, tl_operator.left, tl_operator.right));
            END LOOP;
        END
        $do$"#,
    );
    for function in [
        "to_jsonb(anyelement) RETURNS jsonb",
        "current_setting(text, boolean) RETURNS text",
        "now() RETURNS timestamptz",
        "quote_literal(text) RETURNS text",
        "jsonb_build_object(text, text) RETURNS jsonb",
        "concat(int) RETURNS text",
        "pg_current_xact_id() RETURNS xid8",
    ] {
        run(
            app,
            &format!(
                "CREATE FUNCTION evil.{function} LANGUAGE plpgsql AS $$ BEGIN PERFORM public.spy('function'); RETURN NULL; END $$;
                 CREATE FUNCTION pg_temp.{function} LANGUAGE plpgsql AS $$ BEGIN PERFORM public.spy('function of the session'); RETURN NULL; END $$"
            ),
        );
    }
    run(
        app,
        "CREATE DOMAIN pg_temp.jsonb AS text CHECK (public.spy('type')); CREATE DOMAIN pg_temp.tid AS text CHECK (public.spy('type'))",
    );
    for path in [
        "evil, pg_catalog, threadline, public",
        "pg_temp, evil, threadline, public, pg_catalog",
    ] {
        run(app, &format!("SET search_path = {path}"));
        run(
            app,
            "SELECT threadline.set_context('{\"actor\": {\"type\": \"user\", \"id\": \"1\"}}');
             CREATE TABLE public.orders (id int PRIMARY KEY, m public.mood, sum numeric);
             SELECT threadline.audit('public.orders', mask => '{sum}', hash => '{m}');
             INSERT INTO public.orders VALUES (1, 'fine', 2), (2, 'bad', 3); UPDATE public.orders SET m = 'bad'; DELETE FROM public.orders; TRUNCATE public.orders;
             CREATE TABLE public.plain (id int PRIMARY KEY, name text); SELECT threadline.audit('public.plain', require_actor => true);
             INSERT INTO public.plain VALUES (1, 'a'); UPDATE public.plain SET name = 'b'; DELETE FROM public.plain; TRUNCATE public.plain;
             SELECT threadline.unaudit('public.plain'); DROP TABLE public.plain;
             SELECT threadline.record_action('orders.done', 'user', '1');
             ALTER TABLE public.orders ADD n int; SELECT threadline.refresh('public.orders');
             SELECT threadline.unaudit('public.orders'); DROP TABLE public.orders",
        );
        run(app, "SELECT threadline.post()");
    }
    assert_nobody_was_spied(protected);
    assert_value(
        &mut protected.admin,
        "SELECT count(*) FROM threadline.ledger_changes",
        "16",
    );
}

#[test]
fn triggers_of_another_kind_that_call_a_capture_function_record_nothing() {
    let (app, protected) = &mut Protected::with_items(
        "CREATE VIEW shown AS SELECT * FROM items;
         CREATE TRIGGER \"!threadline_capture_1\" INSTEAD OF INSERT ON shown FOR EACH ROW EXECUTE FUNCTION threadline.capture_1();
         INSERT INTO shown VALUES (1, 'forged'); DROP VIEW shown",
    );
    for trigger in [
        "\"!threadline_truncate_1\" AFTER INSERT ON items FOR EACH ROW",
        "\"!threadline_truncate_1\" BEFORE INSERT ON items FOR EACH STATEMENT",
        "\"!threadline_truncate_1\" AFTER TRUNCATE ON items FOR EACH STATEMENT",
        "zz BEFORE TRUNCATE ON items FOR EACH STATEMENT",
        "zz AFTER INSERT ON items FOR EACH ROW",
        "aa AFTER INSERT ON items REFERENCING NEW TABLE AS n FOR EACH STATEMENT",
    ] {
        run(
            app,
            &format!("CREATE OR REPLACE TRIGGER {trigger} EXECUTE FUNCTION threadline.capture_1()"),
        );
        run(app, "INSERT INTO items VALUES (1); DELETE FROM items");
        assert_eq!(recorded(protected).len(), 2, "{trigger}");
        run(&mut protected.admin, "DELETE FROM threadline.journal");
    }
    // A change that was not made: the trigger itself prevents it.
    for trigger in [
        "BEFORE INSERT ON items FOR EACH ROW",
        "BEFORE INSERT ON items FOR EACH STATEMENT",
    ] {
        run(
            app,
            &format!(
                "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" {trigger} EXECUTE FUNCTION threadline.capture_1();
                 INSERT INTO items VALUES (1)"
            ),
        );
        assert_eq!(recorded(protected), [""; 0], "{trigger}");
    }
    assert!(
        rows(
            &mut protected.admin,
            "SELECT code FROM threadline.table_drift()"
        )
        .contains(&"trigger-altered".to_owned())
    );
}

/// Casts, domains, generated columns, defaults, indexes, statistics, partition keys, rules
/// and row-level policies.
#[test]
fn code_in_a_table_definition_never_runs_as_the_role_that_maintains_its_audit() {
    let (app, protected) = &mut spying();
    run(
        app,
        "CREATE FUNCTION spy_int(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM public.spy(''expression''); RETURN $1; END';
         CREATE FUNCTION mood_jsonb(mood) RETURNS jsonb LANGUAGE plpgsql AS 'BEGIN PERFORM public.spy(''cast''); RETURN ''1''; END';
         CREATE CAST (mood AS jsonb) WITH FUNCTION mood_jsonb(mood) AS IMPLICIT;
         CREATE FUNCTION mood_int(mood) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM public.spy(''cast''); RETURN 1; END';
         CREATE CAST (mood AS int) WITH FUNCTION mood_int(mood) AS IMPLICIT;
         CREATE TABLE spoilt (
             id int PRIMARY KEY, m mood DEFAULT 'fine', n int DEFAULT spy_int(3), g int GENERATED ALWAYS AS (spy_int(id)) STORED,
             c checked DEFAULT 1, CHECK (spy('check')));
         CREATE INDEX ON spoilt (spy_int(id)); CREATE INDEX ON spoilt (id) WHERE spy_when_planned('index');
         CREATE STATISTICS spoilt_s ON spy_int(n), spy_int(id) FROM spoilt;
         CREATE RULE also AS ON INSERT TO spoilt DO ALSO SELECT spy('rule');
         CREATE TABLE parted (id int, m mood) PARTITION BY RANGE (spy_int(id));
         CREATE TABLE part PARTITION OF parted DEFAULT;
         CREATE TABLE policed (id int PRIMARY KEY, n int);
         ALTER TABLE policed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON policed USING (spy('policy')) WITH CHECK (spy('policy'));
         SELECT threadline.audit('spoilt'), threadline.audit('parted', keyless => true), threadline.audit('policed', hash => '{n}')",
    );
    for table in ["spoilt", "parted", "policed"] {
        run(
            app,
            &format!(
                "INSERT INTO {table} (id) VALUES (1), (2); UPDATE {table} SET id = 3 WHERE id = 1; DELETE FROM {table} WHERE id = 2; TRUNCATE {table}"
            ),
        );
        maintain(protected, table);
        run(app, &format!("INSERT INTO {table} (id) VALUES (1)"));
    }
    run(app, "SELECT threadline.post()");
    run(
        &mut protected.admin,
        "SELECT threadline.post(); SELECT * FROM threadline.changes",
    );
    assert_nobody_was_spied(protected);
}

#[test]
fn names_that_look_like_sql_are_names() {
    let (app, protected) = &mut spying();
    let column = r#""a\' || public.spy('name') || '{old_image} $$ $capture$ ; --""#;
    let table = r#""t\'; SELECT public.spy('name'); --""#;
    for strings in ["on", "off"] {
        let mut admin = protected.database.connect();
        for session in [&mut *app, &mut admin] {
            run(
                session,
                &format!("SET standard_conforming_strings = {strings}"),
            );
        }
        run(
            app,
            &format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, {column} text, e mood);
                 DO $do$ BEGIN PERFORM threadline.audit(c.oid, mask => ARRAY[a.attname::text]) FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = 2 WHERE c.relname LIKE 't%spy%' AND c.relkind = 'r'; END $do$;
                 INSERT INTO {table} VALUES (1, 'secret', 'fine'); UPDATE {table} SET e = 'bad'; TRUNCATE {table}"
            ),
        );
        let target = "(SELECT oid FROM pg_class WHERE relname LIKE 't%spy%' AND relkind = 'r')";
        run(
            &mut admin,
            &format!(
                "SELECT threadline.refresh({target}); SELECT * FROM threadline.table_drift(); SELECT threadline.unaudit({target})"
            ),
        );
        run(
            app,
            &format!("SELECT threadline.post(); DROP TABLE {table}"),
        );
    }
    assert_nobody_was_spied(protected);
    assert_rows(
        &mut protected.admin,
        "SELECT DISTINCT value FROM threadline.audit_changes, jsonb_each_text(row_data) WHERE key LIKE '%spy%'",
        ["***"],
    );
}

/// For every object added to the schema: functions that run as the owner look names up only
/// where no other role can create objects.
#[test]
fn every_function_that_runs_as_the_owner_pins_its_path() {
    let mut protected = Protected::new();
    protected.application();
    assert_rows(
        &mut protected.admin,
        "SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace AND prosecdef
         -- Those of tables call nothing by a name without its schema; see above.
         AND proname !~ '^capture_[0-9]+$' AND NOT 'search_path=pg_catalog, threadline, pg_temp' = ANY (coalesce(proconfig, '{}'))",
        [],
    );
    let app = &mut protected.session("app");
    for attempt in [
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION threadline.capture_1()",
        "CREATE FUNCTION threadline.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
        "CREATE CAST (jsonb AS int) WITH INOUT",
        "CREATE OPERATOR threadline.= (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = jsonb_eq)",
    ] {
        let error = refused(app, attempt);
        assert!(
            error.contains("ermission denied") || error.contains("must be owner"),
            "{error}"
        );
    }
}

#[test]
fn no_name_of_a_column_takes_the_search_path_from_a_capture_function() {
    let conn = &mut rolled_back_with(
        r#"CREATE TABLE people (id int PRIMARY KEY, "threadline.large_image(" text, email text);
           SELECT threadline.audit('people', mask => ARRAY['email'])"#,
    );
    assert_value(
        conn,
        "SELECT array_to_string(proconfig, '; ') FROM pg_proc WHERE proname = 'capture_' || threadline.audited_table_of('people')",
        "search_path=pg_catalog, threadline, pg_temp",
    );
}
