//! Measured values, several of each.

use std::time::Instant;

use serde::{Serialize, Serializer};

/// Median, minimum and maximum of several measurements.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: *sorted.get(sorted.len() / 2)?,
            min: *sorted.first()?,
            max: *sorted.last()?,
        })
    }
}

/// Returns the median; `None` if there is no value.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    Spread::of(values).map(|spread| spread.median)
}

/// Returns the median time of several runs in milliseconds, after two that warm up.
pub(crate) fn warm_median(runs: usize, mut run: impl FnMut()) -> f64 {
    let times: Vec<f64> = (0..runs + 2)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .skip(2)
        .collect();
    median(&times).expect("a run")
}

#[derive(Debug, Serialize)]
struct Series {
    workload: String,
    variant: String,
    unit: &'static str,
    #[serde(flatten, serialize_with = "as_spread")]
    values: Vec<f64>,
}

fn as_spread<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    Spread::of(values).serialize(serializer)
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Samples {
    figures: Vec<Series>,
}

impl Samples {
    pub(crate) fn add(&mut self, workload: &str, variant: &str, unit: &'static str, value: f64) {
        let known = self
            .figures
            .iter_mut()
            .find(|series| series.workload == workload && series.variant == variant);
        match known {
            Some(series) => series.values.push(value),
            None => self.figures.push(Series {
                workload: workload.to_owned(),
                variant: variant.to_owned(),
                unit,
                values: vec![value],
            }),
        }
    }

    /// Returns one value for each repetition; none if it was not measured.
    pub(crate) fn values(&self, workload: &str, variant: &str) -> &[f64] {
        self.figures
            .iter()
            .find(|series| series.workload == workload && series.variant == variant)
            .map_or(&[], |series| &series.values)
    }

    pub(crate) fn spread(&self, workload: &str, variant: &str) -> Option<Spread> {
        Spread::of(self.values(workload, variant))
    }
}
