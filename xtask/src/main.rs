//! What is done with this repository, as `cargo xtask <command>`.

mod bench;
mod demo;
mod frozen;
mod msrv;
mod newest;
mod provision;
mod run;
mod schema;
#[allow(dead_code, reason = "the library uses all of it")]
#[path = "../../threadline/src/install/script.rs"]
mod script;
mod server;
mod test;
#[path = "../../threadline/src/install/versions.rs"]
mod versions;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [EXAMPLE]    run the quickstart, or another of the examples, on a throw-away
                    database
  demo --web        the same with the invoicing example and its year, whose audit
                    is then shown in a browser
  test [ARGS]       run every test, some on the newest PostgreSQL, too;
                    ARGS go to `cargo test`, and then it is what they ask for
  test-newest [ARGS]
                    run those on the newest PostgreSQL; ARGS go to `cargo test`
  bench [--quick] [--only PART] [--json FILE] [--markdown FILE]
                    measure what capture, reads and exports cost (or one PART of
                    these); FILE takes the figures and the goals, or the goals
                    as a table
  schema [--check]  write the migrations of the audit schema from threadline/sql,
                    or fail if they are not what it says, or a frozen one changed
  freeze VERSION    freeze the newest version of the audit schema for a release
  diesel-cli        print the path of a diesel program, installing one if needed
  msrv              check that no dependency needs a newer Rust than we declare";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo"] => demo::demo("quickstart"),
        ["demo", "--web"] => demo::demo_in_browser(),
        ["demo", example] => demo::demo(example),
        ["test", ..] => test::test(&arguments[1..]),
        ["test-newest", ..] => newest::test(&arguments[1..]),
        ["bench", ..] => bench::bench(&arguments[1..]),
        ["schema"] => schema::write().map(|()| 0),
        ["schema", "--check"] => schema::check().map(|()| 0),
        ["freeze", version] => frozen::freeze(version).map(|()| 0),
        ["diesel-cli"] => test::diesel().map(|path| {
            println!("{}", path.display());
            0
        }),
        ["msrv"] => msrv::check().map(|()| 0),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(0)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(2)
        }
    };
    let status = result.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        1
    });
    ExitCode::from(status)
}
