//! The stand-alone program. See `threadline_cli::stand_alone`.

fn main() -> std::process::ExitCode {
    threadline_cli::stand_alone::run()
}
