//! A version of the audit schema after the newest one, for the tests of upgrades: with changes of
//! every kind that a version can have.

use std::sync::LazyLock;

use threadline::__schema::{CODE, NextVersion};

/// Each place of the code that it changes, and what stands there instead.
const CHANGES: [(&str, &str); 4] = [
    // A function with other arguments is dropped and created again.
    (
        "FUNCTION threadline.post_again() RETURNS",
        "FUNCTION threadline.post_again(made_up boolean DEFAULT false) RETURNS",
    ),
    (
        "FUNCTION threadline.post_again() FROM",
        "FUNCTION threadline.post_again(boolean) FROM",
    ),
    // Capture functions are built again.
    (
        "FUNCTION threadline.capture_version() RETURNS integer\nLANGUAGE sql IMMUTABLE\nRETURN 1",
        "FUNCTION threadline.capture_version() RETURNS integer\nLANGUAGE sql IMMUTABLE\nRETURN 2",
    ),
    (
        "    tl_changed pg_catalog._text;\nBEGIN\n",
        "    tl_changed pg_catalog._text;\n    tl_made_up text;\nBEGIN\n",
    ),
];

const CREATED: &str = "
CREATE OR REPLACE FUNCTION threadline.made_up() RETURNS boolean
LANGUAGE sql
RETURN true;
CREATE TYPE threadline.made_up_type AS (made_up boolean);
CREATE VIEW threadline.made_up_view AS
SELECT threadline.made_up() AS made_up, c.made_up AS column FROM threadline.ledger_changes AS c;
";

pub(crate) fn next_version() -> NextVersion {
    static NEXT_CODE: LazyLock<String> = LazyLock::new(|| {
        let mut code = CODE.to_owned() + CREATED;
        for (newest, next) in CHANGES {
            assert_eq!(code.matches(newest).count(), 1, "{newest}");
            code = code.replace(newest, next);
        }
        code
    });
    NextVersion {
        up: include_str!("next_version/up.sql"),
        down: include_str!("next_version/down.sql"),
        code: &NEXT_CODE,
    }
}
