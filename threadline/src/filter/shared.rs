//! The conditions that filters for changes and for actions share.

/// Writes the methods of these conditions. `$entries` are what the filter matches, and
/// `$recorded` is their changes at an instant.
macro_rules! shared_conditions {
    ($filter:ident, $entries:literal, $recorded:literal) => {
        impl $filter {
            #[doc = concat!("Matches ", $entries, " by this actor.")]
            pub fn actor(mut self, actor: &ActorRef) -> Self {
                self.actor = Some(actor.clone());
                self
            }

            #[doc = concat!("Matches ", $entries, " by actors of this type.")]
            pub fn actor_type(mut self, actor_type: ActorType) -> Self {
                self.actor_type = Some(actor_type);
                self
            }

            #[doc = concat!("Matches ", $entries, " ", $recorded, " at this instant or later.")]
            pub fn from(mut self, instant: DateTime<Utc>) -> Self {
                self.from = Some(instant);
                self
            }

            #[doc = concat!("Matches ", $entries, " ", $recorded, " at this instant or earlier.")]
            pub fn to(mut self, instant: DateTime<Utc>) -> Self {
                self.to = Some(instant);
                self
            }

            text_setters! {
                #[doc = concat!("Matches ", $entries, " with this correlation id, compared exactly.")]
                correlation_id,
                #[doc = concat!("Matches ", $entries, " of this request.")]
                request_id,
                #[doc = concat!("Matches ", $entries, " of this job.")]
                job_id,
                #[doc = concat!("Matches ", $entries, " from this source.")]
                source,
            }

            #[doc = concat!("Matches ", $entries, " of the AuditTransaction with this id.")]
            pub fn transaction(mut self, id: i64) -> Self {
                self.transaction = Some(id);
                self
            }

            /// Returns the filter without its time span, or `None` if it has none.
            #[doc(hidden)]
            pub fn at_any_time(&self) -> Option<Self> {
                (self.from.is_some() || self.to.is_some()).then(|| Self {
                    from: None,
                    to: None,
                    ..self.clone()
                })
            }
        }
    };
}

pub(super) use shared_conditions;
