//! Exports, read by independent programs.

#[path = "export/actions.rs"]
mod actions;
#[path = "export/files.rs"]
mod files;
#[path = "export/formulas.rs"]
mod formulas;
#[path = "export/memory.rs"]
mod memory;
#[path = "export/readers.rs"]
mod readers;
#[path = "export/selection.rs"]
mod selection;
#[path = "export/shape.rs"]
mod shape;
#[path = "export/values.rs"]
mod values;
