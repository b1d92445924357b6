//! Columns recorded as keyed hashes: they show whether values are equal, and not the
//! values.

use std::collections::BTreeSet;

use diesel::prelude::*;
use threadline::Audited;
use threadline_tests::{Database, assert_value, exchange, installed, rows, run, value};

/// Searched for in the whole database.
const SECRET: &str = "s3cr3t";

/// Creates a person whose number is a secret, in two columns.
const PEOPLE: &str =
    "CREATE TABLE people (gone int, id int PRIMARY KEY, ssn varchar(40), former_ssn text, pin int);
     ALTER TABLE people DROP gone;
     SELECT threadline.audit('people', hash => ARRAY['ssn', 'former_ssn', 'pin']);
     INSERT INTO people VALUES (1, 's3cr3t-1', 's3cr3t-1', 482)";

/// Returns the old and new values of a column, oldest first.
fn changes(conn: &mut PgConnection, column: &str) -> Vec<(String, String)> {
    let column = format!("'{column}'");
    let both = rows(
        conn,
        &format!(
            "SELECT concat(coalesce(changed_from ->> {column}, 'null'), ' ', coalesce(changed_to ->> {column}, 'null')) FROM threadline.audit_changes
             WHERE changed_to ? {column} ORDER BY id"
        ),
    );
    let pair = |both: &String| {
        let (from, to) = both.split_once(' ').unwrap();
        (from.to_owned(), to.to_owned())
    };
    both.iter().map(pair).collect()
}

fn inserted(conn: &mut PgConnection, column: &str) -> String {
    let sql = format!(
        "SELECT row_data -> '{column}' FROM threadline.audit_changes WHERE op = 'I' ORDER BY id"
    );
    rows(conn, &sql)[0].clone()
}

#[track_caller]
fn assert_hash(value: &str) {
    let hash = value.strip_prefix("hash:");
    let hash = hash.unwrap_or_else(|| panic!("no keyed hash: {value}"));
    assert!(
        hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()),
        "{value}"
    );
}

/// Removes the live rows and searches everything that is left for the secret.
#[track_caller]
fn assert_no_secret(database: &Database, table: &str) {
    run(
        &mut database.connect(),
        &format!("ALTER TABLE {table} DISABLE TRIGGER ALL; DELETE FROM {table}"),
    );
    let contents = database.contents();
    assert!(contents.contains("hash:"));
    assert!(!contents.contains(SECRET));
}

#[test]
fn that_a_value_changed_and_changed_back_is_seen_without_the_value() {
    let (database, conn) = &mut Database::with(PEOPLE);
    run(conn, &format!("UPDATE people SET ssn = '{SECRET}-2'"));
    run(
        conn,
        &format!("UPDATE people SET ssn = '{SECRET}-1', pin = 483"),
    );
    run(conn, "UPDATE people SET ssn = NULL");
    run(conn, &format!("UPDATE people SET ssn = '{SECRET}-2'"));
    run(conn, "TRUNCATE people");

    let [first, second, third, fourth] = changes(conn, "ssn").try_into().unwrap();
    assert_hash(&first.0);
    assert_hash(&first.1);
    assert_ne!(first.0, first.1);
    assert_eq!(first.0, inserted(conn, "ssn"));
    assert_eq!(second, (first.1.clone(), first.0.clone()));
    assert_eq!(third, (first.0.clone(), "null".to_owned()));
    assert_eq!(fourth, ("null".to_owned(), first.1.clone()));
    let truncated = "SELECT row_data ->> 'ssn' FROM threadline.audit_changes WHERE op = 'T'";
    assert_eq!(value(conn, truncated), Some(first.1));
    assert_hash(&changes(conn, "pin")[0].0);
    assert_ne!(
        inserted(conn, "former_ssn"),
        inserted(conn, "ssn"),
        "the columns of a table tell nothing of each other"
    );
    assert_no_secret(database, "people");
}

