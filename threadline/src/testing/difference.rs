use std::fmt;

use super::compare::Row;

/// The difference between the expected and the recorded changes, as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference(String);

/// Two columns of text, with remarks on each pair.
struct Block {
    label: &'static str,
    expected: Vec<String>,
    recorded: Vec<String>,
    reasons: Vec<String>,
}

impl Difference {
    pub(super) fn new(rows: &[Row<'_>], failure: Option<String>, hint: Option<&str>) -> Self {
        let blocks: Vec<_> = rows.iter().map(Block::new).collect();
        let width = blocks
            .iter()
            .flat_map(|block| &block.expected)
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
            .max("expected".len());
        let mut text = format!(
            "what was recorded differs from what was expected: {}\n",
            counts(rows)
        );
        text += &format!("\n{:9}{:width$} | recorded", "", "expected");
        for block in blocks {
            block.write(width, &mut text);
        }
        if rows.is_empty() {
            text += "\n         (nothing)";
        }
        if let Some(failure) = failure {
            text += &format!("\n\nthe code returned {failure}");
        }
        if let Some(hint) = hint {
            text += &format!("\n\n{hint}");
        }
        Self(text)
    }
}

fn counts(rows: &[Row<'_>]) -> String {
    let count = |label: &str| rows.iter().filter(|row| label_of(row) == label).count();
    let [same, differ, missing, extra] = ["ok", "differs", "missing", "extra"].map(count);
    [
        (same, "as expected"),
        (differ, "different"),
        (missing, "missing"),
        (extra, "not expected"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect::<Vec<_>>()
    .join(", ")
}

fn label_of(row: &Row<'_>) -> &'static str {
    match row {
        Row::Same(..) => "ok",
        Row::Differs(..) => "differs",
        Row::Missing(_) => "missing",
        Row::Extra(_) => "extra",
    }
}

impl Block {
    fn new(row: &Row<'_>) -> Self {
        let label = label_of(row);
        let (expected, recorded, reasons) = match row {
            Row::Same(expected, got) => (
                expected.lines().into_iter().take(1).collect(),
                vec![got.title()],
                vec![],
            ),
            Row::Differs(expected, got, reasons) => {
                (expected.lines(), got.lines(), reasons.clone())
            }
            Row::Missing(expected) => (expected.lines(), vec![], vec![]),
            Row::Extra(got) => (vec![], got.lines(), vec![]),
        };
        Self {
            label,
            expected: indented(expected),
            recorded: indented(recorded),
            reasons,
        }
    }

    fn write(&self, width: usize, text: &mut String) {
        for number in 0..self.expected.len().max(self.recorded.len()) {
            let line = |lines: &[String]| lines.get(number).cloned().unwrap_or_default();
            let label = if number == 0 { self.label } else { "" };
            let row = format!(
                "{label:9}{:width$} | {}",
                line(&self.expected),
                line(&self.recorded)
            );
            *text += "\n";
            *text += row.trim_end();
        }
        for reason in &self.reasons {
            *text += &format!("\n{:9}-> {reason}", "");
        }
    }
}

fn indented(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .enumerate()
        .map(|(number, line)| match number {
            0 => line,
            _ => format!("  {line}"),
        })
        .collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Difference {}
