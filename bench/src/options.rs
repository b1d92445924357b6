//! The options of the command line.

/// All parts that can be measured separately, without the workloads of capture.
const PARTS: [&str; 6] = [
    "capture",
    "reads",
    "exports",
    "pages",
    "checks",
    "retention",
];

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) json: Option<String>,
    pub(crate) markdown: Option<String>,
    only: Option<String>,
}

impl Options {
    /// # Panics
    ///
    /// Panics at an unknown option, with a list of the known ones.
    pub(crate) fn of_the_command_line(workloads: &[&'static str]) -> Self {
        let mut options = Self {
            quick: false,
            json: None,
            markdown: None,
            only: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let option = match argument.as_str() {
                "--quick" => {
                    options.quick = true;
                    continue;
                }
                "--json" => &mut options.json,
                "--markdown" => &mut options.markdown,
                "--only" => &mut options.only,
                _ => panic!("{argument} is none of --quick, --only, --json, --markdown"),
            };
            let value = arguments.next();
            *option = Some(value.unwrap_or_else(|| panic!("{argument} takes a value")));
        }
        if let Some(only) = &options.only {
            let known: Vec<&str> = PARTS.iter().chain(workloads).copied().collect();
            assert!(
                known.contains(&only.as_str()),
                "--only takes one of {known:?}"
            );
        }
        options
    }

    /// Returns whether a part is measured as a whole.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    /// Returns the one requested workload of capture.
    pub(crate) fn workload(&self) -> Option<&str> {
        self.only.as_deref().filter(|only| !PARTS.contains(only))
    }
}
