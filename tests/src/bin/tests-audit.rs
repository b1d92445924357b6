//! The command-line program of the tests' own models.

fn main() -> std::process::ExitCode {
    threadline_cli::run(threadline_tests::models::audited())
}
