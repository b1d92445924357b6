//! The independent programs.

use std::io::Write;
use std::process::{Command, Stdio};

use diesel::prelude::*;
use serde_json::Value;
use threadline::{Export, ExportFormat, Filter};

const READ_CSV: &str = "
import csv, io, json, sys
csv.field_size_limit(1 << 30)
text = io.TextIOWrapper(sys.stdin.buffer, encoding='utf-8', newline='')
rows = list(csv.reader(text, strict=True))
assert all(len(row) == len(rows[0]) for row in rows), 'ragged'
json.dump([dict(zip(rows[0], row)) for row in rows[1:]], sys.stdout)
";

/// Returns a CSV as Python's csv module reads it: an object a line, every value text.
pub fn python(csv: &[u8]) -> Vec<Value> {
    let json = pipe("python3", &["-c", READ_CSV], csv);
    serde_json::from_str(&json).expect("json.dump writes JSON")
}

/// Returns the output of jq for JSON, a line a result.
pub fn jq(filter: &str, json: &[u8]) -> Vec<String> {
    jq_with(&["-r"], filter, json)
}

/// The same with options.
pub fn jq_with(options: &[&str], filter: &str, json: &[u8]) -> Vec<String> {
    let arguments = [options, &[filter]].concat();
    let lines = pipe("jq", &arguments, json);
    lines.lines().map(str::to_owned).collect()
}

/// Returns whether jq accepts it as a whole document.
pub fn is_document(text: &[u8]) -> bool {
    try_pipe("jq", &["-r", "type"], text).is_some_and(|kind| kind == "object\n")
}

fn pipe(program: &str, arguments: &[&str], input: &[u8]) -> String {
    try_pipe(program, arguments, input).unwrap_or_else(|| {
        panic!(
            "{program} could not read:\n{}",
            String::from_utf8_lossy(input)
        )
    })
}

fn try_pipe(program: &str, arguments: &[&str], input: &[u8]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| {
            panic!(
                "{program}: {e}; it reads exports again; `cargo xtask test --install` installs it"
            )
        });
    let mut stdin = child.stdin.take().expect("piped");
    let output = std::thread::scope(|scope| {
        // Ends early if the program does; its exit status shows why.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("the program ran")
    });
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).expect("these programs write UTF-8"))
}

/// Returns an export in memory.
pub fn export(conn: &mut PgConnection, filter: &Filter, format: ExportFormat) -> Vec<u8> {
    let mut out = vec![];
    Export::new(filter.clone())
        .write(conn, format, &mut out)
        .unwrap();
    out
}
