use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Runs a command when this is dropped, and also when the process ends by a panic, Ctrl-C
/// or SIGKILL: a shell holds the other end of a pipe and waits for it to break.
#[derive(Debug)]
pub struct AtEnd(Child);

const SHELL: &str = r#"trap '' INT HUP TERM; cat >/dev/null; exec "$@""#;

impl AtEnd {
    /// Keeps the command for the end.
    pub fn run(command: &Command) -> io::Result<Self> {
        Command::new("sh")
            .args(["-c", SHELL, "at_end"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .map(Self)
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
