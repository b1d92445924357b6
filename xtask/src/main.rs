//! What is done with this repository, as `cargo xtask <command>`.

mod demo;
mod msrv;
mod provision;
mod run;
mod schema;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo              run the quickstart on a throw-away database
  test [ARGS]       run every test; ARGS go to `cargo test`
  schema [--check]  write the audit schema's patches from threadline/sql,
                    or fail if they are not what it says
  diesel-cli        print the path of a diesel program, installing one if needed
  msrv              check that no dependency needs a newer Rust than we declare";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["demo"] => demo::demo(),
        ["test", rest @ ..] => test::test(rest),
        ["schema"] => schema::write(),
        ["schema", "--check"] => schema::check(),
        ["diesel-cli"] => provision::provision().map(|()| {
            println!(
                "{}",
                threadline_test_server::diesel_cli::diesel_cli().display()
            );
        }),
        ["msrv"] => msrv::check(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
