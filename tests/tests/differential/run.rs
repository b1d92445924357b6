//! One run: a schema, then statements, each with all its checks.

use threadline_tests::Dice;

use super::alter::alter;
use super::check::{View, attributed, exactly, rebuild};
use super::names::literal;
use super::observer::{Change, Recorded, Snapshot, recorded, snapshot};
use super::pair::Pair;
use super::schema::{self, Planned};
use super::session;
use super::statements::{Site, write};

/// The effects that a statement may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Change rows, each once.
    Write,
    /// Change rows, any of them several times.
    Writes,
    /// Change tables, and no recorded row.
    Alter,
    /// Roll back.
    Rollback,
}

struct Run {
    dice: Dice,
    pair: Pair,
    planned: Vec<Planned>,
    seen: Snapshot,
    known: Recorded,
    /// The number of changes when the transaction and its savepoints began.
    begun: Vec<i64>,
    failed: bool,
}

/// Returns nothing on success, or all details of the failure.
pub fn run(seed: u64, statements: usize) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let planned = schema::random(&mut dice);
    let pair = Pair::new(&planned, &mut dice);
    let mut run = Run::new(dice, pair, planned);
    let outcome = (0..statements)
        .try_for_each(|_| run.step())
        .and_then(|()| run.end());
    let outcome = outcome
        .and_then(|()| match run.pair.secrets() {
            found if found.is_empty() => Ok(()),
            found => Err(format!("a secret is in the audit: {found:#?}")),
        })
        .and_then(|()| match run.pair.verified()? {
            found if found.is_empty() => Ok(()),
            found => Err(format!("verify finds {found:#?}")),
        });
    outcome.map_err(|what| {
        format!(
            "-- THREADLINE_SEEDS={seed}..{}\n{}\n/* {what}\n*/",
            seed + 1,
            run.pair.script
        )
    })
}

impl Run {
    fn new(dice: Dice, mut pair: Pair, planned: Vec<Planned>) -> Self {
        for table in &planned {
            let path = match table.label.as_str() {
                "log" => "app.log".to_owned(),
                _ => created(&table.create),
            };
            pair.note(&table.label, &path);
            let audit = format!("SELECT threadline.audit({}{})", literal(&path), table.audit);
            if let Err(error) = pair.audit(&audit) {
                panic!("{}\n{error}", pair.script);
            }
        }
        let seen = snapshot(&mut pair.audited);
        let known = recorded(&mut pair.audited, 0);
        Self {
            dice,
            pair,
            planned,
            seen,
            known,
            begun: vec![],
            failed: false,
        }
    }

    fn step(&mut self) -> Result<(), String> {
        if self.failed {
            return self.roll_back();
        }
        if self.dice.roll(6) == 0 {
            threadline_tests::run(&mut self.pair.poster, "SELECT threadline.post()");
        }
        match self.dice.roll(100) {
            0..7 => self.begin_or_end(),
            7..10 if !self.begun.is_empty() => self.savepoint(),
            10..16 => {
                let sql = session::setting(&mut self.dice);
                self.tell(&sql, Kind::Alter)
            }
            16..19 => {
                let sql = session::role(&mut self.dice, self.pair.roles());
                self.tell(&sql, Kind::Alter)
            }
            19 => self.tell("SET CONSTRAINTS ALL IMMEDIATE", Kind::Writes),
            20..28 => {
                let mut dice = Dice::new(self.dice.roll(1 << 30) as u64);
                let sql = alter(self.site(), &mut dice);
                self.tell(&sql, Kind::Alter)
            }
            28..32 => self.refresh(),
            _ => {
                let mut dice = Dice::new(self.dice.roll(1 << 30) as u64);
                let sites: Vec<_> = self.sites().collect();
                let sql = write(&sites, &mut dice);
                let kind = if sql.starts_with("WITH") || sql.starts_with("DO") {
                    Kind::Writes
                } else {
                    Kind::Write
                };
                self.tell(&sql, kind)
            }
        }
    }

    fn end(&mut self) -> Result<(), String> {
        if self.failed {
            self.roll_back()?;
        }
        if !self.begun.is_empty() {
            self.tell("COMMIT", Kind::Writes)?;
        }
        Ok(())
    }

