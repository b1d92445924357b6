//! Tests that records of every shape are read back as they were written.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::*;

/// A random generator with a fixed sequence.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn id(&mut self) -> i64 {
        let bits = self.roll(63);
        self.roll(1 << bits) as i64
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(3) > 0).then(|| value(self))
    }

    fn some<T>(&mut self, value: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.roll(4)).map(|_| value(self)).collect()
    }

    fn text(&mut self) -> String {
        let texts = ["", "a", "null", "1", "é\n\"\\", "\u{1F600}", "tl1-x", "***"];
        texts[self.roll(8) as usize].to_owned()
    }

    fn instant(&mut self) -> DateTime<Utc> {
        if self.roll(10) == 0 {
            return DateTime::<Utc>::MAX_UTC;
        }
        // Until the year 2242, to the microsecond.
        DateTime::UNIX_EPOCH + TimeDelta::microseconds(self.roll(1 << 53) as i64)
    }

    /// Returns a value. Numbers are limited to those that every JSON parser reads exactly.
    fn value(&mut self, depth: u64) -> Value {
        match self.roll(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.roll(2) == 0),
            2 => json!(self.roll(1 << 53)),
            3 => json!(-(self.roll(1 << 53) as i64)),
            4 => json!(self.roll(1 << 40) as f64 / 1024.0),
            5 => Value::String(self.text()),
            6 => Value::Array(self.some(|dice| dice.value(depth - 1))),
            _ => self.columns(depth - 1),
        }
    }

    fn columns(&mut self, depth: u64) -> Value {
        let members = self.some(|dice| (dice.text(), dice.value(depth)));
        Value::Object(members.into_iter().collect())
    }

    fn actor(&mut self) -> ActorRef {
        let kinds = ["user", "service_account", "anonymous", "robot", ""];
        let kind = kinds[self.roll(5) as usize].to_owned();
        ActorRef::recorded(kind, self.maybe(Self::text))
    }

    fn operation(&mut self) -> Operation {
        let codes = ["I", "U", "D", "T", "merge"];
        Operation::recorded(codes[self.roll(5) as usize].to_owned())
    }

    fn transaction(&mut self) -> AuditTransaction {
        let origins = [
            "explicit",
            "thread-local",
            "task-local",
            "sql",
            "none",
            "unreadable",
            "new",
        ];
        let origin = |dice: &mut Self| origins[dice.roll(7) as usize].to_owned();
        AuditTransaction {
            id: self.id(),
            xact_id: self.maybe(|dice| dice.roll(u64::MAX)),
            occurred_at: self.maybe(Self::instant),
            actor: self.maybe(Self::actor),
            origin: serde_json::from_value(match self.maybe(origin) {
                Some(origin) => origin.into(),
                None => "missing".into(),
            })
            .unwrap(),
            request_id: self.maybe(Self::text),
            correlation_id: self.maybe(Self::text),
            job_id: self.maybe(Self::text),
            source: self.maybe(Self::text),
            remote_ip: self.maybe(Self::text),
            metadata: self.maybe(|dice| dice.columns(2)),
            session_user: self.maybe(Self::text),
            context_error: self.maybe(Self::text),
        }
    }

    fn change(&mut self) -> AuditChange {
        AuditChange {
            id: self.id(),
            schema: self.maybe(Self::text),
            table: self.maybe(Self::text),
            operation: self.operation(),
            key: self.maybe(|dice| dice.columns(0)),
            previous_key: self.maybe(|dice| dice.columns(0)),
            changed_from: self.maybe(|dice| dice.columns(2)),
            changed_to: self.maybe(|dice| dice.columns(2)),
            row_data: self.maybe(|dice| dice.columns(2)),
            masked: self.some(Self::text),
            captured_at: self.instant(),
            transaction: self.transaction(),
        }
    }

    fn action(&mut self) -> AuditAction {
        let statuses = ["ok", "error", "pending"];
        AuditAction {
            id: self.id(),
            transaction_id: self.maybe(Self::id),
            occurred_at: self.instant(),
            name: self.text(),
            category: self.maybe(Self::text),
            verb: self.maybe(Self::text),
            actor: self.actor(),
            status: serde_json::from_value(statuses[self.roll(3) as usize].into()).unwrap(),
            reason: self.maybe(Self::text),
            comment: self.maybe(Self::text),
            request_id: self.maybe(Self::text),
            correlation_id: self.maybe(Self::text),
            job_id: self.maybe(Self::text),
            source: self.maybe(Self::text),
            remote_ip: self.maybe(Self::text),
            metadata: self.maybe(|dice| dice.columns(1)),
        }
    }

    fn unavailable(&mut self) -> Unavailable {
        let change = Box::new(self.change());
        let since = self.instant();
        let columns = self.some(Self::text);
        match self.roll(12) {
            0 => Unavailable::NeverExisted,
            1 => Unavailable::Deleted { change },
            2 => Unavailable::KeyChanged { change },
            3 => Unavailable::BeforeAudit { since },
            4 => Unavailable::NoLongerKept { since },
            5 => Unavailable::NotFinal {
                open: self.some(|dice| {
                    let since = dice.maybe(Self::instant).map(|at| at.to_rfc3339());
                    serde_json::from_value(
                        json!({"pid": dice.maybe(|dice| dice.roll(99)), "prepared": dice.maybe(Self::text), "since": since, "application_name": dice.maybe(Self::text)}),
                    )
                    .unwrap()
                }),
            },
            6 => Unavailable::Redacted { columns },
            7 => Unavailable::Erased { columns },
            8 => Unavailable::Converted { columns },
            9 => Unavailable::Incomplete,
            10 => Unavailable::DoesNotFit {
                message: self.text(),
            },
            _ => Unavailable::Unrecognized {
                reason: "moved_away".to_owned(),
                message: self.text(),
            },
        }
    }

    fn finding(&mut self) -> Finding {
        let text = match self.roll(4) {
            0 => "what-a-newer-version-finds".to_owned(),
            _ => FindingCode::ALL[self.roll(FindingCode::ALL.len() as u64) as usize].to_string(),
        };
        Finding::new(
            FindingCode::recorded(text),
            self.maybe(Self::text),
            self.text(),
            self.maybe(Self::text),
        )
    }
}

