//! From the models to folders in the application's `migrations/`.

mod folder;
mod generate;
mod recorded;
mod views;
