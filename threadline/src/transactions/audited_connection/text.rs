//! The text of a batch of SQL, as far as its statements have to be told apart.

use std::iter;

use crate::sql::{comment, dollar_tag, is_of_name};

/// Returns the statements of a batch, without what precedes them.
pub(super) fn statements(mut sql: &str) -> impl Iterator<Item = &str> {
    iter::from_fn(move || {
        let body = &sql[before_statement(sql)..];
        let (one, rest) = body.split_at(statement(body));
        sql = rest;
        (!one.is_empty()).then_some(one)
    })
}

/// Returns the word at the beginning of a text; empty if there is none.
pub(super) fn first_word(sql: &str) -> &str {
    let end = sql.find(|c: char| !c.is_ascii_alphabetic());
    &sql[..end.unwrap_or(sql.len())]
}

/// Returns the words of a statement, without those in comments.
pub(super) fn words(mut sql: &str) -> impl Iterator<Item = &str> {
    iter::from_fn(move || {
        while !sql.is_empty() {
            let (word, skipped) = (first_word(sql), comment(sql));
            if !word.is_empty() {
                sql = &sql[word.len()..];
                return Some(word);
            }
            sql = match skipped {
                0 => &sql[sql.chars().next().map_or(0, char::len_utf8)..],
                skipped => &sql[skipped..],
            };
        }
        None
    })
}

/// Returns the length of what precedes the first statement: spaces, comments, and empty statements.
pub(super) fn before_statement(sql: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &sql[at..];
        let spaces = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_whitespace() || c == ';')
                .len();
        match spaces + comment(&rest[spaces..]) {
            0 => return at,
            skipped => at += skipped,
        }
    }
}

/// Returns the length of a statement up to its semicolon. One in a comment, a literal or a
/// quoted name does not end it.
pub(super) fn statement(sql: &str) -> usize {
    let mut at = 0;
    let mut before = ' ';
    while let Some(next) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let skipped = match next {
            ';' => break,
            '\'' => quoted(rest, before.eq_ignore_ascii_case(&'e')),
            '"' => quoted(rest, false),
            '$' if !is_of_name(before) => dollar_quoted(rest),
            _ => comment(rest),
        };
        // Of a name that ends in an e, only the last letter is seen, but no text follows a name.
        before = next;
        at += skipped.max(next.len_utf8());
    }
    at
}

/// Returns the length of a text or a name in quotes. A doubled quote begins another one, which
/// makes no difference here.
fn quoted(sql: &str, has_escapes: bool) -> usize {
    let quote = sql.chars().next();
    let mut is_escaped = false;
    for (at, c) in sql.char_indices().skip(1) {
        if Some(c) == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = has_escapes && c == '\\' && !is_escaped;
    }
    sql.len()
}

/// Returns the length of a text between `$$` or `$tag$`; 0 if none begins here.
fn dollar_quoted(sql: &str) -> usize {
    dollar_tag(sql).map_or(0, |tag| {
        let text = &sql[tag.len()..];
        text.find(tag)
            .map_or(sql.len(), |text| text + 2 * tag.len())
    })
}
