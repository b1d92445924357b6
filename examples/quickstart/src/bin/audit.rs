//! The application's own program for its audit; `--help` lists what it does.

fn main() -> std::process::ExitCode {
    threadline_cli::run(quickstart::models::audited())
}
