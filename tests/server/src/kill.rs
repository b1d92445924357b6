//! Kills a process with all its children, before any of them can react.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use std::{fs, io};

/// A process that has not ended.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: u32,
    parent: u32,
}

/// Sends SIGKILL to a process and its children; returns when all have ended.
pub(crate) fn kill_with_children(id: u32) -> Result<(), String> {
    // A stopped process starts no others and does not notice deaths.
    signal("STOP", &[id])?;
    kill_all(|process| process.parent == id)?;
    kill_all(|process| process.id == id)
}

fn kill_all(doomed: impl Fn(&Process) -> bool) -> Result<(), String> {
    loop {
        let living = living().map_err(|e| format!("the list of processes: {e}"))?;
        let ids: Vec<u32> = living.iter().filter(|p| doomed(p)).map(|p| p.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        signal("KILL", &ids)?;
        sleep(Duration::from_millis(1));
    }
}

/// Rust's library sends no signals, the shell does.
fn signal(name: &str, ids: &[u32]) -> Result<(), String> {
    let sent = Command::new("sh")
        .args(["-c", r#"kill -s "$@""#, "kill", name])
        .args(ids.iter().map(u32::to_string))
        // One of them may just have ended.
        .stderr(Stdio::null())
        .status();
    sent.map(|_| ()).map_err(|e| format!("sh: {e}"))
}

/// From /proc if it exists: small systems have no ps.
fn living() -> io::Result<Vec<Process>> {
    if Path::new("/proc/self/stat").exists() {
        let stats = fs::read_dir("/proc")?.flatten().filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            parse_stat(&stat)
        });
        return Ok(stats.collect());
    }
    let list = Command::new("ps")
        .args(["-A", "-o", "pid=", "-o", "stat=", "-o", "ppid="])
        .output()?;
    let list = String::from_utf8_lossy(&list.stdout);
    Ok(list
        .lines()
        .filter_map(|line| parse(line.split_whitespace()))
        .collect())
}

/// Reads `17 (any (name) at all) S 1 …`.
fn parse_stat(stat: &str) -> Option<Process> {
    let (id, rest) = stat.split_once(' ')?;
    let (_, rest) = rest.rsplit_once(") ")?;
    parse([id].into_iter().chain(rest.split(' ')))
}

/// Reads id, state and parent. Zombies are in state Z.
fn parse<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<Process> {
    let id = fields.next()?.parse().ok()?;
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!state.starts_with(['Z', 'X'])).then_some(Process { id, parent })
}

#[cfg(test)]
mod tests {
    use super::{Process, parse_stat};

    #[test]
    fn processes_with_any_name_are_parsed() {
        let found = parse_stat("17 (postgres: a) S 9) S 4 17 17 0");
        assert_eq!(found, Some(Process { id: 17, parent: 4 }));
    }

    #[test]
    fn zombie_processes_do_not_count() {
        assert_eq!(parse_stat("17 (postgres) Z 4 17 17 0"), None);
    }
}
