use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::error::Error;
use crate::explore::{FILTERS, Filter};

/// A flag for every filter that there is.
#[derive(Debug)]
pub(in crate::cli) struct FilterArguments {
    given: Vec<(&'static str, String)>,
}

impl FilterArguments {
    pub(super) fn filter(&self) -> Result<Filter, Error> {
        Filter::parse(self.given.iter().map(|(name, text)| (*name, text)))
    }
}

impl Args for FilterArguments {
    fn augment_args(command: Command) -> Command {
        command
            .next_help_heading("Which changes")
            .args(FILTERS.iter().map(|filter| {
                Arg::new(filter.name)
                    .long(filter.name.replace('_', "-"))
                    .help(filter.help)
                    .value_name("VALUE")
                    .allow_hyphen_values(true)
                    .action(ArgAction::Append)
            }))
            .next_help_heading(None)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FilterArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = FILTERS.iter().flat_map(|filter| {
            let values = matches.get_many::<String>(filter.name);
            values
                .into_iter()
                .flatten()
                .map(|value| (filter.name, value.clone()))
        });
        Ok(Self {
            given: given.collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
