use crate::provision::{FOR_DEMO, Missing, provision};
use crate::run::{cargo, run};
use crate::schema;
use crate::server::{Database, server};

/// Runs an example on a database of its own.
pub(crate) fn demo(example: &str, then: Missing) -> Result<u8, String> {
    provision(FOR_DEMO, then)?;
    schema::write()?;
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

/// Lives through the year of the invoicing service, and shows its audit in a browser.
pub(crate) fn demo_in_browser(then: Missing) -> Result<u8, String> {
    const SERVICE: [&str; 5] = ["--quiet", "--package", "invoicing", "--features", "web"];
    provision(FOR_DEMO, then)?;
    let built = run(cargo().arg("build").args(&SERVICE[1..]))?;
    if built != 0 {
        return Ok(built);
    }
    let server = server()?;
    let database = Database::create(&server, "demo")?;
    let service = |program: &str| {
        let mut command = cargo();
        command.arg("run").args(SERVICE).args(["--bin", program]);
        command.env("DATABASE_URL", database.url());
        command
    };
    println!("A year of invoices passes; that takes a minute or two.\n");
    let passed = run(&mut service("invoicing"))?;
    if passed != 0 {
        return Ok(passed);
    }
    let arguments = ["--", "serve", "--actor", "admin:2", "--allow-revert"];
    run(service("invoicing-audit").args(arguments))
}