    fn sites(&self) -> impl Iterator<Item = Site<'_>> {
        self.planned.iter().filter_map(|planned| {
            let table = self.seen.tables.iter().find(|t| t.label == planned.label)?;
            Some(Site { planned, table })
        })
    }

    fn site(&mut self) -> Site<'_> {
        let number = self.dice.roll(self.planned.len());
        self.sites().nth(number).expect("no table is dropped")
    }

    fn begin_or_end(&mut self) -> Result<(), String> {
        if self.begun.is_empty() {
            let sql = session::begin(&mut self.dice);
            return self.tell(&sql, Kind::Alter);
        }
        if self.dice.roll(3) == 0 {
            self.tell("ROLLBACK", Kind::Rollback)
        } else {
            self.tell("COMMIT", Kind::Writes)
        }
    }

    fn savepoint(&mut self) -> Result<(), String> {
        match self.dice.roll(3) {
            0 if self.begun.len() > 1 => self.tell("RELEASE SAVEPOINT s", Kind::Alter),
            1 if self.begun.len() > 1 => self.tell("ROLLBACK TO SAVEPOINT s", Kind::Rollback),
            _ => self.tell("SAVEPOINT s", Kind::Alter),
        }
    }

    fn roll_back(&mut self) -> Result<(), String> {
        if self.begun.len() > 1 && self.dice.roll(4) > 0 {
            self.tell("ROLLBACK TO SAVEPOINT s", Kind::Rollback)
        } else {
            self.tell("ROLLBACK", Kind::Rollback)
        }
    }

    /// As a migration does after it altered a table.
    fn refresh(&mut self) -> Result<(), String> {
        if !self.known.unbound {
            return Ok(());
        }
        let path = self.site().table.path.clone();
        let inside = !self.begun.is_empty();
        if inside {
            self.tell("SAVEPOINT refreshing", Kind::Alter)?;
        }
        let outcome = self
            .pair
            .audit(&format!("SELECT threadline.refresh({})", literal(&path)));
        if let Err(error) = outcome {
            // As every ALTER TABLE is refused while deferred triggers wait.
            if !error.contains("it has pending trigger events") {
                return Err(format!("refresh: {error}"));
            }
            self.pair.audit("ROLLBACK TO SAVEPOINT refreshing")?;
        }
        if inside {
            // Either releases the last one of its name.
            self.tell("RELEASE SAVEPOINT refreshing", Kind::Alter)?;
        }
        self.known = recorded(&mut self.pair.audited, self.known.last);
        Ok(())
    }

    fn tell(&mut self, sql: &str, kind: Kind) -> Result<(), String> {
        let (plain, audited) = self.pair.execute(sql);
        if plain != audited {
            return Err(format!(
                "without audit: {plain:?}\n  with audit: {audited:?}"
            ));
        }
        let refused = audited.is_err();
        // A refused commit rolls back.
        let ends = sql == "COMMIT" || sql == "ROLLBACK";
        self.failed = refused && !ends && !self.begun.is_empty();
        if self.failed {
            return Ok(());
        }
        let remaining = match sql {
            "ROLLBACK TO SAVEPOINT s" => self.begun.last(),
            "ROLLBACK" | "COMMIT" => self.begun.first(),
            _ => None,
        };
        let remaining = *remaining.unwrap_or(&self.known.total);

        let seen = snapshot(&mut self.pair.audited);
        let plain = snapshot(&mut self.pair.plain);
        if seen != plain {
            return Err(format!(
                "without audit: {plain:#?}\n  with audit: {seen:#?}"
            ));
        }
        let known = recorded(&mut self.pair.audited, self.known.last);
        if refused || kind == Kind::Rollback {
            if known.total != remaining {
                return Err(format!("{} changes are left of {remaining}", known.total));
            }
        } else {
            self.compare(kind, &seen, &known)?;
        }
        match sql {
            "COMMIT" | "ROLLBACK" => self.begun.clear(),
            "RELEASE SAVEPOINT s" => drop(self.begun.pop()),
            "SAVEPOINT s" => self.begun.push(known.total),
            _ if sql.starts_with("BEGIN") && !refused => self.begun.push(known.total),
            _ => {}
        }
        self.seen = seen;
        self.known = known;
        Ok(())
    }

    fn compare(&self, kind: Kind, seen: &Snapshot, known: &Recorded) -> Result<(), String> {
        if known.total - self.known.total != known.changes.len() as i64 {
            return Err(format!(
                "there were {} changes, now there are {}, and these are new: {:#?}",
                self.known.total, known.total, known.changes
            ));
        }
        if kind == Kind::Alter && !known.changes.is_empty() {
            return Err(format!(
                "recorded, and no row has changed: {:#?}",
                known.changes
            ));
        }
        attributed(&self.known, known)?;
        if let Some(change) = known.changes.iter().find(|c| c.label.is_empty()) {
            return Err(format!("of no table: {change:?}"));
        }
        if kind == Kind::Alter {
            return Ok(());
        }
        for planned in &self.planned {
            let of_label = |snapshot: &'_ Snapshot| {
                let table = snapshot.tables.iter().find(|t| t.label == planned.label);
                table.cloned().expect("no table is dropped")
            };
            let (before, after) = (of_label(&self.seen), of_label(seen));
            let view = View::new(planned, &before, &known.built[&planned.label]);
            // A TRUNCATE that cannot see all rows records that without a key.
            let changes: Vec<&Change> = known
                .changes
                .iter()
                .filter(|c| c.label == planned.label && !(c.op == "T" && c.row.is_empty()))
                .collect();
            let compared = rebuild(&view, &before, &after, &changes).and_then(|()| match kind {
                Kind::Write => exactly(&view, &before, &after, &changes),
                _ => Ok(()),
            });
            compared.map_err(|what| format!("table {}: {what}", planned.label))?;
        }
        Ok(())
    }
}

/// Returns the name of the object that a statement creates.
fn created(create: &str) -> String {
    let rest = create.split("TABLE ").nth(1).unwrap_or_default();
    rest.split(" (")
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}
