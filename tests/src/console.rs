//! The sessions in a README, as requests and responses.

use serde_json::{Value, json};

/// A `curl` command, and its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`, or the method in the command.
    pub method: String,
    /// The URL from its path on.
    pub path: String,
    /// The token of an `authorization: Bearer` header.
    pub token: Option<String>,
    /// The JSON that is sent; empty if there is none.
    pub body: String,
    /// The expression of `jq -c`, if the response is piped through it.
    pub filter: Option<String>,
    /// The lines of output.
    pub answer: String,
}

impl Call {
    /// Returns the JSON that is sent; null if there is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Asserts that a response is the one in the README.
    #[track_caller]
    pub fn assert_answered(&self, answer: Value) {
        assert_eq!(self.printed(answer), self.shown(), "{self:?}");
    }

    /// Returns the output lines, as JSON.
    fn shown(&self) -> Vec<Value> {
        let line = |line: &str| serde_json::from_str(line).expect("an answer is JSON");
        self.answer.lines().map(line).collect()
    }

    /// Returns what the command prints of a response: all of it, or for a history the
    /// result of the READMEs' filter for each change.
    fn printed(&self, answer: Value) -> Vec<Value> {
        if self.filter.is_none() {
            return vec![answer];
        }
        let line = |change: &Value| {
            let actor = &change["transaction"]["actor"]["id"];
            json!([change["operation"], actor, change["changed_to"]])
        };
        let changes = answer.as_array().expect("a history is a list");
        changes.iter().map(line).collect()
    }
}

/// Returns the calls in the `console` blocks of a text, in their order.
pub fn calls(text: &str) -> Vec<Call> {
    text.split("```console\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .flat_map(|block| block.split("$ curl ").skip(1))
        .map(|call| {
            let (command, answer) = call.split_once('\n').expect("an answer below the command");
            read(words(command), answer.trim_end())
        })
        .collect()
}

fn read(words: Vec<String>, answer: &str) -> Call {
    let mut call = Call {
        method: "GET".to_owned(),
        path: String::new(),
        token: None,
        body: String::new(),
        filter: None,
        answer: answer.to_owned(),
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value of the option");
        match word.as_str() {
            "-X" => call.method = value(),
            "--json" => {
                call.body = value();
                if call.method == "GET" {
                    call.method = "POST".to_owned();
                }
            }
            "-H" => {
                let header = value();
                let token = header.strip_prefix("authorization: Bearer ");
                call.token = Some(token.expect("an authorization").to_owned());
            }
            "|" => {
                assert_eq!((value(), value()), ("jq".to_owned(), "-c".to_owned()));
                call.filter = words.next();
            }
            url => {
                let place = url.strip_prefix("http://127.0.0.1:3000");
                call.path = place.unwrap_or_else(|| panic!("what is {url}?")).to_owned();
            }
        }
    }
    call
}

/// Returns the words of a command, as a shell splits it; quotes are single ones around
/// whole words.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![];
    for (number, part) in command.split('\'').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
