//! One record: its current row, its past rows and its history.

mod compare;

use std::collections::{BTreeMap, HashSet};

use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde_json::Value;
use threadline::__cli::{Day, instant, record as record_key};
use threadline::__web::{ForeignKey, FormerKey, Gaps, TableInfo};
use threadline::{AuditChange, Cursor, Filter, TimelineEntry, Unavailable};

use crate::access::Scoped;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::{Query, Term};
use crate::texts;
use crate::view::detail::Detail;
use crate::view::links::{self, Catalogue};
use crate::view::value::{one_line, value_within};
use crate::view::{actor, changes, layout, pager, time};
use crate::visit::{FormVisit, Visit};

/// The number of changes on a page.
const LIMIT: usize = 50;

/// The maximum numbers of columns of the state and of the comparison.
const COLUMNS: usize = 100;
const COMPARED: usize = 100;

/// The sizes in bytes of the state, the comparison and the history.
const STATE_SIZE: usize = 50_000;
const COMPARED_SIZE: usize = 25_000;
const HISTORY_SIZE: usize = 45_000;

/// The number of characters of the key in a title.
const KEY: usize = 120;

/// An instant of the history; `None`: now.
type Point = Option<DateTime<Utc>>;

/// A state of the record.
type State = Result<Value, Unavailable>;

/// The data that the page shows.
struct Found {
    catalogue: Catalogue,
    table: TableInfo,
    state: State,
    compared: Option<(State, State)>,
    foreign: Vec<ForeignKey>,
    entries: Vec<TimelineEntry>,
    next: Option<Cursor>,
    /// What the history lacks.
    gaps: Gaps,
    /// The instant from which each change is visible.
    points: Vec<DateTime<Utc>>,
    /// The change that gave each column its value.
    blame: BTreeMap<String, TimelineEntry>,
}

/// The parameters of the page.
struct Asked {
    table: String,
    key: String,
    values: Vec<String>,
    at: Point,
    /// Two points to compare.
    compare: Option<(Point, Point)>,
    cursor: Option<Cursor>,
    /// The number of columns of the state before those shown.
    from: usize,
}

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    answer(visit, None).await
}

/// Same as [`show`], with values that were recorded before their column was masked.
pub(crate) async fn unmasked<P: Pool>(FormVisit(visit): FormVisit<P>) -> Result<Response, Failure> {
    let reason = visit.parameters.need("reason")?.trim().to_owned();
    if reason.is_empty() || reason.len() > 2_000 {
        return Err(Failure::Question(texts::NO_REASON.to_owned()));
    }
    answer(visit, Some(reason)).await
}

async fn answer<P: Pool>(visit: Visit<P>, reason: Option<String>) -> Result<Response, Failure> {
    let is_unmasked = reason.is_some();
    let asked = Asked::of(&visit)?;
    let asked_of = Asked::of(&visit)?;
    let now = visit.now;
    let questions = move |audit: &mut Scoped<'_, P::Connection>| {
        let mut catalogue = Catalogue(audit.tables()?);
        if is_unmasked {
            catalogue.unmask();
        }
        let Some(table) = catalogue.named(&asked_of.table).cloned() else {
            return Ok(None);
        };
        if table.key.len() != asked_of.values.len() {
            return Ok(None);
        }
        let filter = asked_of.filter();
        let mut page = audit.timeline(filter.clone(), LIMIT, asked_of.cursor)?;
        if is_unmasked {
            page.entries.iter_mut().for_each(|e| unmask(&mut e.change));
        }
        let newest = match asked_of.cursor {
            Some(_) => audit.timeline(filter, LIMIT, None)?.entries,
            None => page.entries.clone(),
        };
        let blame = audit.blame(newest, asked_of.at)?;
        let points = audit.points(&page.entries)?;
        let ends = (asked_of.cursor.is_none(), page.next.is_none());
        let gaps = audit.gaps(&table.sql_name, &page.entries, ends)?;
        let mut state = |at: Option<DateTime<Utc>>| match at {
            Some(at) => audit.record_then(&table.sql_name, &asked_of.values, at),
            None => Ok(audit
                .record_now(&table.sql_name, &asked_of.values)?
                .ok_or(Unavailable::NeverExisted)),
        };
        let compared = match asked_of.compare {
            Some((one, other)) => Some((state(one)?, state(other)?)),
            None => None,
        };
        let state = state(asked_of.at)?;
        let foreign = audit.foreign_keys(&table.sql_name, &catalogue.0)?;
        Ok(Some(Found {
            catalogue,
            table,
            state,
            compared,
            foreign,
            entries: page.entries,
            next: page.next,
            gaps,
            points,
            blame,
        }))
    };
    let found = match reason {
        Some(reason) => visit.read_unmasked(reason, questions).await?,
        None => visit.read(questions).await?,
    };
    let found =
        found.ok_or_else(|| Failure::NotFound(format!("{} {}", texts::NO_TABLE, asked.table)))?;
    if found.entries.is_empty() && found.state.is_err() && asked.cursor.is_none() {
        let what = format!("{} {} {}", texts::NO_RECORD, asked.table, asked.key);
        return Err(Failure::NotFound(what));
    }
    visit.record_view(&found.table.sql_name, &asked.key).await?;
    let title = format!("{} {}", found.table.sql_name, one_line(&asked.key, KEY));
    let body = page(&visit, &asked, &found, now);
    Ok(layout::Page::new(title)
        .viewer(&visit.access)
        .line(asked.query().line())
        .body(body)
        .into_response())
}

