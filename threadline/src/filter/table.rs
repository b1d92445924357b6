use super::error::FilterError;

/// What is wrong with another text.
pub(super) const NOT_A_TABLE_NAME: &str =
    "a table is named as in SQL: members, app.members, \"Order\"";

/// Returns an error for a text that is not a table name.
pub(crate) fn check_table_name(text: &str) -> Result<(), FilterError> {
    if is_table_name(text) {
        return Ok(());
    }
    Err(FilterError::Value {
        name: "table".to_owned(),
        value: text.to_owned(),
        message: NOT_A_TABLE_NAME.to_owned(),
    })
}

/// Returns whether the text is a table name as in SQL, with or without a schema. A name
/// that PostgreSQL cannot parse would fail the transaction of the caller.
pub(super) fn is_table_name(text: &str) -> bool {
    let mut rest = text;
    for _ in 0..2 {
        let Some(after) = after_identifier(rest.trim_start()) else {
            return false;
        };
        match after.trim_start().strip_prefix('.') {
            None => return after.trim_start().is_empty(),
            Some(next) => rest = next,
        }
    }
    false
}

/// Returns the rest after the identifier at the start, if there is one.
fn after_identifier(text: &str) -> Option<&str> {
    if let Some(mut rest) = text.strip_prefix('"') {
        let mut empty = true;
        loop {
            let (inside, after) = rest.split_once('"')?;
            empty &= inside.is_empty();
            // Two quotes stand for one in the name.
            match after.strip_prefix('"') {
                Some(next) => (rest, empty) = (next, false),
                None => return (!empty && !inside.contains('\0')).then_some(after),
            }
        }
    }
    let belongs = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    let starts = |c: char| belongs(c) && c != '$' && !c.is_ascii_digit();
    text.starts_with(starts)
        .then(|| text.trim_start_matches(belongs))
}

#[cfg(test)]
mod tests {
    use super::is_table_name;

    #[test]
    fn valid_table_names_are_recognized() {
        for name in [
            "members",
            "app.members",
            " app . members ",
            "\"Order\"",
            "app.\"a \"\"b\"\" . c\"",
            "\"\"\"\"",
            "größe_2$",
            "_x",
        ] {
            assert!(is_table_name(name), "{name}");
        }
        for text in [
            "",
            " ",
            "two words",
            "\"open",
            "\"\"",
            "\"a\"b",
            "a.b.c",
            "app.",
            ".members",
            "1st",
            "$x",
            "a-b",
            "a;b",
            "a\0",
        ] {
            assert!(!is_table_name(text), "{text}");
        }
    }
}
