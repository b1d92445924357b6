use std::process::{Child, Command, Stdio};

use threadline_tests::Database;

/// The number of connections that write at once.
pub(crate) const CLIENTS: u64 = 8;

/// pgbench with its own transaction: an account, a teller and a branch change their
/// balances by one amount, which goes into the history.
pub(crate) struct Load(Child);

impl Load {
    /// Starts a number of transactions, shared by all clients.
    pub(crate) fn start(database: &Database, transactions: u64) -> Self {
        let mut pgbench = pgbench(database);
        pgbench
            .args(["--no-vacuum", "--builtin=tpcb-like", "--jobs=2"])
            .arg(format!("--client={CLIENTS}"))
            .arg(format!("--transactions={}", transactions.div_ceil(CLIENTS)))
            .arg(database.url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(pgbench.spawn().unwrap_or_else(|e| panic!("pgbench: {e}")))
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("our own child").is_none()
    }

    /// Kills all clients at once: they are one process.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("our own child");
        self.0.wait().expect("our own child");
    }

    /// Returns the number of transactions that pgbench knows to be committed, after it
    /// has ended.
    pub(crate) fn acknowledged(self) -> u64 {
        let output = self.0.wait_with_output().expect("our own child");
        let report = String::from_utf8_lossy(&output.stdout);
        let digits = report
            .split_once("number of transactions actually processed: ")
            .map(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
        let Some(Some(digits)) = digits else {
            panic!("{report}\n{}", String::from_utf8_lossy(&output.stderr));
        };
        digits.parse().expect("digits")
    }
}

/// Creates pgbench's tables, with 100,000 accounts a branch.
pub(crate) fn fill(database: &Database, branches: u64) {
    let output = pgbench(database)
        .args(["--initialize", "--init-steps=dtgp", "--quiet"])
        .arg(format!("--scale={branches}"))
        .arg(database.url())
        .output()
        .unwrap_or_else(|e| panic!("pgbench: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

fn pgbench(database: &Database) -> Command {
    database.server().command("pgbench")
}
