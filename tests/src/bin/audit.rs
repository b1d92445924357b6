//! The command-line program of the tests' own models.

fn main() -> std::process::ExitCode {
    threadline::cli::run(threadline_tests::models::audited())
}
