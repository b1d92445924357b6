use crate::provision::{FOR_DEMO, Missing, provision};
use crate::run::{cargo, run};
use crate::server::{Database, server};

/// Measures what threadline costs, on databases of its own.
pub(crate) fn bench(arguments: &[String], then: Missing) -> Result<u8, String> {
    provision(FOR_DEMO, then)?;
    let build = ["build", "--release", "--package", "threadline-bench"];
    let built = run(cargo().args(build))?;
    if built != 0 {
        return Ok(built);
    }
    let server = server()?;
    let database = Database::create(&server, "bench")?;
    let full = Database::create(&server, "bench_full")?;
    let kept = Database::create(&server, "bench_kept")?;
    run(cargo()
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "threadline-bench",
            "--",
        ])
        .args(arguments)
        .env("DATABASE_URL", database.url())
        .env("FULL_DATABASE_URL", full.url())
        .env("KEPT_DATABASE_URL", kept.url()))
}
