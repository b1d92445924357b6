//! The top-level modules of each published crate form layers: a module uses only modules
//! below it. `xtask/layers.txt` has the order, lowest first.

mod graph;
mod uses;

use std::collections::BTreeMap;
use std::fs;

use threadline_test_server::root;

use graph::Graph;

const LAYERS: &str = "xtask/layers.txt";

const CRATES: [&str; 5] = [
    "threadline",
    "threadline-derive",
    "threadline-cli",
    "threadline-tower",
    "threadline-web",
];

const HEADING: &str = "\
# The top-level modules of each crate, lowest first: a module uses only modules above it in
# this list. `cargo xtask layers` checks it, `cargo xtask layers --write` writes it anew.
";

/// Fails if modules use each other in a circle, or one uses a module of a higher layer.
pub(crate) fn check() -> Result<(), String> {
    let noted = noted()?;
    let mut problems = vec![];
    for name in CRATES {
        let graph = Graph::of(name)?;
        let cycles = graph.cycles();
        if !cycles.is_empty() {
            problems.extend(cycles);
            continue;
        }
        let order = noted.get(name).map_or(&[][..], Vec::as_slice);
        problems.extend(graph.upward(order));
    }
    if problems.is_empty() {
        println!("no module uses one of a higher layer, see {LAYERS}");
        return Ok(());
    }
    Err(problems.join("\n\n"))
}

/// Writes the layers, as close to the present file as the modules allow.
pub(crate) fn write() -> Result<(), String> {
    let noted = noted()?;
    let mut text = HEADING.to_owned();
    for name in CRATES {
        let graph = Graph::of(name)?;
        let cycles = graph.cycles();
        if !cycles.is_empty() {
            return Err(cycles.join("\n\n"));
        }
        let order = noted.get(name).map_or(&[][..], Vec::as_slice);
        text.push_str(&format!("\n[{name}]\n"));
        for module in graph.order(order) {
            text.push_str(&module);
            text.push('\n');
        }
    }
    fs::write(root().join(LAYERS), text).map_err(|error| format!("{LAYERS}: {error}"))
}

/// Returns the layers of each crate, from the file.
fn noted() -> Result<BTreeMap<String, Vec<String>>, String> {
    let text = fs::read_to_string(root().join(LAYERS)).unwrap_or_default();
    let mut layers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut of = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            of = Some(layers.entry(name.to_owned()).or_default());
            continue;
        }
        of.as_mut()
            .ok_or_else(|| format!("{LAYERS}: module {line} is under no [crate]"))?
            .push(line.to_owned());
    }
    Ok(layers)
}
