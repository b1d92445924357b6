//! The search line: `table:invoices changed:amount actor:user:57 from:monday -source:web`.

use chrono::{DateTime, Utc};
use threadline::__cli::relative;
use threadline::{Filter, FilterError};

use crate::failure::Failure;

/// A filter of the search line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    /// Whether the filter must not match.
    pub(crate) negated: bool,
    /// The name of the filter; `text` for a word without one.
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Short names of filters.
const ALIASES: &[(&str, &str)] = &[
    ("op", "operation"),
    ("request", "request_id"),
    ("correlation", "correlation_id"),
    ("job", "job_id"),
    ("was", "changed_from"),
    ("became", "changed_to"),
    ("type", "actor_type"),
    ("since", "from"),
    ("until", "to"),
    ("role", "session_user"),
    ("meta", "metadata"),
    ("tx", "transaction"),
];

/// Returns the name of a filter in the search line.
fn short(name: &str) -> &str {
    ALIASES
        .iter()
        .find(|(_, long)| *long == name && *long != "from" && *long != "to")
        .map_or(name, |(short, _)| short)
}

impl Term {
    pub(crate) fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            negated: false,
            name: name.to_owned(),
            value: value.into(),
        }
    }

    pub(crate) fn not(self) -> Self {
        Self {
            negated: !self.negated,
            ..self
        }
    }

    fn parse(text: &str) -> Self {
        let (negated, text) = match text.strip_prefix('-') {
            Some(rest) if rest.contains(':') => (true, rest),
            _ => (false, text),
        };
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        match text.split_once(':') {
            Some((name, value)) if is_name(name) => Self {
                negated,
                name: ALIASES
                    .iter()
                    .find(|(short, _)| *short == name)
                    .map_or(name, |(_, long)| long)
                    .to_owned(),
                value: value.to_owned(),
            },
            _ => Self::new("text", text),
        }
    }

    fn is_text(&self) -> bool {
        self.name == "text" && !self.negated
    }

    /// Returns the term as text of the search line.
    pub(crate) fn written(&self) -> String {
        let sign = if self.negated { "-" } else { "" };
        let plain = !self.value.is_empty()
            && !self
                .value
                .contains(|c: char| c.is_whitespace() || c == '"' || c == '\\');
        let value = if plain {
            self.value.clone()
        } else {
            format!(
                "\"{}\"",
                self.value.replace('\\', "\\\\").replace('"', "\\\"")
            )
        };
        match self.name.as_str() {
            "text" if !self.value.contains(':') && !value.starts_with('-') => value,
            name => format!("{sign}{}:{value}", short(name)),
        }
    }
}

/// A search line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) terms: Vec<Term>,
}

impl Query {
    /// Parses a line. Every line can be parsed; [`filter`](Self::filter) returns the errors
    /// of its filters.
    pub(crate) fn parse(line: &str) -> Self {
        let mut terms = vec![];
        let mut word = String::new();
        let (mut quoted, mut escaped, mut begun) = (false, false, false);
        for c in line.chars() {
            match c {
                _ if escaped => {
                    word.push(c);
                    escaped = false;
                }
                '\\' if quoted => escaped = true,
                '"' => {
                    quoted = !quoted;
                    begun = true;
                }
                c if c.is_whitespace() && !quoted => {
                    if begun {
                        terms.push(Term::parse(&word));
                    }
                    word.clear();
                    begun = false;
                }
                c => {
                    word.push(c);
                    begun = true;
                }
            }
        }
        if begun {
            terms.push(Term::parse(&word));
        }
        // Words without a name are one text.
        let mut line = Self::default();
        for term in terms {
            let text = line.terms.iter_mut().find(|t| t.is_text());
            match text.filter(|_| term.is_text()) {
                Some(text) => {
                    text.value.push(' ');
                    text.value.push_str(&term.value);
                }
                None => line.terms.push(term),
            }
        }
        line
    }

    /// Returns the query as a line.
    pub(crate) fn line(&self) -> String {
        let terms: Vec<_> = self.terms.iter().map(Term::written).collect();
        terms.join(" ")
    }

    /// Returns the query with another term. A filter that may not repeat replaces its
    /// previous term.
    pub(crate) fn with(&self, term: Term) -> Self {
        let mut query = self.clone();
        let repeats = term.negated
            || matches!(
                term.name.as_str(),
                "changed" | "changed_from" | "changed_to" | "value" | "key" | "metadata"
            );
        query.terms.retain(|other| {
            *other != term
                && *other != term.clone().not()
                && (repeats || other.negated || other.name != term.name)
        });
        query.terms.push(term);
        query
    }