#[test]
fn hashes_are_hmac_sha_256() {
    // RFC 4231, test cases 1 and 2, cut to the length of the hashes.
    let conn = &mut threadline_tests::rolled_back();
    for (key, value_of, mac) in [
        (
            r"decode(repeat('0b', 20), 'hex')",
            "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b",
        ),
        (
            "'Jefe'",
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c7",
        ),
    ] {
        run(
            conn,
            &format!(
                "INSERT INTO threadline.hash_keys (inner_key, outer_key)
                 VALUES (threadline.hash_pad({key}, 54), threadline.hash_pad({key}, 92))"
            ),
        );
        let hash = value(
            conn,
            &format!(
                "SELECT threadline.hash(max(id), to_jsonb('{value_of}'::text)) #>> '{{}}' FROM threadline.hash_keys"
            ),
        );
        assert_eq!(hash, Some(format!("hash:{mac}")));
    }
    // Keys are never repeated.
    run(
        conn,
        "SELECT threadline.new_hash_key() FROM generate_series(1, 100)",
    );
    assert_value(
        conn,
        "SELECT count(DISTINCT inner_key) = count(*) AND bool_and(length(inner_key) = 64) FROM threadline.hash_keys",
        "true",
    );
}

#[test]
fn all_ways_of_capture_give_one_value_one_hash() {
    let (database, conn) = &mut Database::with(&format!(
            "CREATE TABLE wide (id int, part int, v text, j jsonb, d json, n numeric, a text[], at timestamptz, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
             CREATE TABLE wide_1 PARTITION OF wide FOR VALUES IN (1);
             CREATE TABLE wide_2 PARTITION OF wide FOR VALUES IN (2);
             SELECT threadline.audit('wide', hash => ARRAY['v', 'j', 'd', 'n', 'a', 'at']);
             CREATE TABLE plain (LIKE wide);
             ALTER TABLE plain ADD PRIMARY KEY (id);
             SELECT threadline.audit('plain', hash => ARRAY['v', 'j', 'd', 'n', 'a', 'at']);
             CREATE TABLE template AS SELECT '{SECRET}'::text AS v, '{{\"a\": [1, \"{SECRET}\"]}}'::jsonb AS j,
                 '{{\"b\" :  \"{SECRET}\"}}'::json AS d, 1.50::numeric AS n, ARRAY['{SECRET}', NULL] AS a, '2026-01-02 03:04+02'::timestamptz AS at;"
        ));
    let same = |conn: &mut PgConnection, table: &str| {
        let images: BTreeSet<_> = rows(
            conn,
            &format!(
                "SELECT image - '{{id,part,extra}}'::text[] FROM threadline.audit_changes AS c
                 CROSS JOIN LATERAL unnest(ARRAY[row_data, changed_from, changed_to]) AS image
                 WHERE table_id = threadline.audited_table_of('{table}') AND image ->> 'v' IS NOT NULL"
            ),
        )
        .into_iter()
        .collect();
        assert_eq!(images.len(), 1, "{table}: {images:#?}");
        let row = images.first().unwrap();
        assert_eq!(row.matches("\"hash:").count(), 6, "{row}");
    };
    let null = "v = NULL, j = NULL, d = NULL, n = NULL, a = NULL, at = NULL";
    let back = "(v, j, d, n, a, at) = (SELECT * FROM template)";
    for table in ["wide", "plain"] {
        for (first, last) in [(1, 1), (2, 20), (21, 300)] {
            run(
                conn,
                &format!(
                    "SET timezone = 'Asia/Tokyo';
                     INSERT INTO {table} SELECT id, 1, template.* FROM template, generate_series({first}, {last}) AS id"
                ),
            );
            run(
                conn,
                &format!("UPDATE {table} SET {null} WHERE id BETWEEN {first} AND {last}"),
            );
            run(
                conn,
                &format!("UPDATE {table} SET {back} WHERE id BETWEEN {first} AND {last}"),
            );
            run(
                conn,
                &format!("UPDATE {table} SET part = 2 WHERE id BETWEEN {first} AND {last}"),
            );
            run(
                conn,
                &format!("DELETE FROM {table} WHERE id BETWEEN {first} AND {last} AND id % 2 = 0"),
            );
        }
        run(
            conn,
            &format!("INSERT INTO {table} SELECT 1, 2, * FROM template ON CONFLICT DO NOTHING"),
        );
        run(conn, &format!("ALTER TABLE {table} ADD extra text"));
        run(
            conn,
            &format!("UPDATE {table} SET {null}, extra = 'x' WHERE id = 1"),
        );
        run(conn, &format!("UPDATE {table} SET {back} WHERE id = 1"));
        run(
            conn,
            &format!("DELETE FROM {table} WHERE id = 1; TRUNCATE {table}"),
        );
        same(conn, table);
    }
    run(conn, "DROP TABLE template");
    assert_no_secret(database, "wide");
}

