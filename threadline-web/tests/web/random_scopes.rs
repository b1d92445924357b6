//! No response contains data outside of the scope, for random scopes and every route.
//!
//! Every recorded value, actor and reason is a unique marker. The test computes the contents
//! of a scope from its own writes, not from the recorded changes.

use std::collections::BTreeSet;
use std::env;

use threadline::{Action, AuditContext, AuditExt, Scope, TableScope, record_action};

use threadline_web::Exports;

use super::exports::begun;
use super::*;

const TABLES: [&str; 3] = ["alpha", "beta", "gamma"];
const COLUMNS: [&str; 3] = ["one", "two", "three"];
const TENANTS: i64 = 4;

/// A pseudo-random generator with a fixed sequence.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn often(&mut self) -> bool {
        self.roll(3) > 0
    }
}

/// A change, as the test wrote it.
struct Written {
    table: usize,
    row: i64,
    tenant: i64,
    /// The values of each column in the change.
    shown: [Vec<String>; 3],
    is_update: bool,
    actor: String,
    reason: String,
}

#[derive(Default)]
struct World {
    changes: Vec<Written>,
    next: usize,
}

impl World {
    fn marker(&mut self) -> String {
        self.next += 1;
        format!("m{}q", self.next)
    }
}

/// The access of a viewer, and its scope.
struct Allowed {
    access: Access,
    tables: [Option<(Vec<i64>, [bool; 3])>; 3],
}

impl Allowed {
    fn random(dice: &mut Dice) -> Self {
        let mut scope = Scope::new();
        let mut tables = [None, None, None];
        for (place, table) in tables.iter_mut().enumerate() {
            if !dice.often() {
                continue;
            }
            let tenants: Vec<i64> = (1..=TENANTS).filter(|_| dice.roll(2) == 0).collect();
            let columns = [dice.often(), dice.often(), dice.often()];
            let mut of = TableScope::new(TABLES[place]).rows_with_any("tenant", &tenants);
            let names = |shown: bool| {
                let all = COLUMNS.into_iter().zip(columns);
                all.filter(move |(_, s)| *s == shown).map(|(name, _)| name)
            };
            of = match dice.roll(2) {
                0 => of.hide(names(false)),
                _ => of.only(names(true).chain(["tenant"])),
            };
            scope = scope.table(of);
            *table = Some((tenants, columns));
        }
        let access = Access::within(ActorRef::user("viewer").unwrap(), scope);
        Self {
            access: access.allow_export().allow_revert().allow_unmask(),
            tables,
        }
    }

    fn sees(&self, change: &Written) -> bool {
        let Some((tenants, columns)) = &self.tables[change.table] else {
            return false;
        };
        let mut shown = change.shown.iter().zip(columns);
        tenants.contains(&change.tenant)
            && (!change.is_update || shown.any(|(values, shown)| *shown && !values.is_empty()))
    }

    /// Returns the markers that a response may contain, and the number of visible changes.
    fn markers(&self, world: &World) -> (BTreeSet<String>, usize) {
        let seen: Vec<_> = world
            .changes
            .iter()
            .filter(|change| self.sees(change))
            .collect();
        let mut markers = BTreeSet::new();
        for change in &seen {
            markers.extend([change.actor.clone(), change.reason.clone()]);
        }
        for change in &world.changes {
            let Some((tenants, columns)) = &self.tables[change.table] else {
                continue;
            };
            if tenants.contains(&change.tenant) {
                let shown = change
                    .shown
                    .iter()
                    .zip(columns)
                    .filter(|(_, shown)| **shown);
                markers.extend(shown.flat_map(|(values, _)| values.iter().cloned()));
            }
        }
        (markers, seen.len())
    }
}

