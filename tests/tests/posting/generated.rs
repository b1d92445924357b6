use threadline_tests::{Database, run, value};

/// The generated trigger functions, for review. The OID of the table differs in each run;
/// the ids are those of a database of its own.
#[test]
fn the_capture_functions_of_sample_tables() {
    let wide: String = (1..=39).map(|n| format!(", c{n} int")).collect();
    let samples = [
        (
            "plain",
            "(id bigint PRIMARY KEY, name text, at timestamptz)",
            "",
        ),
        ("wide", &format!("(id int PRIMARY KEY{wide})"), ""),
        ("pairs", "(a int, b text, PRIMARY KEY (b, a))", ""),
        (
            "redacted",
            "(id int PRIMARY KEY, email text, hash text)",
            ", mask => ARRAY['email'], exclude => ARRAY['hash']",
        ),
        (
            "hashed",
            "(id int PRIMARY KEY, ssn text, born timestamptz)",
            ", hash => ARRAY['ssn']",
        ),
        ("moods", "(id int PRIMARY KEY, m mood, at interval)", ""),
        (
            "parted",
            "(id int PRIMARY KEY, n int) PARTITION BY RANGE (id)",
            "",
        ),
        (
            "conditional",
            "(id int PRIMARY KEY, n int)",
            ", operations => ARRAY['update'], condition => 'OLD.n <> NEW.n'",
        ),
        ("keyless", "(n int)", ", keyless => true"),
        (
            "odd \"names\"",
            "(\"Id\" int PRIMARY KEY, \"by\" text, \"new\" mood)",
            "",
        ),
        ("acted", "(id int PRIMARY KEY)", ", require_actor => true"),
        (
            "counted",
            "(id int PRIMARY KEY, title text, score int)",
            ", ignore => ARRAY['score']",
        ),
    ];
    let (_, conn) = &mut Database::with("CREATE TYPE mood AS ENUM ('fine')");
    let mut sources = String::new();
    for (table, columns, policy) in samples {
        let quoted = format!("\"{}\"", table.replace('"', "\"\""));
        run(
            conn,
            &format!(
                "CREATE TABLE {quoted} {columns}; SELECT threadline.audit('{quoted}'{policy})"
            ),
        );
        let source = value(
            conn,
            &format!(
                "SELECT concat_ws(E'\\n', array_to_string(p.proconfig, ', '), replace(p.prosrc, '{quoted}'::regclass::oid::text, 'OID'))
                 FROM pg_proc AS p WHERE p.proname = 'capture_' || threadline.audited_table_of('{quoted}')"
            ),
        )
        .unwrap();
        assert!(
            source.lines().count() <= 80,
            "{table}: {} lines",
            source.lines().count()
        );
        sources.push_str(&format!("== {table} {columns}{policy}\n{source}\n"));
    }
    insta::assert_snapshot!("capture_functions", sources);
}
