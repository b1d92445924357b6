//! The value of a column of a live row, which a scope of rows compares, is that of its image.

use threadline_tests::{Database, rows, run};

/// Tables with keys and columns of many types.
const TABLES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN short AS varchar(5) CHECK (value <> 'no');
CREATE DOMAIN shorter AS short;
CREATE TYPE pair AS (a int, b text);
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TABLE by_number (id bigint PRIMARY KEY, n numeric, f float8, t text, b bytea, at timestamptz, day date,
    took interval, list int[], doc jsonb, old json, ok boolean, feeling mood, called shorter, two pair, cost money);
INSERT INTO by_number VALUES (1, 1.50, 0.1, 'x', '\xff', '2026-03-01 12:00:00.5+02', '2026-03-01', '1 day 2 hours',
    '{1,NULL}', '{"a": [1, null]}', '{"b":  1}', true, 'sad', 'abc', '(1,x)', 12.5);
INSERT INTO by_number (id) VALUES (2);
CREATE TABLE by_uuid (id uuid PRIMARY KEY, v int);
INSERT INTO by_uuid VALUES ('00000000-0000-0000-0000-00000000000a', 1), ('00000000-0000-0000-0000-00000000000b', NULL);
CREATE TABLE by_text (id text PRIMARY KEY, v int);
INSERT INTO by_text VALUES ('it''s "x" \', 1), ('', 2);
CREATE TABLE by_long_text (id text PRIMARY KEY, v int);
INSERT INTO by_long_text VALUES (repeat('long', 300), 1), (repeat('long', 300) || 'er', 2);
CREATE TABLE by_time (id timestamptz PRIMARY KEY, v int);
INSERT INTO by_time VALUES ('2026-03-01 12:00:00.5+02', 1), ('2026-07-01', 2);
CREATE TABLE by_fixed (id character(4) PRIMARY KEY, v int);
INSERT INTO by_fixed VALUES ('a', 1), ('b', 2);
CREATE TABLE by_mood (id mood PRIMARY KEY, v int);
INSERT INTO by_mood VALUES ('sad', 1), ('happy', 2);
CREATE TABLE by_domain (id shorter PRIMARY KEY, v int);
INSERT INTO by_domain VALUES ('a', 1), ('b', 2);
CREATE TABLE by_any_case (id text COLLATE any_case PRIMARY KEY, v int);
INSERT INTO by_any_case VALUES ('Abc', 1), ('b', 2);
CREATE TABLE by_two (a int, b text, v int, PRIMARY KEY (b, a));
INSERT INTO by_two VALUES (1, 'x "y", ', 1), (2, 'x', 2);
CREATE TABLE "By Name" ("Id" int PRIMARY KEY, "The Value" int, "a %s $1" int);
INSERT INTO "By Name" VALUES (1, 1, 2), (2, 2, 3);
CREATE TABLE members (id int PRIMARY KEY, email text, pin text, badge text, v int);
INSERT INTO members VALUES (1, 'a@b', '1234', '77', 1), (2, NULL, NULL, NULL, 2);
CREATE TABLE by_part (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE by_part_1 PARTITION OF by_part FOR VALUES FROM (0) TO (100);
INSERT INTO by_part VALUES (1, 1), (2, 2);
CREATE TABLE parents (id int PRIMARY KEY, v int);
CREATE TABLE children () INHERITS (parents);
INSERT INTO parents VALUES (1, 1);
INSERT INTO children VALUES (2, 2);

SELECT threadline.audit(t::regclass) FROM unnest(ARRAY['by_number', 'by_uuid', 'by_text', 'by_long_text', 'by_time', 'by_fixed',
    'by_mood', 'by_domain', 'by_any_case', 'by_two', '"By Name"', 'by_part', 'parents']) AS t;
SELECT threadline.audit('members', mask => '{email}', exclude => '{pin}', hash => '{badge}');

CREATE FUNCTION keys_of(audited int, target regclass) RETURNS SETOF text LANGUAGE plpgsql
SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT %s FROM %s AS tl_live', threadline.key_expression(audited, 'tl_live'), threadline.own_rows(target));
    RETURN NEXT (SELECT CASE table_name WHEN 'by_number' THEN '3' WHEN 'by_two' THEN '["z", "1"]' WHEN 'parents' THEN '2' END
                 FROM threadline.audited_tables WHERE id = audited);
END
$$;
"#;

/// Each column of each row, and one of each table that does not exist.
const VALUES: &str = "
SELECT t.table_name, c.name, q.query IS NOT NULL AS quick,
       count(*) FILTER (WHERE v.value <> 'null'), count(*) FILTER (WHERE v.value IS DISTINCT FROM v.of_image)
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL (SELECT format('%I.%I', t.schema_name, t.table_name)::regclass AS target) AS of
CROSS JOIN LATERAL (
    SELECT a.attname AS name FROM pg_attribute AS a WHERE a.attrelid = of.target AND a.attnum > 0
    UNION ALL SELECT 'no such column'
) AS c
CROSS JOIN LATERAL (SELECT threadline.live_value_query(t.id, of.target, c.name) AS query) AS q
CROSS JOIN LATERAL public.keys_of(t.id, of.target) AS k (key)
CROSS JOIN LATERAL (
    SELECT threadline.live_value(t.id, of.target, k.key, c.name, q.query) AS value,
           threadline.live_image(t.id, of.target, k.key) -> c.name AS of_image
) AS v
WHERE k.key IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 1, 2";

#[test]
fn the_value_of_a_live_row_is_that_of_its_image() {
    let (_, conn) = &mut Database::with(TABLES);
    for settings in [
        "RESET ALL",
        "SET timezone = 'Asia/Tokyo'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard'",
        "SET bytea_output = 'escape'; SET extra_float_digits = -10; SET search_path = pg_catalog",
    ] {
        run(conn, settings);
        let found = rows(conn, VALUES);
        let differ: Vec<_> = found.iter().filter(|row| !row.ends_with("| 0")).collect();
        assert_eq!(differ, [] as [&String; 0], "{settings}");
        for quick in [
            "by_number | n | true | 1 |",
            "by_number | at | true | 1 |",
            "by_number | two | true | 1 |",
            "by_uuid | v | true | 1 |",
            "by_text | v | true | 2 |",
            "by_long_text | v | true | 2 |",
            "by_time | v | true | 2 |",
            "by_domain | v | true | 2 |",
            "by_two | v | true | 2 |",
            "By Name | a %s $1 | true | 2 |",
            "members | v | true | 2 |",
            "by_part | v | true | 2 |",
            "parents | v | true | 1 |",
            // Of its image: the key or the value has a form of its own.
            "by_fixed | v | false | 2 |",
            "by_mood | v | false | 2 |",
            "by_any_case | v | false | 2 |",
            "members | email | false | 1 |",
            "members | pin | false | 0 |",
            "members | badge | false | 1 |",
            "members | no such column | false | 0 |",
        ] {
            let is_there = found.iter().any(|row| row.starts_with(quick));
            assert!(is_there, "{quick} is not in\n{}", found.join("\n"));
        }
    }
}
