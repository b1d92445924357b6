//! What the program writes. Texts of others neither control the terminal nor deceive the
//! reader.

use std::io::{self, IsTerminal, Write};
use std::str;
use std::sync::{Mutex, MutexGuard, PoisonError};

use threadline::__cli::escaped;

// Everything in this crate is printed with these.
macro_rules! println {
    ($($text:tt)*) => { $crate::terminal::out(&format!($($text)*)) };
}
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::terminal::err(&format!($($text)*)) };
}

/// The first reason why output was lost.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints lines on standard output. Failures are reported at the end, by [`unwritten`].
pub(crate) fn out(text: &str) {
    let shown = escaped(text, |c| c == '\n');
    note(writeln!(io::stdout().lock(), "{shown}"));
}

/// Prints lines on standard error. Tabs stay: libpq indents its hints by them.
pub(crate) fn err(text: &str) {
    let shown = escaped(text, |c| matches!(c, '\n' | '\t'));
    let _ = writeln!(io::stderr().lock(), "{shown}");
}

/// Returns a number with a noun in its singular or plural.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// Same as [`out`], with the program's own styles.
pub(crate) fn print(text: &str) {
    let shown = escaped(text, |c| matches!(c, '\n' | '\x1b'));
    note(writeln!(anstream::stdout().lock(), "{shown}"));
}

fn note(written: io::Result<()>) {
    if let Err(error) = written {
        lost().get_or_insert(error);
    }
}

fn lost() -> MutexGuard<'static, Option<io::Error>> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns whether further output is useless, because nobody reads it or it cannot be stored.
pub(crate) fn ended() -> bool {
    lost().is_some()
}

/// Returns why not all output was written, unless the reader closed the pipe early.
pub(crate) fn unwritten() -> Option<io::Error> {
    let lost = lost().take();
    lost.filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
}

/// Returns standard output for data. A pipe and a file get it unchanged.
pub(crate) fn data() -> Box<dyn Write + Send> {
    let out = io::BufWriter::new(io::stdout());
    if io::stdout().is_terminal() {
        Box::new(Shown::new(out))
    } else {
        Box::new(out)
    }
}

/// A writer of text to a terminal.
struct Shown<W: Write> {
    out: W,
    /// The beginning of a character, or a carriage return.
    begun: Vec<u8>,
}

impl<W: Write> Shown<W> {
    fn new(out: W) -> Self {
        Self { out, begun: vec![] }
    }

    fn show(&mut self, last: bool) -> io::Result<()> {
        let whole = match str::from_utf8(&self.begun) {
            Ok(_) => self.begun.len(),
            Err(error) => error
                .error_len()
                .map_or(error.valid_up_to(), |_| self.begun.len()),
        };
        let mut now = self.begun[..whole].to_vec();
        self.begun.drain(..whole);
        if !last && now.last() == Some(&b'\r') {
            now.pop();
            self.begun.insert(0, b'\r');
        }
        // Lines of CSV end with both.
        let lines: Vec<String> = String::from_utf8_lossy(&now)
            .split("\r\n")
            .map(|line| escaped(line, |c| c == '\n'))
            .collect();
        self.out.write_all(lines.join("\r\n").as_bytes())
    }
}

impl<W: Write> Drop for Shown<W> {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(text);
        self.show(false)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.show(true)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_on_a_terminal_cannot_control_it_however_it_is_cut() {
        let data = "a,\u{9b}31m\u{202e}é€\u{7f}\r\n\u{2028}\rb\u{1b}[0m\n\u{2066}end\r\n";
        let expected = "a,\\u009b31m\\u202eé€\\u007f\r\n\\u2028\\u000db\\u001b[0m\n\\u2066end\r\n";
        for first in 0..=data.len() {
            for second in first..=data.len() {
                let mut shown = Shown::new(vec![]);
                for piece in [0..first, first..second, second..data.len()] {
                    shown.write_all(&data.as_bytes()[piece]).unwrap();
                }
                shown.flush().unwrap();
                assert_eq!(str::from_utf8(&shown.out).unwrap(), expected);
            }
        }
    }
}
