use std::marker::PhantomData;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use threadline::__cli::Filters;
use threadline::{ActionFilter, Filter};

use crate::error::Error;

/// A flag for each filter.
#[derive(Debug)]
pub(crate) struct FilterArguments<F> {
    given: Vec<(&'static str, String)>,
    filter: PhantomData<F>,
}

impl FilterArguments<Filter> {
    pub(super) fn filter(&self) -> Result<Filter, Error> {
        Ok(Filter::parse(
            self.given.iter().map(|(name, text)| (*name, text)),
        )?)
    }
}

impl FilterArguments<ActionFilter> {
    pub(super) fn filter(&self) -> Result<ActionFilter, Error> {
        Ok(ActionFilter::parse(
            self.given.iter().map(|(name, text)| (*name, text)),
        )?)
    }
}

impl<F: Filters> Args for FilterArguments<F> {
    fn augment_args(command: Command) -> Command {
        command
            .next_help_heading(F::HEADING)
            .args(F::ALL.iter().map(|filter| {
                let flag = Arg::new(filter.name)
                    .long(filter.name.replace('_', "-"))
                    .help(filter.help)
                    .action(ArgAction::Append);
                if filter.is_flag {
                    flag.num_args(0..=1)
                        .require_equals(true)
                        .default_missing_value("yes")
                        .hide_possible_values(true)
                        .value_name("yes")
                } else {
                    flag.value_name("VALUE").allow_hyphen_values(true)
                }
            }))
            .next_help_heading(None)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<F: Filters> FromArgMatches for FilterArguments<F> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = F::ALL.iter().flat_map(|filter| {
            let values = matches.get_many::<String>(filter.name);
            values
                .into_iter()
                .flatten()
                .map(|value| (filter.name, value.clone()))
        });
        Ok(Self {
            given: given.collect(),
            filter: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
