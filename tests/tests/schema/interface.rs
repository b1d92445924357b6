//! The page on the SQL interface: its examples work, and it is complete.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use threadline_tests::{Database, rows};

const PAGE: &str = include_str!("../../../threadline/src/docs/sql_interface.md");

/// Internal objects, one name a line.
const INTERNAL: &str = include_str!("internal.txt");

/// Returns the blocks of the page, each with the result that is printed below it.
fn blocks() -> Vec<(String, Option<String>)> {
    let mut blocks: Vec<(String, Option<String>)> = vec![];
    let mut parts = PAGE.split("```");
    parts.next();
    while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
        let (language, text) = block.split_once('\n').unwrap();
        match language {
            "sql" => blocks.push((text.to_owned(), None)),
            "text" => blocks.last_mut().unwrap().1 = Some(text.to_owned()),
            other => panic!("a block of {other}"),
        }
    }
    blocks
}

fn psql(database: &Database, script: &str) -> String {
    let mut command: Command = database.server().command("psql");
    let mut psql = command
        .args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-P",
            "footer=off",
            "-d",
            &database.url(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    psql.stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = psql.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}\nin:\n{script}");
    String::from_utf8(output.stdout).unwrap()
}

/// Removes the spaces at the ends of lines, and empty lines at the end.
fn trimmed(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

#[test]
fn the_statements_of_the_page_do_what_it_says() {
    let database = Database::new();
    let blocks = blocks();
    assert!(blocks.iter().any(|(_, expected)| expected.is_some()));
    for (script, expected) in blocks {
        let printed = psql(&database, &script);
        if let Some(expected) = expected {
            assert_eq!(trimmed(&printed), trimmed(&expected), "of:\n{script}");
        }
    }
}

fn names(database: &Database, query: &str) -> BTreeSet<String> {
    rows(&mut database.connect(), query).into_iter().collect()
}

fn is_on_the_page(name: &str) -> bool {
    let named = format!("threadline.{name}");
    PAGE.match_indices(&named).any(|(at, _)| {
        let after = PAGE[at + named.len()..].chars().next();
        !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// A new object is either public and explained, or internal.
#[test]
fn every_function_and_view_is_documented_or_listed_as_internal() {
    let database = Database::new();
    let there = names(
        &database,
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace
         UNION
         SELECT relname::text FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relkind IN ('r', 'v', 'm', 'p')
         UNION
         SELECT typname::text FROM pg_type WHERE typnamespace = 'threadline'::regnamespace AND typtype IN ('d', 'e')
         UNION
         SELECT relname::text FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relkind = 'c'",
    );
    let internal: BTreeSet<String> = INTERNAL.lines().map(str::to_owned).collect();
    let unsaid: Vec<_> = there
        .iter()
        .filter(|name| !is_on_the_page(name) && !internal.contains(*name))
        .map(String::as_str)
        .collect();
    assert!(
        unsaid.is_empty(),
        "explain these in threadline/src/docs/sql_interface.md, or list them in internal.txt:\n{}",
        unsaid.join("\n")
    );
    let both: Vec<_> = internal
        .iter()
        .filter(|name| is_on_the_page(name))
        .collect();
    assert!(both.is_empty(), "on the page and internal: {both:?}");
    let gone: Vec<_> = internal.difference(&there).collect();
    assert!(gone.is_empty(), "no longer there: {gone:?}");
    let named = PAGE.match_indices("`threadline.").map(|(at, start)| {
        let name = &PAGE[at + start.len()..];
        name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap()
    });
    let settings = ["", "context", "unmasked"];
    let missing: Vec<_> = named
        .filter(|name| !there.contains(*name) && !settings.contains(name))
        .collect();
    assert!(missing.is_empty(), "on the page and not there: {missing:?}");
    // Comments shown by psql are written for users.
    let told = names(
        &database,
        "SELECT p.proname::text FROM pg_proc AS p WHERE p.pronamespace = 'threadline'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NOT NULL
         UNION
         SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NOT NULL",
    );
    let unexplained: Vec<_> = told.iter().filter(|name| !is_on_the_page(name)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
}

/// PL/pgSQL reads the literals of its functions when it runs them, under the settings of the
/// session. With `standard_conforming_strings = off` a backslash would mean something else.
#[test]
fn functions_with_backslashes_set_how_they_are_read() {
    let (_, conn) = &mut Database::new().connected();
    let unset = rows(
        conn,
        r"SELECT p.oid::regprocedure
          FROM pg_proc AS p
          CROSS JOIN LATERAL (
              -- Without comments and E'…', in which a backslash always escapes.
              SELECT regexp_replace(regexp_replace(p.prosrc, '--[^\n]*', '', 'g'), $$\mE'(''|\\.|[^'\\])*'$$, '', 'g') AS code
          ) AS s
          WHERE p.pronamespace = 'threadline'::regnamespace AND p.prosqlbody IS NULL AND s.code ~ '\\'
            AND NOT coalesce(p.proconfig @> ARRAY['standard_conforming_strings=on'], false)
          ORDER BY 1",
    );
    assert_eq!(unset, [""; 0]);
}
