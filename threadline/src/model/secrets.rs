//! Names of columns that ask for a decision.

/// What a secret is called, its words written together: the words that Rails,
/// Sentry and Django filter by default, without those that are on many columns
/// which are none (`key`, `auth`, `session`, `hash`), and what else opens an account
/// or charges one.
///
/// Sources: `filter_parameter_logging.rb` of a new Rails application,
/// `DEFAULT_DENYLIST` in `sentry_sdk.scrubber`, `hidden_settings` in
/// `django.views.debug`.
const SECRETS: &[&str] = &[
    // Words to log in with.
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "pin",
    "otp",
    "totp",
    "recoverycode",
    "backupcode",
    "salt",
    // What programs log in with.
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
    // Cards, accounts and people.
    "card",
    "creditcard",
    "debitcard",
    "cardnumber",
    "cardno",
    "pan",
    "cvv",
    "cvc",
    "securitycode",
    "iban",
    "ssn",
    "socialsecurity",
];

/// Last words of what is about a secret and holds none.
const ABOUT: &[&str] = &[
    "at", "enabled", "disabled", "required", "verified", "expired",
];

/// Whether a column is named like a secret: by whole words, in snake case or camel
/// case, in the singular or plural, with or without a number. When something
/// happened (`token_expires_at`) and whether it is so (`has_password`, `otp_enabled`) are
/// none.
pub(crate) fn looks_secret(column: &str) -> bool {
    let words = words(column);
    let about = match words.as_slice() {
        [first, .., last] => {
            ["is", "has"].contains(&first.as_str()) || ABOUT.contains(&last.as_str())
        }
        _ => false,
    };
    let names = |secret: &&str| {
        (0..words.len()).any(|from| {
            let mut rest = *secret;
            for word in &words[from..] {
                match rest.strip_prefix(word.as_str()) {
                    Some("") => return true,
                    Some(more) => rest = more,
                    None => return word.strip_suffix('s') == Some(rest),
                }
            }
            false
        })
    };
    !about && SECRETS.iter().any(names)
}

/// The words of a name in lower case, without numbers.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1);
        // apiKey, and APIKey.
        let begins = c.is_uppercase()
            && (before.is_some_and(|before| !before.is_uppercase())
                || after.is_some_and(|after| after.is_lowercase()));
        if begins || !c.is_alphabetic() {
            words.push(String::new());
        }
        if c.is_alphabetic() {
            words
                .last_mut()
                .expect("begins with one")
                .extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::looks_secret;

    #[test]
    fn secrets_are_known_by_whole_words() {
        for secret in [
            "password",
            "password_hash",
            "encryptedPassword",
            "old_passwords",
            "PASSWD",
            "passwordHash",
            "pwd2",
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
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
        for other in [
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
        ] {
            assert!(!looks_secret(other), "{other}");
        }
    }
}
