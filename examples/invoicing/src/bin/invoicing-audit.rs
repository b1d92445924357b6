//! The service's own program for its audit; `--help` lists what it does.

fn main() -> std::process::ExitCode {
    threadline::cli::run(invoicing::models::audited())
}
