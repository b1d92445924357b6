//! Texts of others neither control the terminal nor deceive the reader.

use std::io::Write;
use std::process::{Command, Stdio};

use threadline_tests::{assert_contains, run, value};

use super::{Place, Run};

/// C0 and C1 controls, DEL, marks that change the direction of text, and ends of lines.
const BAD: &str = "\u{1b}[31m\u{7}\u{7f}\u{9b}31m\u{85}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}";

/// Returns the place, and the instant after its rows were written.
fn place() -> (Place, String) {
    let place = Place::new();
    place.done(&["install"]);
    let mut conn = place.database.connect();
    run(
        &mut conn,
        &format!(
            "CREATE TABLE \"t{BAD}\" (id text PRIMARY KEY, \"c{BAD}\" text, j jsonb);
             SELECT threadline.audit('\"t{BAD}\"');
             BEGIN;
             SELECT threadline.set_context(jsonb_build_object('actor', jsonb_build_object('type', 'user', 'id', '{BAD}'),
                 'request_id', '{BAD}', 'source', '{BAD}', 'metadata', jsonb_build_object('{BAD}', '{BAD}')));
             SELECT threadline.record_action('a.b', 'user', '{BAD}', reason => '{BAD}', comment => '{BAD}');
             INSERT INTO \"t{BAD}\" VALUES ('{BAD}', '{BAD}', jsonb_build_array('{BAD}'));
             UPDATE \"t{BAD}\" SET \"c{BAD}\" = 'x\u{202e}y';
             COMMIT;
             SELECT threadline.record_action('a.c', 'user', '{BAD}', status => 'error', comment => '{BAD}', linked => false);
             ALTER TABLE \"t{BAD}\" DISABLE TRIGGER ALL"
        ),
    );
    let at = value(
        &mut conn,
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    );
    (place, at.unwrap())
}

#[track_caller]
fn harmless(what: &str, text: &str) {
    let bad: Vec<_> = text
        .chars()
        .filter(|&c| c != '\n' && BAD.contains(c) && !c.is_ascii_graphic())
        .collect();
    assert!(bad.is_empty(), "{what}: {bad:?} in {text:?}");
}

#[test]
fn no_command_prints_what_controls_the_terminal_or_turns_text_round() {
    let (place, at) = place();
    let table = format!("public.\"t{BAD}\"");
    let actor = format!("user:{BAD}");
    let commands: [&[&str]; 13] = [
        &["history", &table, BAD],
        &["timeline"],
        &["actions"],
        &["transaction", "1"],
        &["actor", &actor],
        &["blame", &table, BAD],
        &["as-of", &table, "--at", &at],
        &["as-of", &table, BAD, "--at", &at],
        &["summary"],
        &["verify"],
        &["status"],
        &["history", &table, "nobody"],
        &["history", BAD, "1"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            let Run { out, error, .. } = place.run(&[command, json].concat());
            let what = format!("{command:?} {json:?}");
            assert!(out.len() + error.len() > 10, "{what}");
            harmless(&what, &out);
            harmless(&what, &error);
        }
    }
    // In JSON the text is the same.
    let printed = place.done(&["history", &table, BAD, "--json"]);
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let text = printed.to_string();
    let json = serde_json::to_string(BAD).unwrap();
    assert_contains(&text, json.trim_matches('"'));
}

#[test]
fn an_export_is_shown_on_a_terminal_and_unchanged_in_a_pipe() {
    let (place, _) = place();
    for format in ["csv", "json", "ndjson"] {
        let piped = place.done(&["export", "--format", format]);
        assert!(piped.contains('\u{9b}') && piped.contains('\u{202e}'));
        let mut python = Command::new("python3")
            .args([
                "-",
                env!("CARGO_BIN_EXE_threadline"),
                "export",
                "--format",
                format,
            ])
            .env("DATABASE_URL", place.database.url())
            .current_dir(&place.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        python
            .stdin
            .take()
            .unwrap()
            .write_all(ON_A_TERMINAL.as_bytes())
            .unwrap();
        let shown = python.wait_with_output().unwrap();
        assert!(shown.status.success());
        let shown = String::from_utf8(shown.stdout).unwrap();
        harmless(format, &shown.replace("\r\n", "\n"));
        assert!(
            shown.contains(r"\u009b31m") && shown.contains(r"\u202e"),
            "{shown}"
        );
    }
}

/// Runs a program whose standard output is a terminal.
const ON_A_TERMINAL: &str = "
import os, subprocess, sys
outer, inner = os.openpty()
program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=inner, stderr=subprocess.DEVNULL)
os.close(inner)
shown = b''
while True:
    try:
        piece = os.read(outer, 65536)
    except OSError:
        break
    if not piece:
        break
    shown += piece
sys.stdout.buffer.write(shown)
sys.exit(program.wait())
";
