//! The writer, its transaction, and its settings.

use threadline_tests::Dice;

use super::names::other_schema;

const SETTINGS: [&str; 34] = [
    "timezone = 'Asia/Kathmandu'",
    "timezone = 'UTC'",
    "datestyle = 'German'",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = 'iso_8601'",
    "bytea_output = 'escape'",
    "extra_float_digits = -5",
    "extra_float_digits = 3",
    "quote_all_identifiers = on",
    "quote_all_identifiers = off",
    "standard_conforming_strings = off",
    "standard_conforming_strings = on",
    "transform_null_equals = on",
    "array_nulls = off",
    "search_path = 'pg_temp', 'app'",
    "search_path = ''",
    "search_path = 'threadline', 'app', 'pg_catalog'",
    "session_replication_role = replica",
    "session_replication_role = origin",
    "session_replication_role = origin",
    "plan_cache_mode = force_generic_plan",
    "enable_seqscan = off",
    "work_mem = '64kB'",
    "row_security = off",
    "plpgsql.extra_errors = 'all'",
    "plpgsql.variable_conflict = 'use_column'",
    "check_function_bodies = off",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_isolation = 'read committed'",
    "default_transaction_deferrable = on",
    "synchronous_commit = off",
    "xmloption = document",
    "client_min_messages = error",
];

const CONTEXTS: [&str; 14] = [
    r#"{"actor": {"type": "user", "id": "ada"}, "request_id": "r-1"}"#,
    r#"{"actor": {"type": "user", "id": "ada"}, "request_id": "r-2"}"#,
    r#"{"actor": {"type": "admin", "id": "grace"}, "remote_ip": "203.0.113.9", "metadata": {"a": [1]}}"#,
    r#"{"actor": {"type": "user", "id": "eve"}, "remote_ip": "nowhere"}"#,
    r#"{"actor": {"type": "anonymous"}}"#,
    r#"{"actor": {"type": "user"}}"#,
    r#"{"actor": "ada"}"#,
    r#"{"request_id": {"not": "text"}, "metadata": 5, "origin": [], "source": null}"#,
    "garbage",
    "[]",
    "null",
    r#"{"request_id": "\u0000"}"#,
    "",
    r#"{"actor": {"type": "user", "id": "ada"}"#,
];

/// Forged values of the settings in which capture remembers its transaction.
const REMEMBERED: [&str; 9] = [
    "1 (0,1)",
    "2 (0,2)",
    "999999999999999999 (999999999,9999)",
    "1",
    "garbage",
    " (0,1)",
    "1 (0,0)",
    "1 ; (0,1)",
    "",
];

pub fn setting(dice: &mut Dice) -> String {
    let local = if dice.one_in(2) { "LOCAL " } else { "" };
    match dice.roll(8) {
        0..2 => format!(
            "SELECT set_config('threadline.context', extract(epoch FROM now()) || ' {}', {})",
            dice.pick(&CONTEXTS),
            dice.one_in(2)
        ),
        2 => format!("SET {local}threadline.context = '{}'", dice.pick(&CONTEXTS)),
        3 => format!(
            "SET {local}threadline.transaction = '{}'",
            dice.pick(&REMEMBERED)
        ),
        4 => {
            let name = *dice.pick(&[
                "transaction_context",
                "nested_1",
                "nested_2",
                "columns_1",
                "columns_2",
                "suspended",
                "transaction",
            ]);
            format!(
                "SET {local}threadline.{name} = '{}'",
                dice.pick(&["", "x", "1", "2", "{\"actor\""])
            )
        }
        5 => format!("SET {local}search_path = {}", other_schema()),
        6 => "RESET ALL".to_owned(),
        _ => format!("SET {local}{}", dice.pick(&SETTINGS)),
    }
}

pub fn role(dice: &mut Dice, roles: &[String]) -> String {
    if dice.roll(3) == 0 {
        format!("SET ROLE {}", dice.pick(roles))
    } else {
        "RESET ROLE".to_owned()
    }
}

pub fn begin(dice: &mut Dice) -> String {
    let level = *dice.pick(&[
        "",
        "",
        " ISOLATION LEVEL REPEATABLE READ",
        " ISOLATION LEVEL SERIALIZABLE",
        " READ ONLY",
    ]);
    if level == " READ ONLY" && !dice.one_in(4) {
        return "BEGIN".to_owned();
    }
    format!("BEGIN{level}")
}