    /// Returns the query without the term at this place.
    pub(crate) fn without(&self, place: usize) -> Self {
        let mut query = self.clone();
        query.terms.remove(place);
        query
    }

    /// Returns the filter of the query. A text is searched in the last seven days, unless the
    /// line has `from:`.
    pub(crate) fn filter(&self, now: DateTime<Utc>) -> Result<Filter, Failure> {
        let mut pairs: Vec<(String, String)> = vec![];
        for term in &self.terms {
            let value = match term.name.as_str() {
                "from" | "to" => instant(&term.value, now),
                _ => term.value.clone(),
            };
            if term.negated {
                pairs.push(("except".to_owned(), format!("{}={value}", term.name)));
            } else {
                pairs.push((term.name.clone(), value));
            }
        }
        let has = |name: &str| pairs.iter().any(|(given, _)| given == name);
        if has("text") && !has("from") {
            pairs.push(("from".to_owned(), instant("7d", now)));
        }
        Filter::parse(pairs).map_err(in_own_words)
    }
}

/// Converts an instant that is relative to now into one that the filter accepts.
fn instant(text: &str, now: DateTime<Utc>) -> String {
    relative(text, now).unwrap_or_else(|| text.to_owned())
}

/// Returns a message with the names of the search line.
fn in_own_words(error: FilterError) -> Failure {
    match error {
        FilterError::Unknown { name, allowed } => {
            let names: Vec<_> = allowed
                .split(", ")
                .filter(|name| *name != "except")
                .map(short)
                .collect();
            Failure::from(FilterError::Unknown {
                name,
                allowed: names.join(", "),
            })
        }
        error => Failure::from(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-25T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_line_is_read_and_written_again() {
        for line in [
            "table:invoices changed:amount actor:user:57 from:monday -source:web",
            "value:\"note=two words\" \"two words\"",
            "value:\"note=a \\\"b\\\" \\\\\"",
            "text:a:b",
            "-op:insert",
            "",
        ] {
            assert_eq!(Query::parse(line).line(), line);
        }
        assert_eq!(
            Query::parse("  operation:insert   ada ").line(),
            "op:insert ada"
        );
    }

    #[test]
    fn a_line_asks_what_its_filters_ask() {
        let asked = Query::parse(
            "table:invoices changed:amount actor:user:57 from:monday -source:web -op:insert",
        );
        let same = Filter::parse([
            ("table", "invoices"),
            ("changed", "amount"),
            ("actor", "user:57"),
            ("from", "2026-11-23"),
            ("except", "source=web"),
            ("except", "operation=insert"),
        ]);
        assert_eq!(asked.filter(now()).unwrap(), same.unwrap());
    }

    #[test]
    fn words_without_a_name_are_one_text() {
        let query = Query::parse("written table:a off \"for good\"");
        assert_eq!(query.line(), "\"written off for good\" table:a");
        assert_eq!(Query::parse(&query.line()), query);
    }

    #[test]
    fn times_are_said_from_here() {
        let said = |text: &str| instant(text, now());
        assert_eq!(said("wednesday"), "2026-11-25");
        assert_eq!(said("thursday"), "2026-11-19");
        assert_eq!(said("yesterday"), "2026-11-24");
        assert_eq!(said("2h"), "2026-11-25T10:00:00+00:00");
        assert_eq!(said("2026-01-01"), "2026-01-01");
        assert_eq!(said("99999999999999999d"), "99999999999999999d");
    }

    #[test]
    fn a_term_takes_the_place_of_its_opposite() {
        let query = Query::parse("table:a -source:web changed:x");
        let more = |name: &str, value: &str| query.with(Term::new(name, value)).line();
        assert_eq!(more("table", "b"), "-source:web changed:x table:b");
        assert_eq!(more("source", "web"), "table:a changed:x source:web");
        assert_eq!(
            more("changed", "y"),
            "table:a -source:web changed:x changed:y"
        );
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        let why = |line: &str| match Query::parse(line).filter(now()) {
            Err(Failure::Question(why)) => why,
            other => panic!("{other:?}"),
        };
        let unknown = why("colour:red");
        assert!(unknown.contains("no filter `colour`"));
        for name in [" op,", " type,", " tx", " was,"] {
            assert!(unknown.contains(name), "{unknown}");
        }
        for name in ["operation", "actor_type", "transaction", "except"] {
            assert!(!unknown.contains(name), "{unknown}");
        }
        assert!(why("-text:a").contains("except"));
        assert!(why("from:someday").contains("an instant is"));
    }
}
