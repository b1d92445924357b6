//! Findings, with the SQL that fixes them.

use maud::{Markup, html};
use threadline::{Finding, Severity};

use crate::texts;

pub(crate) fn list(findings: &[&Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            ul.findings { @for finding in findings { (one(finding)) } }
        }
    }
}

fn one(finding: &Finding) -> Markup {
    let (class, word) = match finding.severity() {
        Severity::Error => ("bad", "error"),
        Severity::Warning => ("warning", "warning"),
        _ => ("", "notice"),
    };
    html! {
        li.finding {
            p {
                span class={ "badge " (class) } { (word) }
                @if let Some(table) = &finding.table { " " bdi.table { (table) } }
                " " span dir="auto" { (finding.message) }
            }
            @if let Some(fix) = &finding.fix {
                details { summary { (texts::FIX) } pre.copied { (fix) } }
            }
        }
    }
}
