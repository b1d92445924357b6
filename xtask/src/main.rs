//! The tasks of this repository: `cargo xtask <command>`.

mod api;
mod bench;
#[path = "../../threadline/src/install/code.rs"]
mod code;
mod demo;
mod frozen;
mod layers;
mod msrv;
mod newest;
#[cfg(test)]
mod pages;
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

use provision::Missing;

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
  schema [--check]  write the quickstart's migration of the audit schema, or fail if
                    a file of threadline/sql is not installed, or a frozen one changed
  freeze VERSION    freeze the newest version of the audit schema for a release
  api [--check]     write the public API of the crates into api/, or fail if it is
                    not what is written there
  layers [--write]  check that no module uses one of a higher layer, see
                    xtask/layers.txt; or write that file
  diesel-cli        print the path of a diesel program
  msrv              check that no dependency needs a newer Rust than we declare

demo, test, test-newest, bench and diesel-cli fail if the machine lacks something, and
print the command that installs it. With --install, it is installed.";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    // What follows `--` belongs to the tests.
    let mut own = arguments.iter().take_while(|argument| *argument != "--");
    let then = match own.position(|argument| argument == "--install") {
        Some(at) => {
            arguments.remove(at);
            Missing::Install
        }
        None => Missing::Name,
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let result = match words.as_slice() {
        ["demo"] => demo::demo("quickstart", then),
        ["demo", "--web"] => demo::demo_in_browser(then),
        ["demo", example] => demo::demo(example, then),
        ["test", ..] => test::test(rest, then),
        ["test-newest", ..] => newest::test(rest, then),
        ["bench", ..] => bench::bench(rest, then),
        ["schema"] => schema::write().map(|()| 0),
        ["schema", "--check"] => schema::check().map(|()| 0),
        ["freeze", version] => frozen::freeze(version).map(|()| 0),
        ["diesel-cli"] => test::diesel(then).map(|path| {
            println!("{}", path.display());
            0
        }),
        ["msrv"] => msrv::check().map(|()| 0),
        ["api"] => api::write(),
        ["api", "--check"] => api::check(),
        ["layers"] => layers::check().map(|()| 0),
        ["layers", "--write"] => layers::write().map(|()| 0),
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
