//! Parsers of text from outside. None may panic, and parsed values must survive writing
//! and reading unchanged. `fuzz/` has fuzzers of these functions, and a test runs them on
//! mutated seeds.

use threadline::{ActionFilter, ActorRef, AuditContext, Cursor, Filter, PageRequest, RecordKey};

/// Takes any bytes; a panic is a defect.
pub type Entry = fn(&[u8]);

/// The entry points, each with the name of its fuzz target and of the folder of its seeds.
pub const ENTRIES: [(&str, Entry); 4] = [
    ("filter", filter),
    ("cursor", cursor),
    ("context", context),
    ("key", key),
];

/// Parses a query string as filters.
pub fn filter(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = PageRequest::<ActorRef>::from_query(&text).map_err(|e| e.to_string());
    let _ = PageRequest::<Filter>::from_query(&text).map_err(|e| e.to_string());
    let _ = PageRequest::<ActionFilter>::from_query(&text).map_err(|e| e.to_string());
    let pairs: Vec<(&str, &str)> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    if let Ok(filter) = Filter::parse(pairs.iter().copied()) {
        let json = serde_json::to_string(&filter).expect("a filter becomes JSON");
        let again: Filter = serde_json::from_str(&json).expect("a filter is read again");
        assert_eq!(again, filter, "{json}");
        let _ = format!("{filter:?}");
    }
    if let Ok(filter) = ActionFilter::parse(pairs) {
        let json = serde_json::to_string(&filter).expect("a filter becomes JSON");
        let again: ActionFilter = serde_json::from_str(&json).expect("a filter is read again");
        assert_eq!(again, filter, "{json}");
    }
}

/// Parses the cursor of a page.
pub fn cursor(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match text.parse::<Cursor>() {
        Ok(cursor) => assert_eq!(cursor.to_string().parse::<Cursor>().ok(), Some(cursor)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Parses the context in the payload of a job, and an actor on a command line.
pub fn context(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match AuditContext::from_json(&text) {
        Ok(context) => {
            let json = context.to_json();
            assert_eq!(
                AuditContext::from_json(&json).as_ref(),
                Ok(&context),
                "{json}"
            );
            let _ = context.for_job("job", "1");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match text.parse::<ActorRef>() {
        Ok(actor) => assert_eq!(actor.to_string().parse().as_ref(), Ok(&actor)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Parses the key of a record.
pub fn key(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let filters = [
        Filter::parse([("table", "members"), ("record", &text)]),
        Filter::parse([("table", "members"), ("key", &text)]),
        Filter::parse([("table", text.as_ref()), ("record", "1")]),
    ];
    for filter in filters.into_iter().flatten() {
        let json = serde_json::to_string(&filter).expect("a filter becomes JSON");
        let again: Filter = serde_json::from_str(&json).expect("a filter is read again");
        assert_eq!(again, filter, "{json}");
    }
    if let Ok(key) = serde_json::from_str::<RecordKey>(&text) {
        let json = serde_json::to_string(&key).expect("a key becomes JSON");
        assert_eq!(
            serde_json::from_str::<RecordKey>(&json).ok(),
            Some(key),
            "{json}"
        );
    }
}
