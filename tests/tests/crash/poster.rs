use threadline_tests::{Database, RepeatingPsql};

/// The loops of the posters. The second waits for a moment after it has moved entries, so
/// that it dies with a batch that is moved and not committed.
const TURNS: [&str; 2] = [
    "SELECT threadline.post();\nSELECT pg_sleep(0.01);\n",
    "BEGIN;\nSELECT threadline.post();\nSELECT pg_sleep(0.01);\nCOMMIT;\nSELECT pg_sleep(0.01);\n",
];

/// A psql that posts all the time.
#[derive(Debug)]
pub(crate) struct Poster {
    pub(crate) psql: RepeatingPsql,
    /// Its sessions' application_name.
    pub(crate) name: String,
}

impl Poster {
    pub(crate) fn start(database: &Database, number: usize) -> Self {
        let name = format!("poster {number}");
        let psql = RepeatingPsql::start(database, &name, TURNS[number % TURNS.len()]);
        Self { psql, name }
    }

    /// Starts one poster of each kind.
    pub(crate) fn start_all(database: &Database) -> Vec<Self> {
        (0..TURNS.len())
            .map(|number| Self::start(database, number))
            .collect()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.psql.is_running()
    }
}
