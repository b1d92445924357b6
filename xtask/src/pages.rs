//! Checks that the files, tests and links that pages name exist.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use threadline_test_server::root;

const PAGES: [&str; 4] = [
    "CONTRIBUTING.md",
    "SECURITY.md",
    "threadline/src/docs/how_it_works.md",
    "threadline/src/docs/stability.md",
];

/// Pages that rustdoc does not check.
const LINKING: [&str; 12] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "bench/README.md",
    "examples/README.md",
    "examples/actix/README.md",
    "examples/apalis-jobs/README.md",
    "examples/axum-diesel-async/README.md",
    "examples/axum-r2d2/README.md",
    "examples/sql-only/README.md",
    "threadline-cli/README.md",
];

/// Returns the links of a Markdown text that lead nowhere: files that are missing in a folder,
/// and labels without a definition.
fn lost_links(folder: &Path, text: &str) -> Vec<String> {
    let prose = without_code(text);
    let (mut labels, mut defined, mut targets) = (vec![], HashSet::new(), vec![]);
    let mut rest = prose.as_str();
    while let Some((before, after)) = rest.split_once('[') {
        let Some((label, next)) = after.split_once(']') else {
            break;
        };
        let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
        let begins_line = before.is_empty() || before.ends_with('\n');
        if let Some(target) = next.strip_prefix('(') {
            targets.extend(target.split(')').next());
        } else if begins_line && next.starts_with(": ") {
            targets.extend(next[2..].lines().next());
            defined.insert(label);
        } else {
            labels.push(label);
        }
        rest = next;
    }
    let is_lost = |target: &&str| {
        let path = target.split('#').next().unwrap_or_default();
        !path.is_empty() && !path.contains("://") && !folder.join(path).exists()
    };
    let targets = targets.into_iter().filter(is_lost).map(str::to_owned);
    let labels = labels.into_iter().filter(|label| !defined.contains(label));
    targets.chain(labels).collect()
}

/// Returns a Markdown text without blocks of code, and without text between backticks.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let prose: Vec<&str> = text
        .lines()
        .filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence && !line.starts_with("    ")
        })
        .collect();
    prose.join("\n").split('`').step_by(2).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut lost = vec![];
    for page in LINKING {
        let path = root().join(page);
        let text = fs::read_to_string(&path).unwrap();
        let links = lost_links(path.parent().unwrap(), &text);
        lost.extend(links.into_iter().map(|link| format!("{page}: {link}")));
    }
    assert!(lost.is_empty(), "these lead nowhere:\n{}", lost.join("\n"));
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let text = "[a](README.md#b), [c](nowhere.md), [the\nguide], [`list`](https://example.com) and [gone]\n\n```\n[code]\n```\n`[code]`\n\n[the guide]: SECURITY.md\n[other]: missing.md\n";
    assert_eq!(
        lost_links(&root(), text),
        ["nowhere.md", "missing.md", "gone"]
    );
}

/// Returns the texts between backticks on a page.
fn named(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let words = text.split('`').skip(1).step_by(2).map(str::to_owned);
    words.collect()
}

/// Returns whether a file or folder does not exist. A path with a placeholder names no
/// file.
fn lost_path(name: &str) -> bool {
    let looks_like_one = name.contains('/')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let begins = name.split('/').next().unwrap_or_default();
    // `/usr/…` is outside of the repository, and `page/of` is no path.
    looks_like_one
        && !begins.is_empty()
        && (root().join(begins).exists() || name.ends_with(".rs"))
        && !root().join(name).exists()
}

/// Returns whether a test such as `capture::redaction::secrets_stay_out` is missing.
fn lost_test(name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let [suite, modules @ .., test] = parts.as_slice() else {
        return false;
    };
    let is_a_suite = root().join(format!("tests/tests/{suite}.rs")).exists();
    if modules.is_empty() || !is_a_suite {
        return false;
    }
    let file = format!("tests/tests/{suite}/{}.rs", modules.join("/"));
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    !text.contains(&format!("fn {test}("))
}

#[test]
fn every_file_and_test_that_a_page_names_is_there() {
    let mut lost = vec![];
    let mut found = 0;
    for page in PAGES {
        for name in named(page) {
            if lost_path(&name) || lost_test(&name) {
                lost.push(format!("{page}: {name}"));
            }
            found += usize::from(name.contains('/') || name.contains("::"));
        }
    }
    assert!(found > 100, "the pages name {found} files and tests");
    assert!(lost.is_empty(), "these do not exist:\n{}", lost.join("\n"));
}

#[test]
fn missing_files_and_tests_are_found() {
    assert!(lost_path("threadline/src/nowhere.rs"));
    assert!(!lost_path("threadline/src/lib.rs"));
    assert!(lost_test("access::ways::no_such_test"));
    assert!(!lost_test("access::ways"));
    assert!(!lost_test("threadline::docs::stability"));
}
