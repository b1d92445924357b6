//! Asks the audit of a database from a terminal. See `threadline_cli`.

fn main() -> std::process::ExitCode {
    threadline_cli::run_reader()
}