#[test]
fn a_keyed_hash_stays_one_when_its_column_gets_another_name_and_type() {
    let (database, conn) = &mut Database::with(PEOPLE);
    let session = &mut database.connect();
    let there =
        &format!("UPDATE people SET pin = 1, former_ssn = '{SECRET}-2', ssn = '{SECRET}-2'");
    let back =
        &format!("UPDATE people SET pin = 482, former_ssn = '{SECRET}-1', ssn = '{SECRET}-1'");
    run(session, there);
    let was = changes(conn, "ssn")[0].clone();
    let pin = changes(conn, "pin")[0].clone();
    run(
        conn,
        "ALTER TABLE people RENAME ssn TO number; ALTER TABLE people ALTER pin TYPE text",
    );
    for refresh in ["", "SELECT threadline.refresh('people')"] {
        if !refresh.is_empty() {
            run(conn, refresh);
        }
        run(
            session,
            &back.replace(" ssn", " number").replace("482", "'482'"),
        );
        run(
            session,
            &there
                .replace(" ssn", " number")
                .replace("pin = 1", "pin = '1'"),
        );
        assert_eq!(
            changes(conn, "number").pop(),
            Some(was.clone()),
            "{refresh}"
        );
        assert_eq!(changes(conn, "pin").pop(), Some(pin.clone()), "{refresh}");
    }
    // Swapped names: until the policy is decided, neither is shown as the other.
    run(
        conn,
        &format!(
            "BEGIN; {} COMMIT",
            exchange("people", "number", "former_ssn")
        ),
    );
    run(
        conn,
        &format!("UPDATE people SET former_ssn = '{SECRET}-1', number = '{SECRET}-1'"),
    );
    assert_eq!(changes(conn, "former_ssn").pop(), Some((was.1, was.0)));
    assert_no_secret(database, "people");
}

#[test]
fn a_keyed_hash_stays_one_through_dump_and_restore_and_a_change_of_mind() {
    let database = Database::new();
    run(&mut database.connect(), PEOPLE);
    let there = &format!("UPDATE people SET ssn = '{SECRET}-2'");
    let back = &format!("UPDATE people SET ssn = '{SECRET}-1'");
    run(&mut database.connect(), there);
    let was = changes(&mut database.connect(), "ssn")[0].clone();
    let (restored, conn) = &mut database.restored().connected();
    for decision in [
        "SELECT 1",
        "SELECT threadline.refresh('people')",
        "SELECT threadline.audit('people', mask => ARRAY['ssn', 'former_ssn', 'pin']);
         UPDATE people SET ssn = 's3cr3t-3';
         SELECT threadline.audit('people', hash => ARRAY['ssn', 'former_ssn', 'pin'])",
        "SELECT threadline.unaudit('people'); SELECT threadline.audit('people', hash => ARRAY['ssn', 'former_ssn', 'pin'])",
    ] {
        run(conn, decision);
        run(conn, back);
        run(conn, there);
        assert_eq!(changes(conn, "ssn").pop(), Some(was.clone()), "{decision}");
    }
    assert_no_secret(restored, "people");
}

#[test]
fn without_its_key_a_write_goes_through_and_nothing_is_shown() {
    let (database, conn) = &mut Database::with(PEOPLE);
    run(conn, "DELETE FROM threadline.hash_keys");
    run(conn, &format!("UPDATE people SET ssn = '{SECRET}-2'"));
    let unknown = "hash:unknown".to_owned();
    assert_eq!(changes(conn, "ssn"), [(unknown.clone(), unknown)]);
    run(conn, "SELECT threadline.refresh('people')");
    run(conn, &format!("UPDATE people SET ssn = '{SECRET}-3'"));
    assert_hash(&changes(conn, "ssn")[1].0);
    assert_no_secret(database, "people");
}

