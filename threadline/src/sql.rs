//! The only place that puts names and values into SQL text.

use std::fmt;

/// A string literal, written as `E'…'` so that it does not depend on
/// `standard_conforming_strings`.
pub(crate) struct Literal<'a>(pub(crate) &'a str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = self.0.replace('\\', "\\\\").replace('\'', "''");
        write!(f, " E'{escaped}'")
    }
}

/// A string literal for a file that people read: without escapes where possible.
pub(crate) struct ReadableLiteral<'a>(pub(crate) &'a str);

impl fmt::Display for ReadableLiteral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains('\\') {
            let literal = Literal(self.0).to_string();
            return f.write_str(literal.trim_start());
        }
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

/// An identifier, quoted where PostgreSQL would otherwise read another name.
pub(crate) struct Identifier<'a>(pub(crate) &'a str);

impl fmt::Display for Identifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let belongs = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts = self
            .0
            .starts_with(|c: char| belongs(c) && !c.is_ascii_digit());
        if starts && self.0.chars().all(belongs) {
            return f.write_str(self.0);
        }
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// `ARRAY['a', 'b']`.
pub(crate) struct TextArray<'a, T>(pub(crate) &'a [T]);

impl<T: AsRef<str>> fmt::Display for TextArray<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ARRAY[")?;
        for (position, text) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", ReadableLiteral(text.as_ref()))?;
        }
        f.write_str("]")
    }
}

/// Parses a list of quoted, possibly qualified names into the parts of each name, without
/// quotes: `"a"."b", "c,""d"` becomes `[[a, b], [c,"d]]`. Unquoted names are folded to
/// lower case, as in PostgreSQL.
fn names(list: &str) -> Vec<Vec<String>> {
    let mut names = vec![vec![String::new()]];
    let mut quoted = false;
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        let name = names.last_mut().expect("starts with one name");
        let part = name.last_mut().expect("starts with one part");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            _ if quoted => part.push(c),
            '.' => name.push(String::new()),
            ',' => names.push(vec![String::new()]),
            c if c.is_whitespace() => {}
            c => part.extend(c.to_lowercase()),
        }
    }
    names
}

/// Returns the parts of one possibly qualified name.
pub(crate) fn name_parts(name: &str) -> Vec<String> {
    names(name).swap_remove(0)
}

/// Returns the last part of each name in a list.
pub(crate) fn last_names(list: &str) -> Vec<String> {
    names(list)
        .into_iter()
        .filter_map(|mut parts| parts.pop())
        .collect()
}

/// Returns the length of the comment at the beginning of a text; 0 if there is none. As in SQL,
/// `/*` nests.
pub(crate) fn comment(sql: &str) -> usize {
    if sql.starts_with("--") {
        return sql.find('\n').unwrap_or(sql.len());
    }
    let (mut at, mut depth) = (0, 0);
    while let Some(next) = sql[at..].chars().next() {
        if sql[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if depth > 0 && sql[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else if depth > 0 {
            at += next.len_utf8();
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

/// Returns the tag at the beginning of a dollar-quoted text, `$$` or `$tag$`, if there is one.
pub(crate) fn dollar_tag(sql: &str) -> Option<&str> {
    let inside = sql.strip_prefix('$')?;
    let tag = &inside[..inside.find('$')?];
    (!tag.starts_with(|c: char| c.is_ascii_digit()) && tag.chars().all(is_of_name))
        .then(|| &sql[..tag.len() + 2])
}

/// Returns whether a character can be in a name that is not quoted.
pub(crate) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_survive_quotes_and_backslashes() {
        assert_eq!(
            Literal(r"it's a \ test").to_string(),
            r" E'it''s a \\ test'"
        );
        assert_eq!(ReadableLiteral("it's").to_string(), "'it''s'");
        assert_eq!(ReadableLiteral(r"a\b").to_string(), r"E'a\\b'");
    }

    #[test]
    fn identifiers_are_quoted_where_they_must_be() {
        let shown = ["members_2", "Order", "2nd", "a\"b", "größe", ""]
            .map(|name| Identifier(name).to_string());
        assert_eq!(
            shown,
            [
                "members_2",
                "\"Order\"",
                "\"2nd\"",
                "\"a\"\"b\"",
                "\"größe\"",
                "\"\""
            ]
        );
    }

    #[test]
    fn names_are_split_outside_quotes_only() {
        assert_eq!(
            last_names(r#""app"."users"."id", "a.b"."c,""d""#),
            ["id", "c,\"d"]
        );
    }
}
