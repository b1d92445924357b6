//! Names of columns that require an explicit policy.

use super::ColumnKind;

/// The names of secrets, with their words joined: the words that Rails, Sentry and Django
/// filter by default, without those that are common in other columns (`key`, `auth`,
/// `session`, `hash`), and other words for data that opens or charges an account.
///
/// Those that consist of digits are in [`DIGITS`].
///
/// Sources: `filter_parameter_logging.rb` of a new Rails application,
/// `DEFAULT_DENYLIST` in `sentry_sdk.scrubber`, `hidden_settings` in
/// `django.views.debug`.
const TEXTS: &[&str] = &[
    // Credentials of people.
    "password",
    "passwd",
    "pwd",
    "pw",
    "passphrase",
    "salt",
    // Credentials of programs.
    "secret",
    "token",
    "jwt",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    // Accounts.
    "iban",
];

/// Secrets that consist of digits, only in the singular: a plural such as `tokens` is a
/// count.
const DIGITS: &[&str] = &[
    "passcode",
    "pin",
    "otp",
    "totp",
    "recoverycode",
    "backupcode",
    "securitycode",
    "card",
    "creditcard",
    "debitcard",
    "cardnumber",
    "cardno",
    "pan",
    "cvv",
    "cvc",
    "ssn",
    "socialsecurity",
];

/// Last words of names of counters.
const COUNTS: &[&str] = &["count", "counter", "total", "attempts"];

/// Last words of names that concern a secret but contain none.
const ABOUT: &[&str] = &[
    "at", "enabled", "disabled", "required", "verified", "expired",
];

/// Returns whether a column looks secret: by its name, unless its type excludes it. For a
/// foreign key, the name describes the referenced record; `threadline.secret_columns`,
/// which knows the foreign keys, applies this rule.
pub(crate) fn looks_secret(column: &str, kind: ColumnKind) -> bool {
    let refers = || words(column).last().is_some_and(|word| word == "id");
    match kind {
        ColumnKind::Fact => false,
        ColumnKind::Number => !refers() && named_like_digits(column),
        ColumnKind::Uuid => !refers() && named_like_secret(column),
        ColumnKind::Any => named_like_secret(column),
    }
}

/// Returns whether a column has the name of a secret: by whole words, in snake case or
/// camel case, in the singular or plural, with or without a number. Names of times
/// (`token_expires_at`) and of booleans (`has_password`, `otp_enabled`) do not match. Same
/// rule as `threadline.looks_secret`.
fn named_like_secret(column: &str) -> bool {
    let words = words(column);
    !is_about(&words)
        && TEXTS
            .iter()
            .chain(DIGITS)
            .any(|secret| names(&words, secret, true))
}

/// The same rule for numbers: `looks_secret(name, digits => true)`.
fn named_like_digits(column: &str) -> bool {
    let words = words(column);
    let counts = words
        .last()
        .is_some_and(|last| COUNTS.contains(&last.as_str()));
    !counts && !is_about(&words) && DIGITS.iter().any(|secret| names(&words, secret, false))
}

fn is_about(words: &[String]) -> bool {
    match words {
        [first, .., last] => {
            ["is", "has"].contains(&first.as_str()) || ABOUT.contains(&last.as_str())
        }
        _ => false,
    }
}

/// Returns whether consecutive words, joined, are the secret.
fn names(words: &[String], secret: &str, plural: bool) -> bool {
    (0..words.len()).any(|from| {
        let mut rest = secret;
        for word in &words[from..] {
            match rest.strip_prefix(word.as_str()) {
                Some("") => return true,
                Some(more) => rest = more,
                None => return plural && word.strip_suffix('s') == Some(rest),
            }
        }
        false
    })
}

