use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use threadline_test_server::root;

use super::uses::{of_file, of_lib, test_modules};

/// The top-level modules of a crate, and which of them use which others.
#[derive(Debug, Default)]
pub(super) struct Graph {
    name: String,
    modules: Vec<String>,
    /// From a module to one that it uses: the locations of the uses.
    edges: BTreeMap<(String, String), Vec<String>>,
}

impl Graph {
    /// Returns the modules of the crate in the folder `name`.
    pub(super) fn of(name: &str) -> Result<Self, String> {
        let source = root().join(name).join("src");
        let lib = read(&source.join("lib.rs"))?;
        let (modules, reexports) = of_lib(&lib)?;
        let mut graph = Self {
            name: name.to_owned(),
            modules,
            ..Self::default()
        };
        let files = files(&source)?;
        let mut for_tests = BTreeSet::new();
        for file in &files {
            let module = module_path(&source, file);
            for name in test_modules(&read(file)?)? {
                for_tests.insert([module.as_slice(), &[name]].concat());
            }
        }
        for file in &files {
            let parts = module_path(&source, file);
            let Some(module) = parts.first().filter(|part| graph.modules.contains(part)) else {
                continue;
            };
            if for_tests.iter().any(|path| parts.starts_with(path)) {
                continue;
            }
            let text = read(file)?;
            let shown = file.strip_prefix(root()).unwrap_or(file).display();
            let uses = of_file(&text, parts.len()).map_err(|error| format!("{shown}: {error}"))?;
            for found in uses {
                let target = match reexports.get(&found.name) {
                    Some(module) => module,
                    None => &found.name,
                };
                if target != module && graph.modules.contains(target) {
                    graph
                        .edges
                        .entry((module.clone(), target.clone()))
                        .or_default()
                        .push(format!("{shown}:{}", found.line));
                }
            }
        }
        Ok(graph)
    }

    fn used_by(&self, module: &str) -> impl Iterator<Item = &str> {
        self.edges
            .keys()
            .filter(move |(from, _)| from == module)
            .map(|(_, to)| to.as_str())
    }

    /// Returns, for each module in a circle, a shortest one, with the lines that cause
    /// it, each circle once.
    pub(super) fn cycles(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut cycles = vec![];
        for module in &self.modules {
            let Some(cycle) = self.cycle_through(module) else {
                continue;
            };
            let members: BTreeSet<&str> = cycle.iter().copied().collect();
            if seen.insert(members) {
                cycles.push(self.describe(&cycle));
            }
        }
        cycles
    }

    /// Returns the modules of a shortest circle, beginning with this one.
    fn cycle_through<'g>(&'g self, module: &'g str) -> Option<Vec<&'g str>> {
        let mut paths = vec![vec![module]];
        let mut reached = BTreeSet::new();
        while !paths.is_empty() {
            let mut longer = vec![];
            for path in paths {
                for next in self.used_by(path[path.len() - 1]) {
                    if next == module {
                        return Some(path);
                    }
                    if reached.insert(next) {
                        longer.push([path.as_slice(), &[next]].concat());
                    }
                }
            }
            paths = longer;
        }
        None
    }

    fn describe(&self, cycle: &[&str]) -> String {
        let mut lines = vec![format!(
            "modules of {} use each other in a circle: {} -> {}",
            self.name,
            cycle.join(" -> "),
            cycle[0]
        )];
        for (index, from) in cycle.iter().enumerate() {
            let to = cycle[(index + 1) % cycle.len()];
            lines.push(self.places(from, to));
        }
        lines.join("\n")
    }

    fn places(&self, from: &str, to: &str) -> String {
        let places = self.edges.get(&(from.to_owned(), to.to_owned()));
        let places = places.map_or(String::new(), |places| places.join("\n      "));
        format!("  {from} uses {to}:\n      {places}")
    }

    /// Returns the uses of higher layers, and the modules that are only in the order or
    /// only in the crate.
    pub(super) fn upward(&self, order: &[String]) -> Vec<String> {
        let layer = |module: &str| order.iter().position(|name| name == module);
        let mut problems = vec![];
        for module in &self.modules {
            if layer(module).is_none() {
                problems.push(format!(
                    "module {module} of {} has no layer: run `cargo xtask layers --write`",
                    self.name
                ));
            }
        }
        for name in order {
            if !self.modules.contains(name) {
                problems.push(format!(
                    "{} has no module {name}: run `cargo xtask layers --write`",
                    self.name
                ));
            }
        }
        for (from, to) in self.edges.keys() {
            if let (Some(own), Some(used)) = (layer(from), layer(to))
                && own < used
            {
                problems.push(format!(
                    "a module of {} uses one of a higher layer:\n{}",
                    self.name,
                    self.places(from, to)
                ));
            }
        }
        problems
    }

    /// Returns the modules, each after those that it uses, otherwise as in `order`.
    /// Without cycles.
    pub(super) fn order(&self, order: &[String]) -> Vec<String> {
        let mut waiting: Vec<&String> = self.modules.iter().collect();
        waiting.sort_by_key(|module| {
            let place = order.iter().position(|name| name == *module);
            (place.unwrap_or(order.len()), *module)
        });
        let mut ordered: Vec<String> = vec![];
        while !waiting.is_empty() {
            let next = waiting
                .iter()
                .position(|module| {
                    self.used_by(module)
                        .all(|used| ordered.iter().any(|o| o == used))
                })
                .unwrap_or(0);
            ordered.push(waiting.remove(next).clone());
        }
        ordered
    }
}

/// Returns the names of a file's module, from the crate down.
fn module_path(source: &Path, file: &Path) -> Vec<String> {
    let path = file.strip_prefix(source).unwrap_or(file).with_extension("");
    path.iter()
        .map(|part| part.to_string_lossy().into_owned())
        .filter(|part| part != "mod" && part != "lib")
        .collect()
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![];
    let unreadable = |error: std::io::Error| format!("{}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::Graph;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph {
            name: "example".to_owned(),
            modules: ["a", "b", "c"].map(str::to_owned).into(),
            ..Graph::default()
        };
        for (from, to) in edges {
            let place = format!("src/{from}.rs:1");
            graph
                .edges
                .insert((from.to_string(), to.to_string()), vec![place]);
        }
        graph
    }

    #[test]
    fn a_circle_is_named_with_its_lines_once() {
        assert_eq!(
            graph(&[("a", "b"), ("b", "c"), ("c", "a")]).cycles(),
            [
                "modules of example use each other in a circle: a -> b -> c -> a
  a uses b:
      src/a.rs:1
  b uses c:
      src/b.rs:1
  c uses a:
      src/c.rs:1"
            ]
        );
        assert!(
            graph(&[("a", "b"), ("a", "c"), ("b", "c")])
                .cycles()
                .is_empty()
        );
    }

    #[test]
    fn a_use_of_a_higher_layer_is_named() {
        let graph = graph(&[("a", "b"), ("b", "c")]);
        let order = graph.order(&[]);
        assert_eq!(order, ["c", "b", "a"]);
        assert!(graph.upward(&order).is_empty());
        let problems = graph.upward(&["c", "a", "b"].map(str::to_owned));
        assert_eq!(
            problems,
            ["a module of example uses one of a higher layer:\n  a uses b:\n      src/a.rs:1"]
        );
        assert_eq!(graph.upward(&["c", "b", "d"].map(str::to_owned)).len(), 2);
    }
}
