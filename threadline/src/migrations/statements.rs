//! The statements of a migration that the generator follows: audits of tables, and tables
//! that are created, renamed or dropped.

use crate::model::COLUMNS;
use crate::sql::{comment, dollar_tag};

/// The parts of a table's name, without the default schema.
pub(super) type Name = Vec<String>;

/// Returns the parts of a name without the default schema, so that `public.users` and
/// `users` are one table.
pub(super) fn plain(mut parts: Name) -> Name {
    if parts.len() == 2 && parts[0] == "public" {
        parts.remove(0);
    }
    parts
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// Audits a table. The policy is the text of the call, independent of the function that
    /// it calls, after its line of columns.
    Audit {
        table: Name,
        policy: String,
        continues: Option<Name>,
    },
    Unaudit(Name),
    Create {
        table: Name,
        if_missing: bool,
    },
    Rename {
        table: Name,
        to: Name,
    },
    Drop(Name),
    RenameSchema {
        schema: String,
        to: String,
    },
    DropSchema(String),
}

/// The beginning of a generated policy.
pub(super) const AUDIT: &str = "SELECT threadline.audit_as_decided(";

/// Returns the statements in their order, without those in comments, strings and functions.
/// Conditions in a DO block are not evaluated: all that it contains counts.
pub(super) fn statements(sql: &str) -> Vec<Statement> {
    let tokens = tokens(sql);
    let mut found = vec![];
    let mut columns_from = 0;
    for at in 0..tokens.len() {
        let rest = &tokens[at..];
        if let Some(body) = do_block(rest) {
            found.extend(statements(body));
        } else if let Some((function, arguments, end)) = call(sql, rest) {
            match function {
                "unaudit" | "unaudit_as_before" => {
                    found.extend(table_of(&arguments).map(Statement::Unaudit));
                }
                _ => {
                    let before = &sql[columns_from..rest[0].1];
                    found.extend(audit(before, &arguments));
                    columns_from = end;
                }
            }
        } else {
            definition(rest, &mut found);
        }
    }
    found
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A keyword or an identifier in its stored form.
    Word {
        text: String,
        quoted: bool,
    },
    /// A string literal.
    Text(String),
    /// A dollar-quoted string.
    Body(String),
    Symbol(char),
}

impl Token {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word { text, quoted: false } if text == keyword)
    }
}

/// A token with the place where it begins and where it ends.
type Placed = (Token, usize, usize);

fn tokens(sql: &str) -> Vec<Placed> {
    let mut tokens = vec![];
    let mut at = 0;
    while let Some(c) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let from = at;
        let skipped = comment(rest);
        if skipped > 0 {
            at += skipped;
        } else if c.is_whitespace() {
            at += c.len_utf8();
        } else if c == '\'' || matches!(c, 'e' | 'E') && rest[1..].starts_with('\'') {
            let Some((text, after)) = literal(rest) else {
                break;
            };
            at = sql.len() - after.len();
            tokens.push((Token::Text(text), from, at));
        } else if c == '"' {
            let Some((text, after)) = delimited(&rest[1..], '"', false) else {
                break;
            };
            at = sql.len() - after.len();
            tokens.push((Token::Word { text, quoted: true }, from, at));
        } else if let Some(tag) = dollar_tag(rest) {
            let body = &rest[tag.len()..];
            let length = body.find(tag).unwrap_or(body.len());
            at = sql.len().min(at + length + 2 * tag.len());
            tokens.push((Token::Body(body[..length].to_owned()), from, at));
        } else if c.is_alphanumeric() || c == '_' {
            let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            at += rest.find(|c| !inside(c)).unwrap_or(rest.len());
            let text = sql[from..at].to_lowercase();
            tokens.push((
                Token::Word {
                    text,
                    quoted: false,
                },
                from,
                at,
            ));
        } else {
            at += c.len_utf8();
            tokens.push((Token::Symbol(c), from, at));
        }
    }
    tokens
}