#[track_caller]
fn same<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    let back: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    assert_eq!(&back, value, "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    let of_document: T = serde_json::from_value(document).unwrap();
    assert_eq!(&of_document, value, "{text}");
}

#[test]
fn every_record_is_read_back_as_it_was() {
    let dice = &mut Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..300 {
        same(&dice.change());
        same(&dice.change().diff());
        same(&dice.action());
        same(&dice.unavailable());
        same(&dice.finding());
        same(&TimelineEntry {
            change: dice.change(),
            actions: dice.some(Dice::action),
            references: vec![],
        });
        same(&Page {
            format_version: FormatVersion::default(),
            entries: dice.some(Dice::transaction),
            next: None,
            has_more: dice.roll(2) == 0,
            other_actions: dice.some(Dice::action),
            has_more_actions: dice.roll(2) == 0,
        });
        let record = if dice.roll(2) == 0 {
            Ok(dice.value(2)).and_then(|value| match value {
                // A null record means that it is unavailable.
                Value::Null => Err(dice.unavailable()),
                value => Ok(value),
            })
        } else {
            Err(dice.unavailable())
        };
        same(&Version {
            change: dice.change(),
            record,
            image: dice.maybe(|dice| dice.columns(1)),
            redacted: dice.some(Dice::text),
            unrecorded: dice.some(Dice::text),
        });
    }
}

#[test]
fn members_that_are_missing_or_new_are_no_error() {
    let dice = &mut Dice(7);
    for _ in 0..50 {
        let change = dice.change();
        let Value::Object(mut members) = serde_json::to_value(&change).unwrap() else {
            unreachable!("a change is an object");
        };
        let missing: Map<String, Value> = {
            members.retain(|_, value| !value.is_null());
            members.insert("of_a_newer_version".to_owned(), json!({"a": 1}));
            members
        };
        let back: AuditChange = serde_json::from_value(Value::Object(missing)).unwrap();
        assert_eq!(back, change);
    }
}

#[test]
fn findings_of_a_newer_version_keep_their_severity() {
    let finding: Finding = serde_json::from_value(json!({
        "code": "moon-full", "severity": "info", "table": null, "message": "m", "fix": null,
    }))
    .unwrap();
    assert_eq!(
        finding.code,
        FindingCode::Unrecognized("moon-full".to_owned())
    );
    assert_eq!(finding.severity(), Severity::Info);
    // A code of a newer audit schema cannot be assumed harmless.
    let code = FindingCode::recorded("moon-full".to_owned());
    assert_eq!(code.severity(), Severity::Error);
}
