use threadline::Models;
use threadline_tests::{Database, changes, run, value};

use super::{drift, found};

const PEOPLE: &str = "
    CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, age int, note text);
    SELECT threadline.audit('people', mask => ARRAY['note']);
    INSERT INTO people VALUES (1, 'Ada', 36, 'secret'), (2, 'Bob', 40, NULL);
";

#[test]
fn changed_columns_are_named() {
    let (_, conn) = &mut Database::with(PEOPLE);
    for (change, named) in [
        ("ADD city text DEFAULT 'Rome'", "city was added"),
        ("RENAME city TO town", "city was renamed to town"),
        ("ALTER age TYPE text", "age was integer and is text"),
        ("RENAME note TO remark", "note was renamed to remark"),
        ("DROP town", "town was dropped"),
    ] {
        let findings = drift(
            conn,
            &format!("ALTER TABLE people {change}"),
            &["columns-changed public.people"],
        );
        assert_eq!(
            findings[0].message,
            format!("its columns are not those that its capture was built for: {named}")
        );
        run(conn, "UPDATE people SET name = name || '.', age = age");
        assert_eq!(found(conn), [""; 0], "after {change}");
    }
    // With another key nothing can be compared until then.
    drift(
        conn,
        "ALTER TABLE people ALTER id TYPE bigint",
        &[
            "columns-changed public.people",
            "chain-unchecked public.people",
        ],
    );
}

/// Without redaction, the whole row is recorded, whenever the column was added.
#[test]
fn an_added_column_is_information_where_nothing_is_redacted_because_it_is_recorded() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 'a');
         ALTER TABLE items ADD city text DEFAULT 'Rome', ADD doc json, ADD price numeric, ADD doubled int GENERATED ALWAYS AS (id * 2) STORED;
         UPDATE items SET city = 'Paris', doc = '{\"b\": 1, \"a\": 2}', price = 1.10; INSERT INTO items VALUES (2, 'b', 'Oslo', '[]', 2.0)",
    );
    assert_eq!(
        changes(conn)[1..],
        [
            r#"update | items | {"id": 1} | {"doc": null, "city": "Rome", "price": null} | {"doc": "{\"b\": 1, \"a\": 2}", "city": "Paris", "price": 1.10} | NULL | "#,
            r#"insert | items | {"id": 2} | NULL | NULL | {"id": 2, "doc": [], "city": "Oslo", "name": "b", "price": 2.0, "doubled": 4} | "#,
        ]
    );
    let findings = drift(conn, "", &["columns-added public.items"]);
    assert_eq!(findings[0].severity().to_string(), "info");
    assert_eq!(
        findings[0].message,
        "it has columns that came since its capture was built, and they are recorded: city was added, doc was added, price was added, doubled was added"
    );
    // With another change of the columns, that one is not the only difference.
    drift(
        conn,
        "ALTER TABLE items ADD more int, ALTER price TYPE float8",
        &["columns-outdated public.items"],
    );
    drift(
        conn,
        "ALTER TABLE items ADD other int; ALTER TABLE items ALTER doubled DROP EXPRESSION",
        &["columns-outdated public.items"],
    );
}

/// No write gave a column its value after its type changed, or after another took its
/// name.
#[test]
fn another_type_or_another_column_of_the_name_is_no_bypass_of_the_triggers() {
    for refreshed in [false, true] {
        let (_, conn) = &mut Database::with(PEOPLE);
        run(
            conn,
            "UPDATE people SET age = 37 WHERE id = 1;
             ALTER TABLE people ALTER age TYPE text USING 'about ' || age;
             ALTER TABLE people DROP name; ALTER TABLE people ADD name text DEFAULT 'nobody'",
        );
        if refreshed {
            run(conn, "SELECT threadline.refresh('people')");
        }
        let expected: &[&str] = if refreshed {
            &[]
        } else {
            &["columns-changed public.people"]
        };
        assert_eq!(found(conn), expected);
        run(
            conn,
            "UPDATE people SET age = 'old', name = 'Ada' WHERE id = 1",
        );
        assert_eq!(found(conn), expected);
    }
}

