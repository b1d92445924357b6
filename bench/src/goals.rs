use std::fmt;

use serde::Serialize;

use crate::numbers::thousands;

/// Goals, and the measured figures.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Goals {
    goals: Vec<Goal>,
}

#[derive(Debug, Serialize)]
struct Goal {
    workload: String,
    goal: String,
    measured: f64,
    met: bool,
}

/// The limit for a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtMost(limit) => measured <= limit,
            Self::AtLeast(limit) => measured >= limit,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, limit) = match self {
            Self::AtMost(limit) => ("most", *limit),
            Self::AtLeast(limit) => ("least", *limit),
        };
        if limit < 1000.0 {
            write!(f, "at {word} {limit}")
        } else {
            write!(f, "at {word} {}", thousands(limit as usize))
        }
    }
}

impl Goals {
    /// Adds a goal, in words, and whether the measured figure meets it.
    pub(crate) fn add(&mut self, workload: &str, goal: &str, bound: Bound, measured: f64) {
        self.goals.push(Goal {
            workload: workload.to_owned(),
            goal: goal.to_owned(),
            measured: (measured * 1000.0).round() / 1000.0,
            met: bound.holds(measured),
        });
    }

    pub(crate) fn print(&self) {
        println!("\n{:68} {:72} {:>9}", "workload", "goal", "measured");
        for goal in &self.goals {
            let missed = if goal.met { "" } else { "  missed" };
            let measured = goal.shown();
            println!(
                "{:68} {:72} {measured:>9}{missed}",
                goal.workload, goal.goal
            );
        }
    }

    /// Returns the table of the README.
    pub(crate) fn to_markdown(&self) -> String {
        let mut table = String::from("| workload | goal | measured | |\n|---|---|--:|---|\n");
        for goal in &self.goals {
            let Goal {
                workload,
                goal: bound,
                ..
            } = goal;
            let met = if goal.met { "met" } else { "**missed**" };
            table += &format!("| {workload} | {bound} | {} | {met} |\n", goal.shown());
        }
        table
    }
}

impl Goal {
    fn shown(&self) -> String {
        match self.measured.abs() {
            size if size < 100.0 => format!("{:.2}", self.measured),
            size if size < 1000.0 => format!("{:.0}", self.measured),
            size if size.is_finite() => thousands(size as usize),
            _ => self.measured.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goals() -> Goals {
        let mut goals = Goals::default();
        let limit = Bound::AtMost(0.6);
        goals.add(
            "insert of one row",
            &format!("{limit} times the cost added by the limit"),
            limit,
            0.41234,
        );
        let rate = Bound::AtLeast(40_000.0);
        goals.add(
            "posting",
            &format!("{rate} changes a second"),
            rate,
            31_000.0,
        );
        goals
    }

    #[test]
    fn goals_become_json_as_documented() {
        let json = serde_json::to_value(goals()).unwrap();
        let documented = serde_json::json!({
            "goals": [
                {
                    "workload": "insert of one row",
                    "goal": "at most 0.6 times the cost added by the limit",
                    "measured": 0.412,
                    "met": true,
                },
                {
                    "workload": "posting",
                    "goal": "at least 40,000 changes a second",
                    "measured": 31_000.0,
                    "met": false,
                },
            ]
        });
        assert_eq!(json, documented);
    }

    #[test]
    fn goals_become_a_table_of_markdown() {
        let table = "\
| workload | goal | measured | |
|---|---|--:|---|
| insert of one row | at most 0.6 times the cost added by the limit | 0.41 | met |
| posting | at least 40,000 changes a second | 31,000 | **missed** |
";
        assert_eq!(goals().to_markdown(), table);
    }

    #[test]
    fn a_goal_is_met_at_its_bound() {
        assert!(Bound::AtMost(1.0).holds(1.0) && !Bound::AtMost(1.0).holds(1.001));
        assert!(Bound::AtLeast(1.0).holds(1.0) && !Bound::AtLeast(1.0).holds(0.999));
        assert!(!Bound::AtMost(1.0).holds(f64::NAN));
    }
}
