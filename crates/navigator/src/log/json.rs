//! Log lines as JSON: one object per line with `timestamp`, `level`, `target`, `message`, the event's
//! own fields, and an object per span around it under the span's name (`request`).

use std::{fmt, io::Write};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// Writes to what `writer` makes.
pub(super) struct Lines<W> {
    writer: W,
}

impl<W> Lines<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer }
    }
}

/// The fields of a span or event, with their JSON types.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }
}

impl<S, W, O> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let mut add = |name: &str, value: Value| _ = line.0.insert(name.to_owned(), value);
        add("timestamp", now().into());
        add("level", metadata.level().as_str().into());
        add("target", metadata.target().into());
        for span in context.event_scope(event).into_iter().flatten() {
            add(span.name(), Value::Object(fields_of(&span)));
        }
        let mut text = Value::Object(line.0).to_string();
        text.push('\n');
        // One write per line, so that lines do not mix. Nobody is left to tell if it fails.
        let _ = (self.writer)().write_all(text.as_bytes());
    }
}

fn fields_of<S>(span: &SpanRef<'_, S>) -> Map<String, Value>
where
    S: for<'a> LookupSpan<'a>,
{
    span.extensions().get::<Fields>().map(|fields| fields.0.clone()).unwrap_or_default()
}

/// UTC with microseconds, RFC 3339.
fn now() -> String {
    let mut text = String::new();
    let mut writer = tracing_subscriber::fmt::format::Writer::new(&mut text);
    let timer = tracing_subscriber::fmt::time::SystemTime;
    let _ = tracing_subscriber::fmt::time::FormatTime::format_time(&timer, &mut writer);
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::field;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_an_object_with_the_fields_of_its_spans() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::registry().with(Lines::new(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", id = "req-1", user = field::Empty);
            span.record("user", "alice\n");
            span.in_scope(|| tracing::info!(status = 201_u16, ms = 1.5, quick = true, "answered"));
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let mut line: Value = serde_json::from_str(&text).unwrap();
        let timestamp = line["timestamp"].take();
        assert!(timestamp.as_str().unwrap().ends_with('Z'), "{timestamp}");
        let expected = serde_json::json!({
            "timestamp": null, "level": "INFO", "target": "navigator::log::json::tests",
            "message": "answered", "status": 201, "ms": 1.5, "quick": true,
            "request": {"id": "req-1", "user": "alice\n"},
        });
        assert_eq!(line, expected);
    }
}
