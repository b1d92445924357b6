//! The CPU time of the explorer and of its server processes, which other programs on the machine
//! change less than they change the time of a page.

use std::fs;

use diesel::PgConnection;

use crate::sql::text;

/// The name of the explorer's connections.
pub(crate) const NAME: &str = "threadline-bench-pages";

#[derive(Debug)]
pub(crate) struct Cpu {
    servers: Vec<String>,
}

impl Cpu {
    /// Finds the server processes of the explorer's pool.
    pub(crate) fn of(conn: &mut PgConnection) -> Self {
        let pids = text(
            conn,
            &format!(
                "SELECT coalesce(string_agg(pid::text, ','), '')
                 FROM pg_stat_activity WHERE application_name = '{NAME}'"
            ),
        );
        Self {
            servers: pids.split(',').map(str::to_owned).collect(),
        }
    }

    /// Returns milliseconds; `None` if the server is on another machine or another system.
    pub(crate) fn milliseconds(&self) -> Option<f64> {
        let mut nanoseconds = 0.0;
        for task in fs::read_dir("/proc/self/task").ok()? {
            nanoseconds += of_task(&task.ok()?.path().join("schedstat"))?;
        }
        for pid in &self.servers {
            nanoseconds += of_task(format!("/proc/{pid}/schedstat").as_ref())?;
        }
        Some(nanoseconds / 1e6)
    }
}

fn of_task(file: &std::path::Path) -> Option<f64> {
    let text = fs::read_to_string(file).ok()?;
    text.split_whitespace().next()?.parse().ok()
}
