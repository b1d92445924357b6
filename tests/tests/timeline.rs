//! Changes across tables: selection, order, pages, and cost.

#[path = "timeline/actions.rs"]
mod actions;
#[path = "timeline/cost.rs"]
mod cost;
#[path = "timeline/criterion.rs"]
mod criterion;
#[path = "timeline/dataset.rs"]
mod dataset;
#[path = "timeline/equivalence.rs"]
mod equivalence;
#[path = "timeline/errors.rs"]
mod errors;
#[path = "timeline/keys.rs"]
mod keys;
#[path = "timeline/live_values.rs"]
mod live_values;
#[path = "timeline/masked.rs"]
mod masked;
#[path = "timeline/naive.rs"]
mod naive;
#[path = "timeline/nobody.rs"]
mod nobody;
#[path = "timeline/pages.rs"]
mod pages;
#[path = "timeline/reach.rs"]
mod reach;
#[path = "timeline/renamed.rs"]
mod renamed;
#[path = "timeline/scope.rs"]
mod scope;
#[path = "timeline/summary.rs"]
mod summary;
#[path = "timeline/text.rs"]
mod text;
#[path = "timeline/times.rs"]
mod times;
#[path = "timeline/values.rs"]
mod values;