impl Asked {
    fn of<P: Pool>(visit: &Visit<P>) -> Result<Self, Failure> {
        let parameters = &visit.parameters;
        let key = parameters.need("key")?.to_owned();
        let values = record_key(&key).map_err(Failure::Question)?.into_values();
        let at = |name: &str| -> Result<Option<DateTime<Utc>>, Failure> {
            match parameters.get(name) {
                None | Some("now") => Ok(None),
                Some(text) => instant(text, Day::End).map(Some).map_err(Failure::Question),
            }
        };
        let compare = parameters.get("one").is_some() || parameters.get("other").is_some();
        Ok(Self {
            table: parameters.need("table")?.to_owned(),
            key,
            values,
            at: at("at")?,
            compare: match compare {
                true => Some((at("one")?, at("other")?)),
                false => None,
            },
            cursor: visit.cursor()?,
            from: match parameters.get("columns") {
                Some(_) => usize::try_from(visit.number("columns")?).unwrap_or_default(),
                None => 0,
            },
        })
    }

    fn query(&self) -> Query {
        Query::default()
            .with(Term::new("table", &self.table))
            .with(Term::new("record", &self.key))
    }

    fn filter(&self) -> Filter {
        Filter::new()
            .table(&self.table)
            .record(threadline::RecordKey::of(&self.values))
    }

    /// Returns the link to the same state, from a column on.
    fn columns(&self, from: usize) -> String {
        let at = self.at.map(time::exact).unwrap_or_default();
        let (from, own) = (from.to_string(), [&self.table, &self.key, &at]);
        let [table, key, at] = own.map(String::as_str);
        links::page(
            "record",
            &[
                ("table", table),
                ("key", key),
                ("at", at),
                ("columns", &from),
            ],
        )
    }

    /// Returns the link to the record at another instant.
    fn at(&self, at: &str) -> String {
        links::page(
            "record",
            &[("table", &self.table), ("key", &self.key), ("at", at)],
        )
    }
}

fn page<P: Pool>(visit: &Visit<P>, asked: &Asked, found: &Found, now: DateTime<Utc>) -> Markup {
    let own = [("table", asked.table.as_str()), ("key", asked.key.as_str())];
    let key = match &asked.values[..] {
        [key] => key,
        _ => asked.key.as_str(),
    };
    let after = visit.parameters.get("after");
    let next = found.next.map(|cursor| cursor.to_string());
    html! {
        div.stack {
            header.head {
                h1 { bdi { (found.table.sql_name) } " " bdi.key data-copy=(key) { (one_line(key, KEY)) } }
                @if one_line(key, KEY) != key {
                    details { summary { (texts::WHOLE_KEY) } pre.key dir="auto" { (key) } }
                }
                @if found.table.until.is_some() { p.badge.warning { "no longer audited" } }
            }
            @if let Some((one, other)) = &found.compared {
                section.card #compared {
                    h2 { (texts::COMPARED) }
                    (Detail::fitting(COMPARED, COMPARED_SIZE, |detail| compare::compared(asked, &found.table, one, other, detail)))
                }
            }
            div.columns.record-columns {
                section.card #state {
                    h2 {
                        @match asked.at {
                            None => { (texts::AS_IT_IS) }
                            Some(at) => { (texts::AS_IT_WAS) " " (time::precise(at)) }
                        }
                    }
                    (slide(asked, found))
                    @match &found.state {
                        Ok(image) => {
                            (Detail::fitting(COLUMNS, STATE_SIZE, |detail| state(asked, &found.table, image, &found.blame, now, detail)))
                        }
                        Err(_) if asked.at.is_none() => { p { (texts::NOT_THERE) } }
                        Err(reason) => { p { (texts::NO_STATE) " " (reason) "." } }
                    }
                    @let known = matches!(found.state, Ok(_) | Err(Unavailable::NeverExisted | Unavailable::Deleted { .. }));
                    @if let (true, true, Some(at)) = (visit.access.may_revert(), known, asked.at) {
                        p.bar-row.no-print {
                            a.button href=(links::page("revert", &[own[0], own[1], ("at", &time::exact(at))])) { (texts::REVERT_TO_HERE) }
                        }
                    }
                }
                div.stack {
                    @if visit.access.may_unmask() && masks(found) { (unmask_form(asked)) }
                    (compare::compare(asked, found))
                    (references(asked, found))
                }
            }
            h2 { (texts::HISTORY) }
            @if found.entries.is_empty() { p.quiet { (texts::NO_CHANGES) } }
            @for removal in &found.gaps.removals {
                p.gap.warning {
                    (texts::TRUNCATED_AT) " " (time::precise(removal.at)) ". " (texts::ONLY_NUMBER_ON_RECORD) " "
                    a href=(links::transaction(removal.transaction)) { (texts::TRANSACTION) " " (removal.transaction) }
                }
            }
            @if let Some(former) = &found.gaps.former_key { (former_key(asked, &found.table, former)) }
            (changes::list_since(&found.entries, &[], &found.catalogue, now, None, HISTORY_SIZE))
            (pager::pager("record", &own, after, next.as_deref()))
        }
    }
}

