use std::io::Write;

use super::cells::{ACTION_COLUMNS, CHANGE_COLUMNS, Cells, TRANSACTION_COLUMNS};
use super::rows::ExportRow;
use super::{Exported, Sink};
use crate::error::Error;

pub(super) struct Sheet<W: Write> {
    cells: Cells<W>,
    actions: bool,
    begun: bool,
}

impl<W: Write> Sheet<W> {
    pub(super) fn new(out: W, actions: bool) -> Self {
        Self {
            cells: Cells::new(out),
            actions,
            begun: false,
        }
    }

    /// Writes the header, unless it is written already.
    fn begin(&mut self) -> Result<(), Error> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let columns = CHANGE_COLUMNS.iter().chain(&TRANSACTION_COLUMNS);
        if self.actions {
            self.cells.header(columns.chain(&ACTION_COLUMNS))
        } else {
            self.cells.header(columns)
        }
    }
}

impl<W: Write> Sink for Sheet<W> {
    fn change(&mut self, row: &ExportRow) -> Result<(), Error> {
        self.begin()?;
        self.cells.change(&row.change)?;
        if self.actions {
            self.cells
                .actions(row.actions.as_deref().unwrap_or_default())?;
        }
        self.cells.end_line()
    }

    fn end(&mut self, _: Exported) -> Result<(), Error> {
        self.begin()?;
        self.cells.flush()
    }
}
