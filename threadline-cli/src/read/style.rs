use anstyle::{AnsiColor, Style};

use threadline::__cli::DisplayStyle;
use threadline::Operation;

pub(crate) const TIME: Style = Style::new().dimmed();
pub(super) const ACTOR: Style = AnsiColor::Cyan.on_default();
pub(super) const ACTION: Style = AnsiColor::Magenta.on_default();
pub(crate) const TABLE: Style = Style::new().bold();

pub(super) fn operation(operation: &Operation) -> Style {
    match operation {
        Operation::Insert => AnsiColor::Green.on_default(),
        Operation::Delete | Operation::Truncate => AnsiColor::Red.on_default(),
        _ => AnsiColor::Yellow.on_default(),
    }
}

/// Returns text in a style. The stream removes the colours if they are not supported.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The style of a change on a terminal.
#[derive(Debug)]
pub(crate) struct Terminal;

impl DisplayStyle for Terminal {
    fn time(&self, text: &str) -> String {
        paint(TIME, text)
    }

    fn operation(&self, op: &Operation) -> String {
        paint(operation(op), op.as_str())
    }

    fn table(&self, text: &str) -> String {
        paint(TABLE, text)
    }

    fn actor(&self, text: &str) -> String {
        paint(ACTOR, text)
    }

    fn before(&self, text: &str) -> String {
        paint(AnsiColor::Red.on_default(), text)
    }

    fn after(&self, text: &str) -> String {
        paint(AnsiColor::Green.on_default(), text)
    }
}
