//! The application's own program for its audit: `generate`, `check`,
//! `install`, `status`.

fn main() -> std::process::ExitCode {
    threadline::cli::run(quickstart::models::audited())
}