/// Returns whether a line, by its number, begins with these symbols, outside comments and
/// strings.
pub(super) fn starts_with_symbols(sql: &str, number: usize, symbols: &str) -> bool {
    let line = sql.split_inclusive('\n').take(number - 1);
    let start: usize = line.map(str::len).sum();
    let tokens = tokens(sql);
    let found = tokens.iter().skip_while(|(_, from, _)| *from < start);
    let mut found = found.map(|(token, from, _)| (token, *from));
    symbols
        .chars()
        .zip(start..)
        .all(|(symbol, from)| found.next() == Some((&Token::Symbol(symbol), from)))
}

/// Returns the text of the string literal at the beginning, and what follows it.
pub(super) fn literal(sql: &str) -> Option<(String, &str)> {
    let escaped = sql.starts_with(['E', 'e']);
    delimited(
        sql[usize::from(escaped)..].strip_prefix('\'')?,
        '\'',
        escaped,
    )
}

/// Returns the text up to a delimiter, which is doubled inside, and what follows it.
fn delimited(mut rest: &str, delimiter: char, escaped: bool) -> Option<(String, &str)> {
    let mut text = String::new();
    loop {
        let mut chars = rest.chars();
        let c = chars.next()?;
        rest = chars.as_str();
        if c == delimiter {
            match rest.strip_prefix(delimiter) {
                Some(after) => {
                    text.push(delimiter);
                    rest = after;
                }
                None => return Some((text, rest)),
            }
        } else if c == '\\' && escaped {
            let mut chars = rest.chars();
            text.push(chars.next()?);
            rest = chars.as_str();
        } else {
            text.push(c);
        }
    }
}

/// Returns the code of the DO block at the beginning.
fn do_block(tokens: &[Placed]) -> Option<&str> {
    let mut words = Words(tokens);
    if !words.take("do") {
        return None;
    }
    if words.take("language") {
        words.name();
    }
    match words.0.first() {
        Some((Token::Body(body) | Token::Text(body), ..)) => Some(body),
        _ => None,
    }
}

/// An argument of a call: its tokens, and its text with the space around it.
struct Argument<'t> {
    name: Option<&'t str>,
    value: &'t [Placed],
    text: &'t str,
}

/// Returns the function at the beginning, if it audits a table or ends an audit, with its
/// arguments and the end of the call.
fn call<'t>(sql: &'t str, tokens: &'t [Placed]) -> Option<(&'t str, Vec<Argument<'t>>, usize)> {
    let [
        (Token::Word { text: schema, .. }, ..),
        (Token::Symbol('.'), ..),
        (Token::Word { text: function, .. }, ..),
        (Token::Symbol('('), _, open),
        inside @ ..,
    ] = tokens
    else {
        return None;
    };
    let known = [
        "audit",
        "audit_as_decided",
        "audit_as_before",
        "unaudit",
        "unaudit_as_before",
    ];
    if schema != "threadline" || !known.contains(&function.as_str()) {
        return None;
    }
    let mut arguments = vec![];
    let mut depth = 0;
    let (mut first, mut from) = (0, *open);
    for (number, (token, start, end)) in inside.iter().enumerate() {
        let closes = depth == 0 && *token == Token::Symbol(')');
        match token {
            Token::Symbol('(' | '[') => depth += 1,
            Token::Symbol(')' | ']') if !closes => depth -= 1,
            Token::Symbol(',') if depth == 0 => {}
            _ if !closes => continue,
            _ => {}
        }
        if closes || depth == 0 && *token == Token::Symbol(',') {
            arguments.push(argument(&inside[first..number], &sql[from..*start]));
            (first, from) = (number + 1, *end);
        }
        if closes {
            return Some((function, arguments, *end));
        }
    }
    None
}

fn argument<'t>(tokens: &'t [Placed], text: &'t str) -> Argument<'t> {
    let (name, value) = match tokens {
        [
            (Token::Word { text, .. }, ..),
            (Token::Symbol('='), ..),
            (Token::Symbol('>'), ..),
            value @ ..,
        ] => (Some(text.as_str()), value),
        _ => (None, tokens),
    };
    Argument { name, value, text }
}

