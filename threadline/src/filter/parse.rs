use chrono::{
    DateTime, Datelike, Days, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, Utc, Weekday,
};
use serde_json::{Map, Value};

use super::Filter;
use super::error::FilterError;
use super::except::Exception;
use super::named::{Filters, NamedFilter, TWICE, field, list, named, once, repeated};
use super::record_key::RecordKey;
use crate::action::ActionStatus;
use crate::context::{ActorRef, ActorType, ContextError};
use crate::record::{NOBODY, Operation};

impl Filters for Filter {
    const HEADING: &'static str = "Filters";

    const ALL: &'static [NamedFilter<Self>] = &[
        field!(
            table,
            "Changes of this table, written as in SQL: members, app.members, '\"Order\"'"
        ),
        field!(
            record,
            "Changes of the record with this key in the table; a key of several columns as [\"acme\", \"7\"]",
            record
        ),
        field!(
            operation,
            "Changes by this operation: insert, update, delete or truncate",
            operation
        ),
        named(
            "actor",
            "Changes by this actor: user:42, anonymous; nobody for changes without an actor",
            |f, text| {
                if f.without_actor || text == NOBODY && f.actor.is_some() {
                    return Err(TWICE.to_owned());
                }
                if text == NOBODY {
                    f.without_actor = true;
                    return Ok(());
                }
                once(&mut f.actor, actor(text)?)
            },
        ),
        field!(
            actor_type,
            "Changes by actors of this type: user, admin, service_account, job, system, anonymous",
            actor_type
        ),
        field!(
            from,
            "Changes captured at this instant or later: 2026-11-23T09:14:03Z, '2026-11-23 09:14' in UTC, a day, yesterday, or 2h for two hours ago",
            |text| instant(text, Day::Start)
        ),
        field!(
            to,
            "Changes captured at this instant or earlier; a day, or a second as in '2026-11-23 09:14:03', means its end",
            |text| instant(text, Day::End)
        ),
        field!(
            correlation_id,
            "Changes with this correlation id, of the context or of an action"
        ),
        field!(request_id, "Changes by this request"),
        field!(job_id, "Changes by this job"),
        field!(
            action,
            "Changes with an action of this name: member.role_changed"
        ),
        field!(category, "Changes with an action of this category: member"),
        field!(
            status,
            "Changes with an action of this status: ok or error",
            status
        ),
        list!(
            changed,
            "Changes that gave this column another value, including inserts and deletions; repeatable",
            |text| Ok(text.to_owned())
        ),
        list!(
            changed_from,
            "Updates and deletions before which a column had this value: role=member; NULL is SQL's",
            assignment
        ),
        list!(
            changed_to,
            "Updates and inserts after which a column has this value: role=treasurer",
            assignment
        ),
        repeated(
            "value",
            "Changes in which a column has this value, before or after: status=paid; repeatable",
            |f, text| {
                f.values.push(assignment(text)?);
                Ok(())
            },
        ),
        list!(
            key,
            "Changes of records with this value in a column of the key: package_id=11; repeatable",
            |text| pair(text).map(|(column, value)| (column.to_owned(), value.to_owned()))
        ),
        field!(source, "Changes from this source: web"),
        field!(
            text,
            "Changes with this text anywhere, in their context or in an action; requires --from, and reads all changes since"
        ),
        field!(session_user, "Changes by sessions of this database role"),
        repeated(
            "metadata",
            "Changes whose context has this metadata: tenant=acme",
            |f, text| metadata(&mut f.metadata, text),
        ),
        field!(
            transaction,
            "Changes of the transaction with this id in the audit tables",
            transaction
        ),
        list!(
            except,
            "Changes that this filter does not match: source=web; takes table, operation, actor, actor_type, source and changed; repeatable",
            Exception::parse
        ),
    ];
}

impl Filter {
    /// Parses a filter from names and texts, as in a query string, a form or a command
    /// line.
    ///
    /// | name | text |
    /// |---|---|
    /// | `table` | as in SQL: `members`, `app.members`, `"Order"` |
    /// | `record` | the key: `42`; of several columns a JSON array, `["acme", "7"]` |
    /// | `operation` | `insert`, `update`, `delete`, `truncate` |
    /// | `actor`, `actor_type` | `user:42`, `anonymous`, `nobody` for none; `user` |
    /// | `from`, `to` | RFC 3339, or `2026-11-23 09:00` in UTC, or a day, or relative: `yesterday`, `monday`, `2h`; with a day, or a time like `2026-11-23 09:14:03`, `to` means its end |
    /// | `correlation_id`, `request_id`, `job_id`, `source` | as recorded |
    /// | `action`, `category`, `status` | `member.role_changed`, `member`, `ok` or `error` |
    /// | `changed` | a column |
    /// | `changed_from`, `changed_to`, `value` | `column=value`; `NULL` is SQL's |
    /// | `key` | `column=value`, of the table's key |
    /// | `text` | anywhere in the change, its context or an action; requires `from` |
    /// | `session_user` | a database role |
    /// | `metadata` | `key=value` |
    /// | `transaction` | its id in the audit tables |
    /// | `except` | `filter=value`, a filter that must not match |
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`FilterError`](crate::FilterError): for an unknown
    /// name, with the valid ones; for a text that the filter does not accept, with those
    /// that it does; for two conditions that exclude each other.
    pub fn parse<N, T>(pairs: impl IntoIterator<Item = (N, T)>) -> Result<Self, FilterError>
    where
        N: AsRef<str>,
        T: AsRef<str>,
    {
        Self::set_all(pairs)?.checked()
    }
}

