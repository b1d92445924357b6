//! Asks the audit of a database from a terminal. See `threadline::cli`.

fn main() -> std::process::ExitCode {
    threadline::cli::run_reader()
}