/// Says under which key earlier changes of the record are found.
fn former_key(asked: &Asked, table: &TableInfo, former: &FormerKey) -> Markup {
    let columns = former.columns.join(", ");
    let changes = Query::default()
        .with(Term::new("table", &asked.table))
        .with(Term::new("to", time::exact(former.until)));
    html! {
        p.gap.warning {
            (texts::BEFORE) " " (time::precise(former.until)) ", "
            @if former.columns.is_empty() { (texts::NO_KEY) }
            @else if former.columns == table.key { (texts::OTHER_FORM_OF_KEY) }
            @else { (texts::OTHER_KEY) " (" bdi { (columns) } ")." }
            " "
            a href=(links::timeline(&changes)) { (texts::CHANGES_OF_THAT_TIME) }
        }
    }
}

/// Returns whether readers see some values masked.
fn masks(found: &Found) -> bool {
    let columns = &found.table.columns;
    columns
        .iter()
        .any(|(_, column_policy)| column_policy != "plain")
        || found.entries.iter().any(|e| !e.change.masked.is_empty())
}

/// Marks as masked only the columns whose recorded values are masks or keyed hashes.
fn unmask(change: &mut AuditChange) {
    let images = [&change.changed_from, &change.changed_to, &change.row_data];
    let hides = |column: &String| {
        let mut values = images
            .iter()
            .filter_map(|image| image.as_ref()?.get(column));
        values.any(|value| {
            value
                .as_str()
                .is_some_and(|t| t == "***" || t.starts_with("hash:"))
        })
    };
    let masked = change.masked.iter().filter(|column| hides(column)).cloned();
    change.masked = masked.collect();
}

fn unmask_form(asked: &Asked) -> Markup {
    html! {
        section.card.no-print {
            h2 { (texts::UNMASK) }
            p.quiet { (texts::UNMASK_HELP) }
            form.form action="record" method="post" {
                input type="hidden" name="table" value=(asked.table);
                input type="hidden" name="key" value=(asked.key);
                @if let Some(at) = asked.at { input type="hidden" name="at" value=(time::exact(at)); }
                label { (texts::REASON) input name="reason" required maxlength="2000" autocomplete="off" dir="auto"; }
                button type="submit" { (texts::SHOW_UNMASKED) }
            }
        }
    }
}

/// Renders links to the previous and the next state.
fn slide(asked: &Asked, found: &Found) -> Markup {
    let times = &found.points;
    // The earlier state is the one after the previous change.
    let earlier = match asked.at {
        None => times.get(1).copied(),
        Some(at) => times.iter().copied().filter(|time| *time < at).max(),
    };
    let later = asked
        .at
        .and_then(|at| times.iter().copied().filter(|time| *time > at).min());
    html! {
        nav.bar-row.slide.no-print aria-label=(texts::HISTORY) {
            @if let Some(earlier) = earlier {
                a.button rel="prev" href=(asked.at(&time::exact(earlier))) { "‹ " (texts::EARLIER) }
            }
            @if let Some(later) = later {
                a.button rel="next" href=(asked.at(&time::exact(later))) { (texts::LATER) " ›" }
            }
            @if asked.at.is_some() { a.button href=(asked.at("")) { (texts::AS_IT_IS) } }
        }
    }
}