/// Parses the key of a record.
pub fn record(text: &str) -> Result<RecordKey, String> {
    if !text.starts_with('[') {
        return Ok(RecordKey::from(text));
    }
    let values: Vec<Value> = serde_json::from_str(text)
        .map_err(|_| "a key of several columns is a JSON array, as in [\"acme\", \"7\"]")?;
    Ok(RecordKey::of(values.iter().map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })))
}

pub(super) fn operation(text: &str) -> Result<Operation, String> {
    match text {
        "insert" => Ok(Operation::Insert),
        "update" => Ok(Operation::Update),
        "delete" => Ok(Operation::Delete),
        "truncate" => Ok(Operation::Truncate),
        _ => Err("an operation is insert, update, delete or truncate".to_owned()),
    }
}

pub(crate) fn actor(text: &str) -> Result<ActorRef, String> {
    text.parse()
        .map_err(|error: ContextError| error.to_string())
}

pub(crate) fn actor_type(text: &str) -> Result<ActorType, String> {
    match ActorType::named(text.to_owned()) {
        ActorType::Unrecognized(_) => Err(
            "a type of actor is user, admin, service_account, job, system or anonymous".to_owned(),
        ),
        known => Ok(known),
    }
}

pub(crate) fn status(text: &str) -> Result<ActionStatus, String> {
    match text {
        "ok" => Ok(ActionStatus::Ok),
        "error" => Ok(ActionStatus::Error),
        _ => Err("a status is ok or error".to_owned()),
    }
}

pub(super) fn transaction(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| "the id of a transaction is a number".to_owned())
}

/// Adds an entry of metadata.
pub(super) fn metadata(entries: &mut Map<String, Value>, text: &str) -> Result<(), String> {
    let (key, value) = assignment(text)?;
    match entries.insert(key, value) {
        None => Ok(()),
        Some(_) => Err("its key has another value already".to_owned()),
    }
}

/// Which instant a text means that names a day, or a second as the output prints it.
#[derive(Debug, Clone, Copy)]
pub enum Day {
    /// Its first instant.
    Start,
    /// Its last instant.
    End,
}

/// Parses an instant, which may be relative to now.
pub fn instant(text: &str, day: Day) -> Result<DateTime<Utc>, String> {
    let instant = match relative(text, Utc::now()) {
        Some(absolute) => absolute_instant(&absolute, day),
        None => absolute_instant(text, day),
    };
    // The precision of PostgreSQL, and of an instant in JSON.
    instant.map(|instant| instant.trunc_subsecs(6))
}

/// Returns the instant or the day that a text means relative to now, as text: `today`,
/// `yesterday`, `monday` for the last one, `2h`, `2 hours ago`.
pub fn relative(text: &str, now: DateTime<Utc>) -> Option<String> {
    let today = now.date_naive();
    let days_ago = |days: u64| {
        today
            .checked_sub_days(Days::new(days))
            .map(|day| day.to_string())
    };
    match text {
        "today" => return days_ago(0),
        "yesterday" => return days_ago(1),
        _ => {}
    }
    if let Ok(day) = text.parse::<Weekday>() {
        let back = (7 + today.weekday().num_days_from_monday() - day.num_days_from_monday()) % 7;
        return days_ago(back.into());
    }
    let instant = now.checked_sub_signed(ago(text)?)?;
    Some(instant.to_rfc3339())
}

fn ago(text: &str) -> Option<TimeDelta> {
    let text = text.strip_suffix(" ago").unwrap_or(text);
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number = number.parse().ok()?;
    match unit.trim_start() {
        "m" | "min" | "minute" | "minutes" => TimeDelta::try_minutes(number),
        "h" | "hour" | "hours" => TimeDelta::try_hours(number),
        "d" | "day" | "days" => TimeDelta::try_days(number),
        "w" | "week" | "weeks" => TimeDelta::try_weeks(number),
        _ => None,
    }
}

fn absolute_instant(text: &str, day: Day) -> Result<DateTime<Utc>, String> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.to_utc());
    }
    // As psql prints it: `2026-11-23 09:14:03.25+00`.
    if let Ok(instant) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z") {
        return Ok(instant.to_utc());
    }
    for format in [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ] {
        let text = text.trim_end_matches(" UTC");
        if let Ok(instant) = NaiveDateTime::parse_from_str(text, format) {
            let is_second = format.ends_with("%.f") && !text.contains('.');
            return Ok(match day {
                // The output prints a change of 09:14:03.25 as 09:14:03.
                Day::End if is_second => instant + LAST_OF_SECOND,
                _ => instant,
            }
            .and_utc());
        }
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| {
        "an instant is RFC 3339, as in 2026-11-23T09:14:03Z, or a time in UTC, as in `2026-11-23 09:14`, or a day, as in 2026-11-23, or relative: today, yesterday, monday, 2h, 30d"
    })?;
    let time = match day {
        Day::Start => date.and_hms_opt(0, 0, 0),
        Day::End => date
            .and_hms_opt(23, 59, 59)
            .map(|last| last + LAST_OF_SECOND),
    };
    Ok(time.expect("a time of every day").and_utc())
}

