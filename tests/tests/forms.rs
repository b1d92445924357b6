//! The JSON that Threadline writes and reads, against its schemas.

#[path = "forms/answers.rs"]
mod answers;
#[path = "forms/commands.rs"]
mod commands;
#[path = "forms/openapi.rs"]
mod openapi;
#[path = "forms/requests.rs"]
mod requests;
#[path = "forms/schemas.rs"]
mod schemas;
