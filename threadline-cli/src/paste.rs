//! Formats SQL for a terminal, so that it can be pasted into psql.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use threadline::__cli::controls_display;

/// Returns the same statements without characters that could control the terminal. Line
/// breaks are kept, except those within a name or a value, which become escapes.
pub(super) fn pasteable(sql: &str) -> String {
    let mut shown = String::new();
    let mut chars = sql.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let escaped = matches!(before, 'E' | 'e');
                let text = quoted(&mut chars, '\'', escaped);
                if escaped {
                    literal_with_escapes(&mut shown, &text);
                } else if text.chars().any(controls_display) {
                    shown.push('E');
                    literal_with_escapes(&mut shown, &text.replace('\\', "\\\\"));
                } else {
                    let _ = write!(shown, "'{text}'");
                }
            }
            '"' => identifier(&mut shown, &quoted(&mut chars, '"', false)),
            '\n' => shown.push('\n'),
            c if controls_display(c) => shown.push(' '),
            c => shown.push(c),
        }
        before = c;
    }
    shown
}

/// Reads the text between quotes, as written; doubled quotes stay doubled.
fn quoted(chars: &mut Peekable<Chars<'_>>, quote: char, escaped: bool) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if c == quote && chars.peek() != Some(&quote) {
            break;
        }
        text.push(c);
        if c == quote || (escaped && c == '\\') {
            text.extend(chars.next());
        }
    }
    text
}

fn literal_with_escapes(shown: &mut String, text: &str) {
    shown.push('\'');
    for c in text.chars() {
        if controls_display(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown.push('\'');
}

fn identifier(shown: &mut String, text: &str) {
    if !text.chars().any(controls_display) {
        let _ = write!(shown, "\"{text}\"");
        return;
    }
    shown.push_str("U&\"");
    for c in text.chars() {
        if controls_display(c) || c == '\\' {
            let _ = write!(shown, "\\{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown.push('"');
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::sql_types::Text;
    use threadline_test_server::Server;

    use super::pasteable;

    #[test]
    fn statements_stay_as_they_are() {
        for sql in [
            "SELECT threadline.audit(\n    '\"a\"',\n    mask => ARRAY['b', 'it''s']\n);",
            r#"SELECT threadline.refresh(E'two."a''b""c\\d"');"#,
            r#"SELECT threadline.audit('t', condition => 'NEW.a = E''x\\y''');"#,
            "DROP TRIGGER \"!threadline_capture_1\" ON \"Große Tabelle\";",
            "",
        ] {
            assert_eq!(pasteable(sql), sql);
        }
    }

    #[test]
    fn terminal_control_characters_are_escaped_and_mean_the_same() {
        let conn = &mut PgConnection::establish(Server::shared().url()).unwrap();
        for value in [
            "a\nb",
            "a\u{1b}[31m'\\n",
            "\u{202e}x\u{9b}",
            "tab\t\"q\"",
            "'",
            "\r",
        ] {
            let literal = format!("'{}'", value.replace('\'', "''"));
            let escaped = format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
            let name = format!("\"{}\"", value.replace('"', "\"\""));
            let sql = format!(
                "SELECT {literal}::text AS one, {escaped}::text AS two,\n(SELECT row_to_json(t)::text FROM (SELECT 1 AS {name}) AS t) AS three"
            );
            #[derive(QueryableByName, PartialEq, Debug)]
            struct Row {
                #[diesel(sql_type = Text)]
                one: String,
                #[diesel(sql_type = Text)]
                two: String,
                #[diesel(sql_type = Text)]
                three: String,
            }
            let shown = pasteable(&sql);
            assert!(
                !shown.replace('\n', "").chars().any(char::is_control),
                "{shown}"
            );
            assert_eq!(shown.lines().count(), 2, "{shown}");
            let row: Row = diesel::sql_query(shown).get_result(conn).unwrap();
            assert_eq!(row.one, value);
            assert_eq!(row.two, value);
            assert_eq!(row, diesel::sql_query(sql).get_result(conn).unwrap());
        }
        conn.batch_execute(&pasteable("SELECT\t1;\u{9b} SELECT 2"))
            .unwrap();
    }
}
