use serde_json::Value;

use super::typed::Bind;

/// The values of a query, collected while its text is written.
#[derive(Debug, Default)]
pub(crate) struct Binds(pub(crate) Vec<Bind>);

impl Binds {
    /// Adds a value and returns its placeholder.
    pub(crate) fn bind(&mut self, value: Bind) -> String {
        self.0.push(value);
        format!("{{{}}}", self.0.len() - 1)
    }

    pub(crate) fn text(&mut self, value: &str) -> String {
        self.bind(Bind::Text(value.to_owned()))
    }

    /// Returns the condition that a member of a document has a value. Texts are compared as
    /// text, so that a number is found by its digits. Without this form, the planner would
    /// estimate one match in 200 rows, and far fewer for two conditions, and would read the
    /// whole table instead of reading backward until the page is full.
    pub(crate) fn json_equals(&mut self, document: &str, member: &str, value: &Value) -> String {
        let member = self.text(member);
        match value {
            Value::String(text) => {
                let text = self.text(text);
                format!("coalesce({document} ->> {member} = {text}, false)")
            }
            value => {
                let value = self.bind(Bind::Json(value.clone()));
                format!("coalesce({document} -> {member} = {value}, false)")
            }
        }
    }
}

pub(crate) fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() {
        "true".to_owned()
    } else {
        conditions.join("\n  AND ")
    }
}
