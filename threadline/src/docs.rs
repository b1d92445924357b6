//! Guides to common tasks and problems.

#[doc = include_str!("docs/your_first_service.md")]
pub mod your_first_service {}

#[doc = include_str!("docs/answering_an_incident.md")]
pub mod answering_an_incident {}

#[doc = include_str!("docs/coming_from.md")]
pub mod coming_from_another_library {}

#[doc = include_str!("docs/connections.md")]
pub mod connections {}
#[doc = include_str!("docs/contexts_in_async_code.md")]
pub mod contexts_in_async_code {}

#[doc = include_str!("docs/threadline_with_diesel_async.md")]
pub mod threadline_with_diesel_async {}

#[doc = include_str!("docs/keeping_secrets_out.md")]
pub mod keeping_secrets_out {}

#[doc = include_str!("docs/owner_and_readers.md")]
pub mod owner_and_readers {}

#[doc = include_str!("docs/journal_and_ledger.md")]
pub mod journal_and_ledger {}

#[doc = include_str!("docs/keeping_it_for_years.md")]
pub mod keeping_it_for_years {}

#[doc = include_str!("docs/erasing_a_person.md")]
pub mod erasing_a_person {}

#[doc = include_str!("docs/serving_over_http.md")]
pub mod serving_over_http {}

#[doc = include_str!("docs/monitoring.md")]
pub mod monitoring {}

#[doc = include_str!("docs/backup_restore_upgrade.md")]
pub mod backup_restore_upgrade {}

#[doc = include_str!("docs/running_it_in_production.md")]
pub mod running_it_in_production {}

#[doc = include_str!("docs/what_an_auditor_asks.md")]
pub mod what_an_auditor_asks {}

#[doc = include_str!("docs/testing.md")]
pub mod testing {}

#[doc = include_str!("docs/asking_with_diesel.md")]
pub mod asking_with_diesel {}

#[doc = include_str!("docs/sql_interface.md")]
pub mod the_sql_interface {}

#[doc = include_str!("docs/stability.md")]
pub mod stability {}

#[doc = include_str!("docs/how_it_works.md")]
pub mod how_it_works {}
