//! Listens to `tracing` and `metrics` on this thread, and keeps everything reported.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

/// Everything reported, a line each: spans and events in their order, then the metrics.
#[derive(Debug)]
pub(crate) struct Reported {
    pub(crate) lines: Vec<String>,
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

pub(crate) fn listen(work: impl FnOnce()) -> Reported {
    let listener = Listener::default();
    let counts = Counts::default();
    tracing::subscriber::with_default(listener.clone(), || {
        metrics::with_local_recorder(&counts, work);
    });
    let mut lines = listener.0.lock().unwrap().lines.clone();
    let counts = counts.0.lock().unwrap();
    lines.extend(counts.iter().map(|(name, value)| format!("{name} {value}")));
    Reported { lines }
}

#[derive(Debug, Clone, Default)]
struct Listener(Arc<Mutex<Spans>>);

#[derive(Debug, Default)]
struct Spans {
    lines: Vec<String>,
    names: BTreeMap<u64, &'static str>,
    entered: Vec<u64>,
    last: u64,
}

impl Spans {
    fn tell(&mut self, line: &str) {
        let indent = "  ".repeat(self.entered.len());
        self.lines.push(format!("{indent}{line}"));
    }
}

/// Returns whether a span or event is one of Threadline's own, or of the test.
fn is_heard(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.target().starts_with("threadline") || metadata.target().starts_with("telemetry")
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        is_heard(metadata)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().unwrap();
        spans.last += 1;
        let id = spans.last;
        let name = attributes.metadata().name();
        spans.names.insert(id, name);
        let mut fields = Fields(format!("span {name}"));
        attributes.record(&mut fields);
        spans.tell(&fields.0);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.0.lock().unwrap();
        let mut fields = Fields(format!("of {}", spans.names[&span.into_u64()]));
        values.record(&mut fields);
        spans.tell(&fields.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut fields = Fields(format!("{} {}", metadata.level(), metadata.name()));
        if !metadata.name().starts_with("threadline") {
            // The location in this file.
            fields.0 = format!("{} of the test", metadata.level());
        }
        event.record(&mut fields);
        self.0.lock().unwrap().tell(&fields.0);
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let left = self.0.lock().unwrap().entered.pop();
        assert_eq!(left, Some(span.into_u64()));
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // Its duration differs from run to run.
        assert!(value >= 0.0);
        self.0 += &format!(" {field}=SOME");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

#[derive(Debug, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

/// One counter, or the number of values in a histogram.
#[derive(Debug)]
struct One {
    name: String,
    all: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Counts {
    fn one(&self, key: &Key) -> Arc<One> {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={:?}", label.key(), label.value()))
            .collect();
        Arc::new(One {
            name: format!("{}{{{}}}", key.name(), labels.join(",")),
            all: Arc::clone(&self.0),
        })
    }
}

impl One {
    fn add(&self, count: u64) {
        *self
            .all
            .lock()
            .unwrap()
            .entry(self.name.clone())
            .or_default() += count;
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    fn absolute(&self, _: u64) {
        panic!("{} is set and not counted", self.name);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        assert!(value >= 0.0);
        self.add(1);
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("{} is a gauge, which nobody documents", key.name());
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}