/// Returns the table that a call names.
fn table_of(arguments: &[Argument<'_>]) -> Option<Name> {
    let target = arguments.iter().enumerate().find(|(place, argument)| {
        *place == 0 && argument.name.is_none() || argument.name == Some("target")
    });
    named(target?.1.value)
}

fn named(value: &[Placed]) -> Option<Name> {
    value.iter().find_map(|(token, ..)| match token {
        Token::Text(name) => Some(plain(crate::sql::name_parts(name))),
        _ => None,
    })
}

/// Returns the statement of a call that audits a table.
fn audit(before: &str, arguments: &[Argument<'_>]) -> Option<Statement> {
    let table = table_of(arguments)?;
    let continued = arguments.iter().find(|a| a.name == Some("continues"));
    // Of a former policy, for columns that came since.
    let texts = arguments.iter().filter(|a| a.name != Some("known"));
    let texts: Vec<_> = texts.map(|argument| argument.text.trim_end()).collect();
    let close = match arguments.last() {
        Some(last) if last.text[last.text.trim_end().len()..].contains('\n') => "\n",
        _ => "",
    };
    let call = format!("{AUDIT}{}{close});", texts.join(","));
    let lines: Vec<_> = call.lines().map(str::trim_end).collect();
    let mut columns = before.lines().map(str::trim);
    let columns = columns.rfind(|line| line.starts_with(COLUMNS));
    let policy = columns.into_iter().chain(lines).collect::<Vec<_>>();
    Some(Statement::Audit {
        table,
        policy: policy.join("\n"),
        continues: continued.and_then(|argument| named(argument.value)),
    })
}

/// Adds the statement that begins with these tokens, if it defines tables.
fn definition(tokens: &[Placed], found: &mut Vec<Statement>) {
    let mut words = Words(tokens);
    if words.take("create") {
        if words.take("temp") || words.take("temporary") || words.take("local") {
            return;
        }
        words.take("unlogged");
        if words.take("table") {
            let if_missing = words.take("if");
            if if_missing && !(words.take("not") && words.take("exists")) {
                return;
            }
            let table = words.name();
            found.extend(table.map(|table| Statement::Create { table, if_missing }));
        }
    } else if words.take("alter") {
        let Some(of_schema) = words.schema_or_table() else {
            return;
        };
        words.take("only");
        let Some(table) = words.name() else { return };
        words.symbol('*');
        if words.take("rename") && words.take("to") {
            let Some(to) = words.name() else { return };
            let to = to.into_iter().next_back().unwrap_or_default();
            found.push(if of_schema {
                let schema = table.into_iter().next_back().unwrap_or_default();
                Statement::RenameSchema { schema, to }
            } else {
                Statement::Rename {
                    to: plain([&table[..table.len() - 1], &[to]].concat()),
                    table,
                }
            });
        } else if !of_schema && words.take("set") && words.take("schema") {
            let Some(schema) = words.name() else { return };
            let name = table.last().cloned().unwrap_or_default();
            found.push(Statement::Rename {
                to: plain([schema, vec![name]].concat()),
                table,
            });
        }
    } else if words.take("drop") {
        let Some(of_schema) = words.schema_or_table() else {
            return;
        };
        while let Some(name) = words.name() {
            found.push(if of_schema {
                Statement::DropSchema(name.into_iter().next_back().unwrap_or_default())
            } else {
                Statement::Drop(name)
            });
            if !words.symbol(',') {
                break;
            }
        }
    }
}

struct Words<'t>(&'t [Placed]);

impl Words<'_> {
    /// Skips a keyword. Returns whether it was there.
    fn take(&mut self, keyword: &str) -> bool {
        self.skip(|token| token.is(keyword))
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.skip(|token| *token == Token::Symbol(symbol))
    }

    fn skip(&mut self, is: impl FnOnce(&Token) -> bool) -> bool {
        let found = self.0.first().is_some_and(|(token, ..)| is(token));
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// Skips `SCHEMA` or `TABLE`, and `IF EXISTS` after it. Returns whether it was `SCHEMA`.
    fn schema_or_table(&mut self) -> Option<bool> {
        let of_schema = self.take("schema");
        if !of_schema && !self.take("table") {
            return None;
        }
        if self.take("if") {
            self.take("exists");
        }
        Some(of_schema)
    }

    fn name(&mut self) -> Option<Name> {
        let mut parts = vec![];
        while let Some((Token::Word { text, .. }, ..)) = self.0.first() {
            parts.push(text.clone());
            self.0 = &self.0[1..];
            if !self.symbol('.') {
                break;
            }
        }
        (!parts.is_empty()).then(|| plain(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sql: &str) -> Vec<String> {
        let name = |name: &Name| name.join(".");
        statements(sql)
            .iter()
            .map(|statement| match statement {
                Statement::Audit { table, .. } => format!("audit {}", name(table)),
                Statement::Unaudit(table) => format!("unaudit {}", name(table)),
                Statement::Create { table, if_missing } => {
                    format!(
                        "create {}{}",
                        name(table),
                        if *if_missing { "?" } else { "" }
                    )
                }
                Statement::Rename { table, to } => format!("{} to {}", name(table), name(to)),
                Statement::Drop(table) => format!("drop {}", name(table)),
                Statement::RenameSchema { schema, to } => format!("schema {schema} to {to}"),
                Statement::DropSchema(schema) => format!("drop schema {schema}"),
            })
            .collect()
    }

    #[test]
    fn tables_are_followed_however_their_statements_are_written() {
        let sql = r#"
            CREATE TABLE public.Lines (id int); create unlogged table if not exists "It""s" ();
            ALTER TABLE IF EXISTS ONLY lines * RENAME
                TO items; -- ALTER TABLE a RENAME TO commented;
            /* ALTER TABLE b /* nested */ RENAME TO commented; */
            ALTER TABLE app.a RENAME TO b; ALTER TABLE app.b SET SCHEMA public; ALTER TABLE b SET SCHEMA app;
            ALTER TABLE c RENAME COLUMN d TO e; ALTER TABLE c RENAME f TO g; ALTER INDEX h RENAME TO i;
            CREATE TEMP TABLE lines (id int); INSERT INTO notes VALUES ('DROP TABLE lines', E'\'DROP TABLE lines');
            CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $f$ DROP TABLE lines $f$;
            DO $$ BEGIN IF true THEN DROP TABLE j, k CASCADE; END IF; PERFORM threadline.audit('l'); END $$;
            ALTER SCHEMA app RENAME TO shop; DROP SCHEMA IF EXISTS old CASCADE;
            select threadline . unaudit ( target => 'public.m'::regclass );
        "#;
        assert_eq!(
            shown(sql),
            [
                "create lines",
                "create It\"s?",
                "lines to items",
                "app.a to app.b",
                "app.b to b",
                "b to app.b",
                "drop j",
                "drop k",
                "audit l",
                "schema app to shop",
                "drop schema old",
                "unaudit m",
            ]
        );
    }

    #[test]
    fn a_policy_is_read_from_any_of_its_calls() {
        let sql = "-- Columns: id, a\n  SELECT threadline.audit_as_before(\n    'orders', \n    mask => ARRAY['a', 'b'],\n    continues => to_regclass('old'),\n    known => ARRAY['id', 'a']\n);\nSELECT threadline.audit('users', keep => '1 year') ;";
        let [first, second] = &statements(sql)[..] else {
            panic!("two")
        };
        assert_eq!(
            *first,
            Statement::Audit {
                table: vec!["orders".into()],
                policy: "-- Columns: id, a\nSELECT threadline.audit_as_decided(\n    'orders',\n    mask => ARRAY['a', 'b'],\n    continues => to_regclass('old')\n);".into(),
                continues: Some(vec!["old".into()]),
            }
        );
        assert_eq!(
            *second,
            Statement::Audit {
                table: vec!["users".into()],
                policy: "SELECT threadline.audit_as_decided('users', keep => '1 year');".into(),
                continues: None,
            }
        );
    }

    #[test]
    fn unfinished_text_ends_the_statements() {
        for sql in [
            "SELECT threadline.audit('a'",
            "SELECT 'DROP TABLE a",
            "/* DROP TABLE a",
            "DROP TABLE \"a",
            "DO $$ DROP",
            "$1 $a",
        ] {
            assert_eq!(shown(sql), [""; 0], "{sql}");
        }
    }
}
