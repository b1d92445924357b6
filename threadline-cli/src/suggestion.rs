//! Suggests a key for an unknown key in a file.

/// Keys of the derive that the function has under another name.
const ELSEWHERE: &[(&str, &str)] = &[("when", "condition"), ("only", "columns")];

/// Returns the error, with a suggestion if there is a similar key.
pub(crate) fn with_suggestion(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let text = text.trim_end();
    match meant(error.message()) {
        Some(meant) => format!("{text}\ndid you mean `{meant}`?"),
        None => text.to_owned(),
    }
}

fn meant(message: &str) -> Option<String> {
    let mut names = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let given = names.next()?;
    if let Some((_, meant)) = ELSEWHERE.iter().find(|(word, _)| *word == given) {
        return Some((*meant).to_owned());
    }
    names
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, _)| *distance <= 1 + given.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned())
}