fn is_masked(table: &TableInfo, column: &str) -> bool {
    let hides = |column_policy: &str| column_policy == "mask" || column_policy == "hash";
    table
        .columns
        .iter()
        .any(|(name, column_policy)| name == column && hides(column_policy))
}

fn state(
    asked: &Asked,
    table: &TableInfo,
    image: &Value,
    blame: &BTreeMap<String, TimelineEntry>,
    now: DateTime<Utc>,
    detail: Detail,
) -> Markup {
    let in_order = table.columns.iter().map(|(name, _)| name.as_str());
    let known: HashSet<&str> = in_order.clone().collect();
    let others = image
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| !known.contains(name));
    let columns: Vec<&str> = in_order.chain(others).collect();
    // A long value is whole on the page of the change that set it.
    let whole = |column: &str| {
        let change = &blame.get(column)?.change;
        Some(links::value(change, column, "after"))
    };
    // The pages of a wide table have the same columns, however long their values are.
    let last = (asked.from + COLUMNS).min(columns.len());
    html! {
        div.wide {
            table.list.values {
                thead { tr { th scope="col" { (texts::COLUMN) } th scope="col" { (texts::VALUE) } th scope="col" { (texts::WHO_SET_IT) } } }
                tbody {
                    @for column in columns.get(asked.from..last).into_iter().flatten() {
                        tr {
                            th scope="row" { bdi { (column) } }
                            td.value {
                                @match image.get(column) {
                                    Some(shown) => {
                                        (value_within(shown, is_masked(table, column), whole(column).as_deref(), detail.characters))
                                    }
                                    None => { em.null { (texts::EXCLUDED) } }
                                }
                            }
                            td data-label=(texts::WHO_SET_IT) {
                                @if let Some(entry) = blame.get(*column) {
                                    (actor::actor(entry.change.actor())) " "
                                    a.quiet href=(links::change(&entry.change)) { (time::instant(entry.change.captured_at, now)) }
                                    @if detail.links {
                                        @if let Some(action) = entry.actions.first() { (actor::action(action)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if columns.len() > COLUMNS {
            nav.pager aria-label=(texts::COLUMNS) {
                @if asked.from > 0 {
                    @let first = asked.from.saturating_sub(COLUMNS);
                    a href=(asked.columns(first)) { "‹ " (texts::COLUMNS) " " (first + 1) "–" (asked.from.min(columns.len())) }
                }
                @if last < columns.len() {
                    a.next.columns href=(asked.columns(last)) { (texts::COLUMNS) " " (last + 1) "–" ((last + COLUMNS).min(columns.len())) " ›" }
                }
            }
        }
    }
}

/// Renders the foreign keys of the record, and those that refer to it.
fn references(asked: &Asked, found: &Found) -> Markup {
    let image = found.state.as_ref().ok();
    let text_of = |column: &str| {
        let value = image?.get(column)?;
        (!value.is_null()).then(|| links::as_text(value))
    };
    let other = |key: &ForeignKey| found.catalogue.of(Some(&key.schema), Some(&key.table));
    let own_key = match &found.table.key[..] {
        [one] => Some((one.as_str(), asked.values[0].clone())),
        _ => None,
    };
    let (comes, mut goes): (Vec<_>, Vec<_>) = found.foreign.iter().partition(|key| key.comes);
    goes.retain(|key| other(key).is_some() && text_of(&key.column).is_some());
    html! {
        @if !comes.is_empty() || !goes.is_empty() {
            section.card {
                @if !goes.is_empty() {
                    h2 { (texts::REFERS_TO) }
                    ul {
                        @for key in goes {
                            @if let (Some(info), Some(text)) = (other(key), text_of(&key.column)) {
                                li {
                                    code { (key.column) } " → "
                                    @if info.key == [key.referred.clone()] {
                                        a.record href=(links::record(&info.sql_name, &text)) { bdi.table { (info.sql_name) } " " bdi.key { (one_line(&text, 60)) } }
                                    } @else { bdi { (info.sql_name) } }
                                }
                            }
                        }
                    }
                }
                @if !comes.is_empty() {
                    h2 { (texts::REFERRED_BY) }
                    ul {
                        @for key in comes {
                            @let referred = match &own_key {
                                Some((column, text)) if *column == key.referred => Some(text.clone()),
                                _ => text_of(&key.referred),
                            };
                            @if let (Some(info), Some(text)) = (other(key), referred) {
                                @let query = Query::default()
                                    .with(Term::new("table", &info.sql_name))
                                    .with(Term::new("value", format!("{}={text}", key.column)));
                                li { a href=(links::timeline(&query)) { bdi { (info.sql_name) } " by " code { (key.column) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}
