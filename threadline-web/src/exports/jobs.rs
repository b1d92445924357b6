//! The exports of a process.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use threadline::ExportFormat;
use tokio::sync::Semaphore;

use super::job::{Job, State};
use crate::access::Access;
use crate::failure::Failure;
use crate::texts;

/// The maximum number of exports that a viewer has, and of those that wait or run.
const OF_A_VIEWER: usize = 5;
const OPEN: usize = 20;

/// The exports that this process began. Other processes do not know them.
#[derive(Debug)]
pub(crate) struct Jobs {
    /// The beginning of each id, which differs from that of other processes.
    process: String,
    jobs: Mutex<Vec<Arc<Job>>>,
    pub(super) turns: Arc<Semaphore>,
}

impl Jobs {
    pub(crate) fn new(parallel: usize) -> Self {
        Self {
            process: format!("{:016x}", RandomState::new().hash_one(std::process::id())),
            jobs: Mutex::default(),
            turns: Arc::new(Semaphore::new(parallel)),
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Job>>> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|job| !is_expired(job));
        jobs
    }

    /// Adds an export that waits.
    pub(crate) fn add(
        &self,
        access: &Access,
        line: String,
        format: ExportFormat,
        now: DateTime<Utc>,
    ) -> Result<Arc<Job>, Failure> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| Failure::Storage(error.to_string()))?;
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("{}-{random}", self.process);
        let mut jobs = self.all();
        if jobs.iter().filter(|job| job.is_of(access)).count() >= OF_A_VIEWER {
            return Err(Failure::Conflict(texts::TOO_MANY_EXPORTS.to_owned()));
        }
        if jobs.iter().filter(|job| job.state().is_open()).count() >= OPEN {
            return Err(Failure::Busy);
        }
        let job = Arc::new(Job::new(id, access, line, format, now));
        jobs.push(job.clone());
        Ok(job)
    }

    /// Returns an export of the viewer, if they may still see all of it.
    pub(crate) fn find(&self, id: &str, access: &Access) -> Result<Arc<Job>, Failure> {
        let found = self.all().iter().find(|job| job.id == id).cloned();
        match found {
            Some(job) if job.is_of(access) && job.is_within(access) => Ok(job),
            Some(job) if job.is_of(access) => Err(Failure::Narrowed),
            // The same answer for an export of someone else.
            _ if id.split('-').next() == Some(&self.process) => {
                Err(Failure::NotFound(texts::NO_EXPORT.to_owned()))
            }
            _ => Err(Failure::NotFound(texts::EXPORT_ELSEWHERE.to_owned())),
        }
    }

    /// Returns the exports of the viewer, newest first. Anonymous viewers may be several
    /// people, so they have none.
    pub(crate) fn of(&self, access: &Access) -> Vec<Arc<Job>> {
        if access.actor().id().is_none() {
            return vec![];
        }
        let own = |job: &&Arc<Job>| job.is_of(access) && job.is_within(access);
        let mut jobs: Vec<_> = self.all().iter().filter(own).cloned().collect();
        jobs.reverse();
        jobs
    }

    /// Removes an export and its file.
    pub(crate) fn remove(&self, id: &str) {
        self.all().retain(|job| job.id != id);
    }
}

/// Returns whether the file should be removed, in case the timer is late.
fn is_expired(job: &Job) -> bool {
    matches!(job.state(), State::Done { until, .. } if until <= Utc::now())
}