fn make() -> (Database, World) {
    let database = Database::new();
    let conn = &mut database.connect();
    let mut world = World::default();
    for table in TABLES {
        run(
            conn,
            &format!(
                "CREATE TABLE {table} (id bigint PRIMARY KEY, tenant bigint, one text, two text, three text);
                 SELECT threadline.audit('{table}')"
            ),
        );
    }
    let mut dice = Dice(42);
    let mut rows: Vec<(usize, i64, i64, [String; 3])> = vec![];
    for step in 0..60 {
        let (actor, reason) = (world.marker(), world.marker());
        let context = AuditContext::builder(ActorRef::user(&actor).unwrap())
            .source("web")
            .correlation_id(format!("c{}", step % 7))
            .build()
            .unwrap();
        let mut statements = vec![];
        for _ in 0..=dice.roll(3) {
            let deletes = dice.roll(8) == 0;
            if rows.len() < 12 || dice.roll(4) == 0 {
                let row = (
                    dice.roll(3),
                    rows.len() as i64 + 1000,
                    dice.roll(TENANTS as usize) as i64 + 1,
                    [world.marker(), world.marker(), world.marker()],
                );
                let (table, id, tenant, [one, two, three]) = &row;
                statements.push(format!(
                    "INSERT INTO {} VALUES ({id}, {tenant}, '{one}', '{two}', '{three}')",
                    TABLES[*table]
                ));
                world.changes.push(Written {
                    table: *table,
                    row: *id,
                    tenant: *tenant,
                    shown: row.3.clone().map(|value| vec![value]),
                    is_update: false,
                    actor: actor.clone(),
                    reason: reason.clone(),
                });
                rows.push(row);
                continue;
            }
            let place = dice.roll(rows.len());
            let new = world.marker();
            let (table, id, tenant, values) = &mut rows[place];
            if values[0].is_empty() {
                continue;
            }
            let mut change = Written {
                table: *table,
                row: *id,
                tenant: *tenant,
                shown: Default::default(),
                is_update: !deletes,
                actor: actor.clone(),
                reason: reason.clone(),
            };
            if deletes {
                statements.push(format!("DELETE FROM {} WHERE id = {id}", TABLES[*table]));
                change.shown = values.clone().map(|value| vec![value]);
                *values = Default::default();
            } else {
                let column = dice.roll(3);
                statements.push(format!(
                    "UPDATE {} SET {} = '{new}' WHERE id = {id}",
                    TABLES[*table], COLUMNS[column]
                ));
                let old = std::mem::replace(&mut values[column], new.clone());
                change.shown[column] = vec![old, new];
            }
            world.changes.push(change);
        }
        conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
            statements.iter().for_each(|sql| run(conn, sql));
            record_action(conn, Action::new("thing.done").reason(&reason))
        })
        .unwrap();
    }
    (database, world)
}

