//! Names of tables and columns, most of them unusual.

use threadline_tests::Dice;

/// Names that are keywords, that capture itself uses, or that are cut at 63 bytes.
const COLUMN_NAMES: [&str; 34] = [
    "n",
    "new",
    "old",
    "op",
    "tl_row",
    "tl_old",
    "tl_new",
    "tl_before",
    "tl_after",
    "tl_key",
    "tl_place",
    "tl_position",
    "tl_image",
    "tl_rows",
    "record_key",
    "previous_key",
    "changed_from",
    "row_data",
    "pair",
    "statement",
    "transaction_id",
    "id",
    "t",
    "c",
    "Order",
    "select",
    "with \"quotes\"",
    "it's",
    "back\\slash",
    "naïve Ünïcode",
    "%s %I",
    "a name that is as long as PostgreSQL lets a name be, aaaaaaaaaa",
    "now",
    "captured_at",
];

const TABLE_NAMES: [&str; 12] = [
    "things",
    "tl_new",
    "tl_old",
    "Order",
    "a \"table\"",
    "it's",
    "%s",
    "a table whose name is as long as PostgreSQL lets names be, aaa1",
    "a table whose name is as long as PostgreSQL lets names be, aaa2",
    "audit_changes",
    "new",
    "c",
];

pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

pub fn other_schema() -> String {
    quote("Other \"schema")
}

pub fn random_name(dice: &mut Dice, taken: &[String]) -> String {
    loop {
        let name = *dice.pick(&COLUMN_NAMES);
        if !taken.iter().any(|t| t == name) {
            return name.to_owned();
        }
    }
}

pub fn random_table_name(dice: &mut Dice) -> String {
    (*dice.pick(&TABLE_NAMES)).to_owned()
}