#[test]
fn a_column_generated_from_a_hashed_one_is_hashed_and_cannot_be_a_key() {
    let (database, conn) = &mut Database::with(&format!(
            "CREATE TABLE cards (id int PRIMARY KEY, number text, holder text, upper_number text GENERATED ALWAYS AS (upper(number)) STORED);
             SELECT threadline.audit('cards', hash => ARRAY['number'], columns => ARRAY['holder']);
             INSERT INTO cards VALUES (1, '{SECRET}', 'Ada')"
        ));
    assert_hash(&inserted(conn, "number"));
    run(
        conn,
        &format!(
            "SELECT threadline.audit('cards', hash => ARRAY['number']);
             UPDATE cards SET number = '{SECRET}-2'"
        ),
    );
    assert_hash(&changes(conn, "upper_number")[0].1);
    for (call, expected) in [
        (
            "mask => ARRAY['id']",
            "threadline: column id belongs to the primary key of public.cards; a key identifies the record and can be neither masked nor excluded",
        ),
        (
            "hash => ARRAY['number'], mask => ARRAY['number']",
            "threadline: column number (mask and hash) of table public.cards has several policies; choose one",
        ),
        (
            "hash => ARRAY['nmber']",
            "threadline: table public.cards has no column nmber; its columns are: id, number, holder, upper_number",
        ),
    ] {
        let error = diesel::sql_query(format!("SELECT threadline.audit('cards', {call})"))
            .execute(conn)
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert_no_secret(database, "cards");
}

diesel::table! {
    people (id) { id -> Int4, ssn -> Nullable<Text>, former_ssn -> Nullable<Text>, pin -> Nullable<Int4>, }
}

#[derive(Audited, Queryable, Selectable, Debug, PartialEq)]
#[diesel(table_name = people)]
#[audited(hash(ssn, former_ssn, pin))]
struct Person {
    id: i32,
    ssn: Option<String>,
    pin: Option<i32>,
}

#[test]
fn readers_see_that_it_changed_and_never_a_hash_in_the_place_of_a_value() {
    let (_, conn, models) = &mut installed(PEOPLE, threadline::models![Person]);
    assert!(models.status(conn).unwrap().is_current());
    run(
        conn,
        &format!("UPDATE people SET ssn = '{SECRET}-2', pin = 1"),
    );
    run(conn, &format!("UPDATE people SET ssn = '{SECRET}-1'"));

    let history = Person::history_of(conn, 1).unwrap();
    let [back, there, _] = history.try_into().unwrap();
    assert_eq!(
        back.changed_to.as_ref().unwrap()["ssn"],
        there.changed_from.as_ref().unwrap()["ssn"]
    );
    let hash = there.changed_from.as_ref().unwrap()["ssn"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        there.to_string().contains(&format!("ssn  {hash} -> hash:")),
        "{there}"
    );
    let diff = serde_json::to_value(there.diff()).unwrap();
    assert_eq!(diff["fields"][1]["prior_state"], "redacted", "{diff}");

    let then = there.captured_at;
    let as_of = Person::as_of(conn, 1, then).unwrap();
    assert_eq!(as_of.unwrap().ssn.as_deref(), Some("***"));
    let versions = Person::versions_of(conn, 1).unwrap();
    assert_eq!(versions.len(), 3);
    for version in versions {
        let person = version.record.unwrap();
        assert_eq!((person.ssn.as_deref(), person.pin), (Some("***"), None));
    }
    let refused = threadline::revert_transaction(conn, there.transaction.id).unwrap_err();
    assert!(refused.to_string().contains("ssn"), "{refused}");
    let verification = models.verify().run(conn).unwrap();
    assert!(verification.findings.is_empty(), "{verification:?}");
}

#[test]
fn texts_of_which_the_encoding_is_not_known_are_hashed() {
    let database = Database::encoded("SQL_ASCII");
    let conn = &mut database.connect();
    run(conn, PEOPLE);
    run(
        conn,
        r"UPDATE people SET ssn = E's\xe4s3cr3t', former_ssn = E's\xe4s3cr3t';
          UPDATE people SET ssn = E's\xe5s3cr3t';
          UPDATE people SET ssn = E's\xe4s3cr3t'",
    );
    for (from, to) in changes(conn, "ssn") {
        assert_hash(&from);
        assert_hash(&to);
        assert_ne!(from, to);
    }
    let seen: BTreeSet<_> = changes(conn, "ssn").into_iter().map(|c| c.1).collect();
    assert_eq!(seen.len(), 2);

    // Digests of what is too long.
    run(
        conn,
        r"CREATE TABLE notes (key text PRIMARY KEY, text text);
          SELECT threadline.audit('notes');
          INSERT INTO notes VALUES (repeat(E'\xe4', 3000), repeat(E'\xe4', 30000));
          UPDATE notes SET key = repeat(E'\xe4', 2999) || 'a'",
    );
    run(conn, "SELECT threadline.post()");
    assert_eq!(
        rows(
            conn,
            "SELECT count(DISTINCT record_key) FROM threadline.ledger_changes WHERE table_id = 2"
        ),
        ["2"]
    );
}