/// With PostgreSQL's precision of 1 µs.
const LAST_OF_SECOND: TimeDelta = TimeDelta::microseconds(999_999);

fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once('=')
        .ok_or_else(|| "write it as name=value, as in role=treasurer".to_owned())
}

/// Parses `column=value`. A text matches a number by its digits, and also `true` and
/// `false`.
pub(crate) fn assignment(text: &str) -> Result<(String, Value), String> {
    let (name, value) = pair(text)?;
    let value = match value {
        "NULL" | "null" => Value::Null,
        text => Value::String(text.to_owned()),
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, text: &str) -> String {
        Filter::parse([(name, text)]).unwrap_err().to_string()
    }

    #[test]
    fn every_mistake_says_what_would_be_right() {
        let errors = [
            error("user", "42"),
            error("operation", "upsert"),
            error("actor", "42"),
            error("actor_type", "person"),
            error("from", "someday"),
            error("status", "failed"),
            error("changed_to", "role"),
            error("key", "11"),
            error("text", "grace"),
            error("key", "package_id=11"),
            error("record", "[1"),
            error("record", "1"),
            error("table", "two words"),
            Filter::parse([("metadata", "tenant=a"), ("metadata", "tenant=b")])
                .unwrap_err()
                .to_string(),
            Filter::parse([("actor", "user:1"), ("actor", "user:2")])
                .unwrap_err()
                .to_string(),
            Filter::parse([("actor", "user:1"), ("actor_type", "admin")])
                .unwrap_err()
                .to_string(),
            Filter::parse([("from", "2026-02-01"), ("to", "2026-01-01")])
                .unwrap_err()
                .to_string(),
            Filter::parse([("operation", "insert"), ("changed_from", "role=member")])
                .unwrap_err()
                .to_string(),
            Filter::parse([("operation", "delete"), ("changed_to", "role=member")])
                .unwrap_err()
                .to_string(),
        ];
        assert_eq!(errors.join("\n"), include_str!("errors.txt").trim_end());
    }

    #[test]
    fn an_instant_may_be_relative_to_now() {
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        let said = |text: &str| relative(text, now);
        for (text, means) in [
            ("today", "2026-11-25"),
            ("yesterday", "2026-11-24"),
            ("wednesday", "2026-11-25"),
            ("thursday", "2026-11-19"),
            ("2h", "2026-11-25T10:00:00+00:00"),
            ("1 hour ago", "2026-11-25T11:00:00+00:00"),
            ("2 days ago", "2026-11-23T12:00:00+00:00"),
        ] {
            assert_eq!(said(text).as_deref(), Some(means), "{text}");
        }
        for text in [
            "2026-01-01",
            "99999999999999999d",
            "h",
            "-1h",
            "2",
            "2 ago",
            "2x",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
        let end = instant("yesterday", Day::End).unwrap();
        assert!(end < Utc::now() && Utc::now() - end < TimeDelta::days(2));
    }

    #[test]
    fn a_day_and_a_printed_second_are_whole_and_other_instants_exact() {
        for (text, from, to) in [
            (
                "2026-11-23",
                "2026-11-23T00:00:00.000000Z",
                "2026-11-23T23:59:59.999999Z",
            ),
            (
                "2026-11-23 09:14:03 UTC",
                "2026-11-23T09:14:03.000000Z",
                "2026-11-23T09:14:03.999999Z",
            ),
            (
                "2026-11-23T09:14:03",
                "2026-11-23T09:14:03.000000Z",
                "2026-11-23T09:14:03.999999Z",
            ),
            (
                "2026-11-23 09:14:03.25",
                "2026-11-23T09:14:03.250000Z",
                "2026-11-23T09:14:03.250000Z",
            ),
            (
                "2026-11-23 10:14",
                "2026-11-23T10:14:00.000000Z",
                "2026-11-23T10:14:00.000000Z",
            ),
            (
                "2026-11-23T09:14:03Z",
                "2026-11-23T09:14:03.000000Z",
                "2026-11-23T09:14:03.000000Z",
            ),
            (
                "2026-11-23 09:14:03+00",
                "2026-11-23T09:14:03.000000Z",
                "2026-11-23T09:14:03.000000Z",
            ),
        ] {
            let filter = Filter::parse([("from", text), ("to", text)]).unwrap();
            let shown = [filter.from, filter.to].map(|instant| {
                let micros = chrono::SecondsFormat::Micros;
                instant.unwrap().to_rfc3339_opts(micros, true)
            });
            assert_eq!(shown, [from, to], "{text}");
        }
    }
}
