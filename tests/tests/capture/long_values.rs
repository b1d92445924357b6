//! Updates of rows with long values, most of which stay the same.

use threadline_tests::{Database, assert_rows, assert_value, rows, run};

const CHANGES: &str = "SELECT c.op, c.record_key, c.previous_key,
        (SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(c.changed_from) AS k) AS was,
        (SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(c.changed_to) AS k) AS is,
        (SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(c.row_data) AS k) AS row
    FROM threadline.audit_changes AS c ORDER BY c.id";

/// Text that no compression makes short.
const RANDOM: &str = "CREATE FUNCTION random_text(length int, seed text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN (SELECT left(string_agg(md5(seed || k), ''), length) FROM generate_series(1, length / 32 + 1) AS k)";

/// Asserts that each change follows from the one before and the last is the live row, before
/// and after posting, and that the past is the copy taken then.
#[track_caller]
fn assert_whole(conn: &mut diesel::PgConnection, table: &str, expected: &[&str]) {
    for _ in 0..2 {
        assert_eq!(rows(conn, CHANGES), expected);
        assert_rows(
            conn,
            &format!("SELECT * FROM threadline.chain_drift('{table}')"),
            [],
        );
        let copies = format!(
            "(SELECT image FROM threadline.rows_as_of('{table}', clock_timestamp()) EXCEPT ALL SELECT to_jsonb(t.*) FROM {table} AS t)
             UNION ALL (SELECT to_jsonb(t.*) FROM {table} AS t EXCEPT ALL SELECT image FROM threadline.rows_as_of('{table}', clock_timestamp()))"
        );
        assert_rows(conn, &copies, []);
        run(conn, "SELECT threadline.post_all()");
    }
}

#[test]
fn long_values_that_stay_the_same_are_not_written_with_an_update() {
    let (_, conn) = &mut Database::with(RANDOM);
    run(
        conn,
        "CREATE TABLE documents (id int PRIMARY KEY, body text, data jsonb, n int DEFAULT 0);
         SELECT threadline.audit('documents');
         INSERT INTO documents VALUES (1, random_text(40000, 'a'), jsonb_build_object('text', random_text(20000, 'b'), 'n', 1.0));
         UPDATE documents SET n = 1;
         UPDATE documents SET n = 2, body = body || '.';
         UPDATE documents SET data = jsonb_set(data, '{n}', '1.00');
         UPDATE documents SET body = NULL;
         UPDATE documents SET body = random_text(40000, 'c');
         UPDATE documents SET id = 2;
         UPDATE documents SET n = 3;
         UPDATE documents SET body = body;
         DELETE FROM documents",
    );
    // Two long values in one image: only where they are needed.
    assert_rows(
        conn,
        "SELECT op, pg_column_size(old_row) > 20000, pg_column_size(new_row) > 20000 FROM threadline.journal WHERE op <> 'C' ORDER BY id",
        [
            "I | NULL | true",
            "U | false | false",
            "U | true | true",
            "U | true | true",
            "U | true | false",
            "U | false | true",
            "U | true | true",
            "U | false | false",
            "D | true | NULL",
        ],
    );
    assert_whole(
        conn,
        "documents",
        &[
            "I | 1 | NULL | NULL | NULL | body,data,id,n",
            "U | 1 | NULL | n | n | NULL",
            "U | 1 | NULL | body,n | body,n | NULL",
            "U | 1 | NULL | data | data | NULL",
            "U | 1 | NULL | body | body | NULL",
            "U | 1 | NULL | body | body | NULL",
            "U | 2 | 1 | id | id | body,data,id,n",
            "U | 2 | NULL | n | n | NULL",
            "D | 2 | NULL | NULL | NULL | body,data,id,n",
        ],
    );
}

/// The whole row is the key of a record, or identifies it.
#[test]
fn long_values_of_a_key_stay_in_the_images() {
    for (table, policy, expected) in [
        (
            "keyless",
            ", keyless => true",
            ["U | NULL | NULL | n | n | body,n,title"; 2],
        ),
        ("titled", "", ["U | key | NULL | n | n | NULL"; 2]),
    ] {
        let (_, conn) = &mut Database::with(RANDOM);
        let key = if policy.is_empty() { "PRIMARY KEY" } else { "" };
        run(
            conn,
            &format!(
                "CREATE TABLE {table} (title text {key}, body text, n int);
                 INSERT INTO {table} VALUES (random_text(2000, 'a'), random_text(30000, 'b'), 0);
                 SELECT threadline.audit('{table}'{policy});
                 UPDATE {table} SET n = 1; UPDATE {table} SET n = 2"
            ),
        );
        for _ in 0..2 {
            let changes: Vec<_> = rows(conn, CHANGES)
                .into_iter()
                .map(|change| {
                    let mut parts: Vec<_> = change.split(" | ").collect();
                    if parts[1].len() > 1000 {
                        parts[1] = if policy.is_empty() { "key" } else { "NULL" };
                    }
                    parts.join(" | ")
                })
                .collect();
            assert_eq!(changes, expected, "{table}");
            run(conn, "SELECT threadline.post_all()");
        }
    }
}

