use serde::Serialize;

/// What is to be reached, and what was.
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

impl Goals {
    pub(crate) fn at_most(&mut self, workload: &str, limit: f64, measured: f64) {
        self.add(
            workload,
            format!("at most {limit}"),
            measured,
            measured <= limit,
        );
    }

    pub(crate) fn at_least(&mut self, workload: &str, limit: f64, measured: f64) {
        self.add(
            workload,
            format!("at least {limit}"),
            measured,
            measured >= limit,
        );
    }

    fn add(&mut self, workload: &str, goal: String, measured: f64, met: bool) {
        self.goals.push(Goal {
            workload: workload.to_owned(),
            goal,
            measured: (measured * 1000.0).round() / 1000.0,
            met,
        });
    }

    pub(crate) fn print(&self) {
        println!("\n{:92} {:>14} {:>9}", "goal", "", "measured");
        for goal in &self.goals {
            let missed = if goal.met { "" } else { "  missed" };
            println!(
                "{:92} {:>14} {:>9.2}{missed}",
                goal.workload, goal.goal, goal.measured
            );
        }
    }
}
