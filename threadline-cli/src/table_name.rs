//! Names of tables, as in SQL. PostgreSQL does not say which name it could not read.

/// Returns the name, or what is wrong with it. A name with characters that a terminal obeys is
/// left to the library: the message of a wrong argument repeats it as it is.
pub(crate) fn table_name(name: &str) -> Result<String, String> {
    let is_shown = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ';
    match mistake(name) {
        Some(mistake) if name.chars().all(is_shown) => Err(mistake),
        _ => Ok(name.to_owned()),
    }
}

fn mistake(name: &str) -> Option<String> {
    let mut rest = name.trim();
    let mut parts = 0;
    loop {
        rest = match rest.strip_prefix('"') {
            Some(inside) => {
                let Some(after) = after_quoted(inside) else {
                    return Some("a double quote is not closed".to_owned());
                };
                if after.len() + 1 == inside.len() {
                    return Some(EMPTY.to_owned());
                }
                after
            }
            None => {
                let length = rest.find(|c: char| c == '.' || c.is_whitespace());
                let length = length.unwrap_or(rest.len());
                if length == 0 {
                    return Some(EMPTY.to_owned());
                }
                &rest[length..]
            }
        };
        parts += 1;
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let Some(next) = rest.strip_prefix('.') else {
            return Some(format!(
                "a table is named as in SQL: members, app.members, '\"Order\"'; quote a name with other characters: '\"{}\"'",
                name.trim().replace('"', "")
            ));
        };
        rest = next.trim_start();
    }
    (parts > 2).then(|| {
        "it has too many parts: expected a table, or a schema and a table; quote a name that contains a period".to_owned()
    })
}

const EMPTY: &str = "a part of the name is empty";

/// Returns what follows a quoted part, in which a quote is doubled.
fn after_quoted(mut inside: &str) -> Option<&str> {
    loop {
        let end = inside.find('"')?;
        inside = &inside[end + 1..];
        match inside.strip_prefix('"') {
            Some(after) => inside = after,
            None => return Some(inside),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_postgresql_reads_it() {
        for name in [
            "members",
            "app.members",
            " app . \"Order\" ",
            "\"a.b\".\"it\"\"s\"",
            "my-table",
        ] {
            assert_eq!(table_name(name).as_deref(), Ok(name));
        }
        for (name, mistake) in [
            ("\"Order", "a double quote is not closed"),
            ("app.\"a\"\"", "a double quote is not closed"),
            ("", "a part of the name is empty"),
            ("app.", "a part of the name is empty"),
            ("app..members", "a part of the name is empty"),
            ("\"\"", "a part of the name is empty"),
            (
                "Order Items",
                "quote a name with other characters: '\"Order Items\"'",
            ),
            (
                "\"Order\"Items",
                "named as in SQL: members, app.members, '\"Order\"'",
            ),
            ("db.app.members", "it has too many parts"),
        ] {
            let said = table_name(name).unwrap_err();
            assert!(said.contains(mistake), "{name}: {said}");
        }
    }
}