#[test]
fn a_changed_key_is_found() {
    let (_, conn) = &mut Database::with(PEOPLE);
    let change = "ALTER TABLE people DROP CONSTRAINT people_pkey, ADD PRIMARY KEY (name)";
    run(conn, change);
    assert_eq!(
        found(conn),
        ["key-changed public.people", "chain-unchecked public.people"]
    );
    drift(
        conn,
        "",
        &["key-changed public.people", "chain-unchecked public.people"],
    );
    run(
        conn,
        "UPDATE people SET age = 1; DELETE FROM people WHERE name = 'Bob'",
    );
    assert_eq!(found(conn), [""; 0]);

    let findings = drift(
        conn,
        "ALTER TABLE people DROP CONSTRAINT people_pkey",
        &["key-changed public.people", "chain-unchecked public.people"],
    );
    assert_eq!(
        findings[0].fix.as_deref(),
        Some(
            "ALTER TABLE public.people ADD PRIMARY KEY (name); SELECT threadline.refresh('public.people');"
        )
    );
}

#[test]
fn a_renamed_key_is_the_same_key() {
    let (_, conn) = &mut Database::with(PEOPLE);
    drift(
        conn,
        "ALTER TABLE people RENAME id TO number",
        &["columns-changed public.people"],
    );
    run(conn, "UPDATE people SET number = number + 10");
    assert_eq!(found(conn), [""; 0]);
}

#[test]
fn a_capture_of_an_older_version_is_found() {
    let (_, conn) = &mut Database::with(PEOPLE);
    drift(
        conn,
        "UPDATE threadline.audited_tables SET capture_version = 0",
        &["capture-outdated public.people"],
    );
}

#[test]
fn a_table_from_a_dump_is_as_good_as_new_after_one_command() {
    let (database, conn) = &mut Database::new().connected();
    // So that object ids differ there.
    run(conn, "CREATE TABLE before (id int PRIMARY KEY)");
    run(conn, PEOPLE);
    run(conn, "DROP TABLE before; UPDATE people SET age = 0");
    let (_, conn) = &mut database.restored().connected();
    drift(conn, "", &["table-restored public.people"]);
    run(conn, "UPDATE people SET age = 1");
    assert_eq!(changes(conn).len(), 6);
    assert_eq!(found(conn), [""; 0]);
}

/// Constants in conditions and in generation expressions are shown under the settings of a
/// session, and names, too.
#[test]
fn the_settings_of_a_session_are_no_change_of_a_table() {
    const SETTINGS: [&str; 7] = [
        "timezone = 'Asia/Tokyo'",
        "datestyle = 'German'",
        "intervalstyle = 'iso_8601'",
        "bytea_output = 'escape'",
        "extra_float_digits = -10",
        "quote_all_identifiers = on",
        "search_path = pg_catalog",
    ];
    const AUDIT: &str = "SELECT threadline.audit('public.made', mask => ARRAY['b']),
        threadline.audit('public.chosen', operations => ARRAY['insert', 'update'],
            condition => $$NEW.at > '2020-01-01 00:00+00'::timestamptz AND NEW.d > date '2020-02-01' AND NEW.i > interval '1 day'$$)";
    for set in SETTINGS {
        let (_, conn) = &mut Database::with(
            "CREATE TABLE made (id int PRIMARY KEY, at timestamptz, d date, i interval, b bytea, f float8,
                  late boolean GENERATED ALWAYS AS (at > '2020-01-01 00:00+00'::timestamptz) STORED,
                  others boolean GENERATED ALWAYS AS (d > '2020-02-01'::date AND i > '1 day 2 hours'::interval AND f > 0.1::float8) STORED);
              CREATE TABLE chosen (id int PRIMARY KEY, at timestamptz, d date, i interval);
              CREATE TABLE parts (at timestamptz PRIMARY KEY, n int) PARTITION BY RANGE (at);
              CREATE TABLE part PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2030-01-01');
              SELECT threadline.audit('parts')",
        );
        run(conn, AUDIT);
        assert_eq!(found(conn), [""; 0]);
        run(conn, &format!("SET {set}"));
        assert_eq!(found(conn), [""; 0], "{set}");
        assert!(Models::new(vec![]).health(conn).unwrap().healthy, "{set}");
        run(
            conn,
            "INSERT INTO public.made (id, at, d, i, f) VALUES (1, now(), now(), '2 days', 1)",
        );
        let image =
            "SELECT row_data ?& '{late,others}' FROM threadline.audit_changes WHERE op = 'I'";
        assert_eq!(value(conn, image).as_deref(), Some("true"), "{set}");
        // Noted under the setting, and compared without it.
        run(conn, AUDIT);
        run(
            conn,
            "ALTER TABLE public.made ADD late_too text; ALTER TABLE public.chosen ADD late_too text; SELECT threadline.refresh_all(); RESET ALL",
        );
        assert_eq!(found(conn), [""; 0], "{set}, and after a refresh");
    }
}
