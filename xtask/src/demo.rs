use crate::provision::{FOR_DEMO, Missing, provision};
use crate::run::{cargo, run};
use crate::server::{Database, server};

/// Runs an example on a database of its own.
pub(crate) fn demo(example: &str, then: Missing) -> Result<u8, String> {
    provision(FOR_DEMO, then)?;
    // Built first, so that a compile error shows before a server starts.
    let built = run(cargo().args(["build", "--package", example]))?;
    if built != 0 {
        return Ok(built);
    }
    let server = server()?;
    let database = Database::create(&server, "demo")?;
    run(cargo()
        .args(["run", "--quiet", "--package", example])
        .env("DATABASE_URL", database.url()))
}
