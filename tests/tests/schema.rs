//! The audit schema: its versions, its installation, its generated migrations.

#[path = "schema/diesel_cli.rs"]
mod diesel_cli;
#[path = "schema/generate.rs"]
mod generate;
#[path = "schema/install.rs"]
mod install;
#[path = "schema/interface.rs"]
mod interface;
#[path = "schema/least.rs"]
mod least;
#[path = "schema/locks.rs"]
mod locks;
#[path = "schema/upgrade.rs"]
mod upgrade;
#[path = "schema/versions.rs"]
mod versions;

/// Three models, as in an application.
mod app {
    use diesel::prelude::*;
    use threadline::Audited;

    diesel::table! {
        users (id) {
            id -> Int8,
            name -> Text,
            email -> Text,
            password_hash -> Text,
        }
    }

    diesel::table! {
        blog.posts (id) {
            id -> Int8,
            author -> Int8,
            title -> Text,
        }
    }

    #[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = users)]
    #[audited(mask(email), exclude(password_hash))]
    #[allow(dead_code)]
    pub(crate) struct User {
        id: i64,
        name: String,
        email: String,
    }

    #[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
    #[diesel(table_name = posts)]
    #[allow(dead_code)]
    pub(crate) struct Post {
        id: i64,
        title: String,
    }

    /// The same table under another policy, as in the next release.
    #[derive(Audited)]
    #[diesel(table_name = posts)]
    #[audited(require_actor, mask(title))]
    pub(crate) struct PostNext;

    mod without_secrets {
        diesel::table! {
            users (id) {
                id -> Int8,
                name -> Text,
            }
        }
    }

    /// After the secret columns are dropped.
    #[derive(Audited)]
    #[diesel(table_name = without_secrets::users)]
    pub(crate) struct UserNext;

    diesel::table! {
        devices (card_number) {
            card_number -> Text,
            api_key -> Text,
            token_count -> Int4,
            tokenizer -> Text,
            key_changed_at -> Timestamptz,
        }
    }

    #[derive(Audited)]
    #[diesel(table_name = devices)]
    pub(crate) struct Device;

    /// With an explicit policy.
    #[derive(Audited)]
    #[diesel(table_name = devices)]
    #[audited(exclude(api_key), plain(card_number, token_count))]
    pub(crate) struct DeviceNext;

    pub(crate) const TABLES: &str = "
        CREATE SCHEMA blog;
        CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, password_hash text NOT NULL);
        CREATE TABLE blog.posts (id bigint PRIMARY KEY, author bigint NOT NULL, title text NOT NULL);
    ";
    pub(crate) const NO_TABLES: &str = "DROP TABLE blog.posts; DROP TABLE users; DROP SCHEMA blog;";
}
