//! The application's own program for its audit; `--help` lists its commands.

fn main() -> std::process::ExitCode {
    threadline_cli::run(quickstart::models::audited())
}