#[test]
fn long_rows_with_policies_are_recorded_as_short_ones() {
    let (_, conn) = &mut Database::with(RANDOM);
    run(
        conn,
        "CREATE TABLE people (id int PRIMARY KEY, body text, secret text, mail text, ssn text, n int DEFAULT 0, visits int DEFAULT 0);
         SELECT threadline.audit('people', mask => ARRAY['mail'], exclude => ARRAY['secret'], hash => ARRAY['ssn'], ignore => ARRAY['visits']);
         INSERT INTO people VALUES (1, random_text(30000, 'a'), random_text(9000, 'secret'), random_text(9000, 'mail'), random_text(9000, 'ssn'));
         UPDATE people SET n = 1;
         UPDATE people SET visits = 1;
         UPDATE people SET secret = random_text(9000, 'another secret');
         UPDATE people SET mail = random_text(9000, 'another mail'), visits = 2;
         UPDATE people SET ssn = random_text(9000, 'another ssn');
         UPDATE people SET body = body || '.'",
    );
    let expected = [
        "I | 1 | NULL | NULL | NULL | body,id,mail,n,ssn,visits",
        "U | 1 | NULL | n | n | NULL",
        "U | 1 | NULL | mail,visits | mail,visits | NULL",
        "U | 1 | NULL | ssn | ssn | NULL",
        "U | 1 | NULL | body | body | NULL",
    ];
    for _ in 0..2 {
        assert_eq!(rows(conn, CHANGES), expected);
        assert_rows(conn, "SELECT * FROM threadline.chain_drift('people')", []);
        assert_value(
            conn,
            "SELECT count(*) FROM threadline.journal AS j, (VALUES ('secret'), ('another secret'), ('mail'), ('another mail'), ('ssn'), ('another ssn')) AS s (seed)
             WHERE strpos(j::text, left(random_text(9000, s.seed), 40)) > 0",
            "0",
        );
        run(conn, "SELECT threadline.post_all()");
    }
}

/// Their images differ in the long values that stay the same.
#[test]
fn nested_writes_to_long_rows_keep_their_order() {
    let (_, conn) = &mut Database::with(RANDOM);
    run(
        conn,
        "CREATE TABLE documents (id int PRIMARY KEY, body text, n int DEFAULT 0);
         CREATE FUNCTION count_again() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN UPDATE documents SET n = n + 1 WHERE id = NEW.id AND n < 3; RETURN NULL; END $$;
         CREATE TRIGGER count_again AFTER INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION count_again();
         CREATE FUNCTION counted(document int) RETURNS int LANGUAGE plpgsql AS $$
         BEGIN UPDATE documents SET n = n + 10 WHERE id = document; RETURN document; END $$;
         SELECT threadline.audit('documents');
         INSERT INTO documents VALUES (1, random_text(30000, 'a'));
         UPDATE documents SET body = body || '.', n = 0;
         INSERT INTO documents VALUES (2, repeat('b', 60000) || random_text(18000, 'b'), 5) RETURNING counted(id);
         UPDATE documents SET n = 7 WHERE id = 2 RETURNING counted(id), counted(id)",
    );
    assert_whole(
        conn,
        "documents",
        &[
            "I | 1 | NULL | NULL | NULL | body,id,n",
            "U | 1 | NULL | n | n | NULL",
            "U | 1 | NULL | n | n | NULL",
            "U | 1 | NULL | n | n | NULL",
            "U | 1 | NULL | body,n | body,n | NULL",
            "U | 1 | NULL | n | n | NULL",
            "U | 1 | NULL | n | n | NULL",
            "U | 1 | NULL | n | n | NULL",
            "I | 2 | NULL | NULL | NULL | body,id,n",
            "U | 2 | NULL | n | n | NULL",
            "U | 2 | NULL | n | n | NULL",
            "U | 2 | NULL | n | n | NULL",
            "U | 2 | NULL | n | n | NULL",
        ],
    );
}

/// The policy has the former name of the key.
#[test]
fn a_long_row_whose_key_column_was_renamed_moves_whole() {
    let (_, conn) = &mut Database::with(RANDOM);
    run(
        conn,
        "CREATE TABLE documents (id int PRIMARY KEY, body text, n int DEFAULT 0);
         SELECT threadline.audit('documents');
         INSERT INTO documents VALUES (1, random_text(30000, 'a'));
         ALTER TABLE documents RENAME id TO number;
         UPDATE documents SET number = 2; UPDATE documents SET n = 1;
         SELECT threadline.refresh('documents');
         UPDATE documents SET n = 2",
    );
    let changes = rows(conn, CHANGES);
    assert_eq!(changes.len(), 4, "{changes:#?}");
    assert!(changes[1].starts_with("U | 2 | 1"), "{changes:#?}");
    assert!(changes[1].ends_with("body,n,number"), "{changes:#?}");
    assert_rows(
        conn,
        "SELECT * FROM threadline.chain_drift('documents')",
        [],
    );
}