/// Returns the words of a name in lower case, without numbers. As in PostgreSQL without a
/// locale, letters beyond ASCII have no case.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1);
        // Splits apiKey and APIKey.
        let begins = c.is_ascii_uppercase()
            && (before.is_some_and(|before| !before.is_ascii_uppercase())
                || after.is_some_and(|after| after.is_ascii_lowercase()));
        let is_letter = c.is_ascii_alphabetic() || !c.is_ascii();
        if begins || !is_letter {
            words.push(String::new());
        }
        if is_letter {
            words
                .last_mut()
                .expect("begins with one")
                .push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::dsl::sql;
    use diesel::prelude::*;
    use diesel::sql_types::{Array, Bool, Text};
    use threadline_test_server::Server;

    use super::{
        ABOUT, COUNTS, ColumnKind, DIGITS, TEXTS, looks_secret, named_like_digits,
        named_like_secret,
    };

    const SECRET: &[&str] = &[
        "password",
        "password_hash",
        "encryptedPassword",
        "old_passwords",
        "PASSWD",
        "passwordHash",
        "pwd2",
        "user_pw",
        "secret",
        "client_secret",
        "token",
        "tokens",
        "token_count",
        "refreshToken",
        "api_key",
        "apikey",
        "APIKey",
        "apiKeys",
        "stripe-api-key",
        "private_key_pem",
        "ssn",
        "social_security_number",
        "card",
        "card_number",
        "idCard",
        "creditCard",
        "creditcard",
        "pan",
        "cvv2",
        "cvc",
        "iban",
        "pin",
        "pin_code",
        "userPIN",
        "otp",
        "salt",
        "required_password",
    ];
    const OTHER: &[&str] = &[
        "",
        "_",
        "id",
        "name",
        "email",
        "tokenize_count",
        "tokenizer",
        "spinning",
        "pinned",
        "cardinal",
        "cardinality",
        "discard",
        "discarded_count",
        "postcard",
        "company",
        "japan",
        "span",
        "asphalt",
        "salted",
        "desalted",
        "key",
        "monkey",
        "api_keynote",
        "public_key",
        "content_hash",
        "passing",
        "secretary",
        "secretariat",
        "bypass",
        "password_changed_at",
        "tokenExpiresAt",
        "has_password",
        "isToken",
        "totp_2fa_enabled",
        "otpRequired",
        "password_expired",
        "author",
        "ibanez",
        "größe",
    ];

    #[test]
    fn secrets_are_known_by_whole_words() {
        for secret in SECRET {
            assert!(named_like_secret(secret), "{secret}");
        }
        for other in OTHER {
            assert!(!named_like_secret(other), "{other}");
        }
    }

    #[test]
    fn the_type_says_what_is_no_secret() {
        use ColumnKind::{Any, Fact, Number, Uuid};

        for (column, kind) in [
            ("password", Fact),
            ("tokens", Number),
            ("token_count", Number),
            ("api_token_id", Number),
            ("card_id", Number),
            ("api_token_id", Uuid),
            ("pin_attempts", Number),
        ] {
            assert!(!looks_secret(column, kind), "{column} {kind:?}");
        }
        for (column, kind) in [
            ("pin", Number),
            ("card_number", Number),
            ("ssn", Number),
            ("session_token", Uuid),
            ("tokens", Any),
            ("api_token_id", Any),
        ] {
            assert!(looks_secret(column, kind), "{column} {kind:?}");
        }
    }

    #[test]
    fn the_database_knows_secrets_by_the_same_rule() {
        let mut parts: Vec<&str> = [TEXTS, DIGITS, ABOUT, COUNTS].concat();
        parts.extend([
            "s", "is", "has", "api", "pass", "word", "cards", "code", "number", "no", "é", "Ü", "x",
        ]);
        let mut names: Vec<String> = [SECRET, OTHER].concat().iter().map(|&n| n.into()).collect();
        for first in &parts {
            for second in &parts {
                let capitalized = |word: &str| {
                    let mut chars = word.chars();
                    let first = chars.next().expect("a word").to_uppercase();
                    first.chain(chars).collect::<String>()
                };
                names.extend([
                    format!("{first}{second}"),
                    format!("{first}_{second}"),
                    format!("{first}{}", capitalized(second)),
                    format!("{}{}", first.to_uppercase(), capitalized(second)),
                    format!("x {}_{second}s", capitalized(first)),
                    format!("{first}2{}x {second}", capitalized(second)),
                ]);
            }
        }

        let server = Server::shared();
        let database = server.fresh_name("secrets");
        let admin = &mut PgConnection::establish(server.url()).unwrap();
        let create = format!("CREATE DATABASE {database}");
        admin.batch_execute(&create).unwrap();
        let conn = &mut PgConnection::establish(&server.url_of(&database)).unwrap();
        crate::Models::new(vec![]).install(conn).unwrap();

        type Rule = fn(&str) -> bool;
        let rules: [(&str, Rule); 2] = [
            ("threadline.looks_secret(name)", named_like_secret),
            (
                "threadline.looks_secret(name, digits => true)",
                named_like_digits,
            ),
        ];
        for (call, rule) in rules {
            let in_rust: Vec<bool> = names.iter().map(|name| rule(name)).collect();
            let in_sql: Vec<bool> = sql::<Array<Bool>>(&format!(
                "SELECT array_agg({call} ORDER BY at) FROM unnest("
            ))
            .bind::<Array<Text>, _>(&names)
            .sql(") WITH ORDINALITY AS n (name, at)")
            .get_result(conn)
            .unwrap();
            let differing: Vec<_> = names
                .iter()
                .zip(in_rust.iter().zip(&in_sql))
                .filter(|(_, (one, other))| one != other)
                .collect();
            assert!(differing.is_empty(), "{call}: {differing:?}");
            assert!(in_rust.contains(&true) && in_rust.contains(&false));
        }
    }
}
