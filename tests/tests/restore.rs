//! The guide "Backup, restore, upgrade", run with PostgreSQL's own programs.

#[path = "restore/club.rs"]
mod club;
#[path = "restore/data_only.rs"]
mod data_only;
#[path = "restore/one_schema.rs"]
mod one_schema;
#[path = "restore/server_upgrade.rs"]
mod server_upgrade;
#[path = "restore/standby.rs"]
mod standby;
#[path = "restore/switch_over.rs"]
mod switch_over;
#[path = "restore/whole.rs"]
mod whole;