/// Returns requests to a route, for data inside and outside of the scope.
fn questions(
    route: &threadline_web::__tests::Route,
    world: &World,
    dice: &mut Dice,
) -> Vec<String> {
    let change = &world.changes[dice.roll(world.changes.len())];
    let (table, row, actor) = (TABLES[change.table], change.row, &change.actor);
    let values: Vec<_> = change.shown.iter().flatten().collect();
    let (column, value) = (COLUMNS[dice.roll(3)], values[dice.roll(values.len())]);
    let id = 1 + dice.roll(60);
    let mut lines = vec![
        String::new(),
        format!("table%3A{table}"),
        format!("actor%3Auser%3A{actor}"),
        format!("changed%3A{column}"),
        format!("value%3A{column}%3D{value}"),
        format!("was%3A{column}%3D{value}"),
        format!("table%3A{table}+record%3A{row}"),
        format!("-changed%3A{column}"),
        value.clone(),
    ];
    // Three of them for each route and scope.
    while lines.len() > 3 {
        lines.swap_remove(dice.roll(lines.len()));
    }
    let record = format!("table={table}&key={row}");
    match (route.method, route.path) {
        ("GET", "" | "/" | "/home" | "/tables" | "/actions") => vec![String::new()],
        ("POST", "/verify") => vec![String::new()],
        ("GET", "/timeline" | "/export") | ("POST", "/report" | "/report.json") => {
            lines.iter().map(|line| format!("q={line}")).collect()
        }
        ("POST", "/export") => lines
            .iter()
            .map(|line| {
                format!(
                    "format={}&q={line}",
                    ["csv", "json", "ndjson"][dice.roll(3)]
                )
            })
            .collect(),
        // Ids that nobody has; `exported` asks for those of the viewer.
        ("GET", "/export-job" | "/export-file" | "/api/export-job") => vec!["id=1-2".to_owned()],
        ("POST", "/export-job") => vec!["id=1-2&step=cancel".to_owned()],
        ("GET", "/api/actions" | "/api/tables" | "/api/openapi.json") => vec![String::new()],
        ("GET", "/api/changes" | "/api/overview") => vec![
            String::new(),
            format!("table={table}&record={row}"),
            format!("value={column}%3D{value}"),
            format!("actor=user:{actor}"),
            format!("correlation_id=c{}", dice.roll(7)),
        ],
        ("GET", "/api/record") => vec![record.clone(), format!("{record}&at=2100-01-01")],
        ("GET", "/record") => vec![
            record.clone(),
            format!("{record}&at=2100-01-01"),
            format!("{record}&one=2020-01-01&other=now"),
        ],
        ("POST", "/record") => vec![format!("{record}&reason=r")],
        ("GET", "/transaction" | "/action") => vec![format!("id={id}")],
        ("GET", "/newer") => lines.iter().map(|line| format!("q={line}")).collect(),
        ("GET", "/change") => (1..4)
            .map(|step| format!("transaction={id}&change={}", id + step))
            .collect(),
        ("GET", "/correlation") => vec![format!("id=c{}", dice.roll(7))],
        ("GET", "/actor") => vec![format!("actor=user:{actor}")],
        ("GET", "/value") => (1..4)
            .map(|step| {
                format!(
                    "transaction={id}&change={}&column={column}&side=after",
                    id + step
                )
            })
            .collect(),
        ("GET", "/revert") => vec![format!("transaction={id}")],
        ("POST", "/revert") => vec![
            format!("transaction={id}&step=preview&reason=r"),
            format!("{record}&at=2100-01-01&step=preview&reason=r"),
        ],
        (method, path) => panic!("add requests to {method} {path}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_of_a_scope_is_in_any_answer() {
    let (database, world) = make();
    let scopes = env::var("THREADLINE_SCOPES").map_or(20, |number| number.parse().unwrap());
    let mut seen_at_all = 0;
    for seed in 0..scopes {
        let mut dice = Dice(seed);
        let allowed = Allowed::random(&mut dice);
        let (markers, changes) = allowed.markers(&world);
        let router = mounted(&database, allowed.access.clone());
        for route in threadline_web::__tests::ROUTES {
            for question in questions(route, &world, &mut dice) {
                let path = format!("/audit{}", route.path);
                let path = path.trim_end_matches('/');
                let request = match route.method {
                    "GET" => Request::get(format!("{path}?{question}")).body(Body::empty()),
                    _ => Request::post(path)
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body(Body::from(question.clone())),
                };
                let answer = send(&router, request.unwrap()).await;
                assert!(
                    answer.status.as_u16() < 500,
                    "{path}?{question}: {}",
                    answer.body
                );
                let found = markers_in(&answer.body);
                seen_at_all += found.len();
                let asked: BTreeSet<_> =
                    markers_in(&question.replace("%3A", " ").replace("%3D", " "));
                let outside: Vec<_> = found
                    .difference(&markers)
                    .filter(|m| !asked.contains(*m))
                    .collect();
                assert!(
                    outside.is_empty(),
                    "scope {seed}: {outside:?} of {} {path}?{question} are outside of {:?}",
                    route.method,
                    allowed.access
                );
            }
        }
        for text in exported(&database, &allowed.access, &world, &mut dice).await {
            let found = markers_in(&text);
            seen_at_all += found.len();
            let outside: Vec<_> = found.difference(&markers).collect();
            assert!(
                outside.is_empty(),
                "scope {seed}: {outside:?} of an export in the background are outside of {:?}",
                allowed.access
            );
        }
        let page = shown(get(&router, "/audit/timeline").await);
        let counted = format!("{changes} change{} in", if changes == 1 { "" } else { "s" });
        assert!(
            changes == 0 || page.contains(&counted),
            "scope {seed}: {counted}"
        );
        assert!(
            changes > 0 || page.contains("No changes"),
            "scope {seed}: none"
        );
    }
    assert!(seen_at_all > 100, "the scopes show something");
}

/// Exports in the background, and returns the files and the pages about them.
async fn exported(
    database: &Database,
    access: &Access,
    world: &World,
    dice: &mut Dice,
) -> Vec<String> {
    let access = access.clone();
    let explorer = Explorer::new(database.pool(2))
        .timeout(PATIENCE)
        .exports(Exports::new().stream_up_to(0))
        .authorize(move |_| {
            let access = access.clone();
            async { access }
        });
    let router = Router::new().nest("/audit", explorer.into_router());
    let table = TABLES[world.changes[dice.roll(world.changes.len())].table];
    let format = ["csv", "json", "ndjson"][dice.roll(3)];
    let mut texts = vec![];
    for line in [String::new(), format!("table%3A{table}")] {
        let id = begun(&router, &format!("q={line}&format={format}")).await;
        loop {
            let path = format!("/audit/api/export-job?id={id}");
            let status = shown(get(&router, &path).await);
            let is_open = ["waiting", "counting", "writing"]
                .iter()
                .any(|state| status.contains(&format!("\"state\":\"{state}\"")));
            if !is_open {
                texts.push(status);
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        for path in ["export-job", "export-file"] {
            texts.push(get(&router, &format!("/audit/{path}?id={id}")).await.body);
        }
    }
    texts
}

/// Returns the markers in a text.
fn markers_in(text: &str) -> BTreeSet<String> {
    let word = |c: char| !c.is_ascii_alphanumeric();
    let is_marker = |word: &&str| {
        let digits = word
            .strip_prefix('m')
            .and_then(|rest| rest.strip_suffix('q'));
        digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split(word)
        .filter(is_marker)
        .map(str::to_owned)
        .collect()
}
