//! A line of the log in JSON, as tracing-subscriber writes it with its events flattened, at a fraction of the cost
//! (`docs/performance.md`).

use std::{
    cell::RefCell,
    fmt::{self, Write},
};

use chrono::{DateTime, Utc};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{
    clock::{Clock, SystemClock},
    encoding::push_json_text,
};

/// The format: `timestamp`, `level`, the event's fields in their order, `target`.
pub(super) struct JsonLines;

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

/// What lines are made in.
#[derive(Default)]
struct Room {
    line: String,
    /// A value before it is escaped.
    value: String,
    /// The second that the last line was made in, since the Unix epoch, and its text.
    second: (i64, String),
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        ROOM.with(|room| match room.try_borrow_mut() {
            Ok(mut room) => {
                write_line(event, &mut room);
                writer.write_str(&room.line)
            }
            // A value's own text logs something.
            Err(_) => {
                let mut room = Room::default();
                write_line(event, &mut room);
                writer.write_str(&room.line)
            }
        })
    }
}

fn write_line(event: &Event<'_>, room: &mut Room) {
    let Room { line, value, second } = room;
    line.clear();
    line.push_str("{\"timestamp\":\"");
    write_time(line, second, SystemClock.now());
    let metadata = event.metadata();
    line.push_str("\",\"level\":\"");
    line.push_str(metadata.level().as_str());
    line.push('"');
    event.record(&mut Fields { line, value });
    line.push_str(",\"target\":");
    push_json_text(line, metadata.target());
    line.push_str("}\n");
}

/// A time as RFC 3339 has it, in UTC. To put its second into words takes longer than all else about it, so the last
/// one's are kept.
fn write_time(line: &mut String, (second, text): &mut (i64, String), now: DateTime<Utc>) {
    if text.is_empty() || *second != now.timestamp() {
        *second = now.timestamp();
        text.clear();
        let _ = write!(text, "{}", now.format("%Y-%m-%dT%H:%M:%S"));
    }
    line.push_str(text);
    // With a million more it has seven digits, whose last six are all of it. A leap second has more than that.
    let (micros, mut room) = (now.timestamp_subsec_micros() % 1_000_000, itoa::Buffer::new());
    line.push('.');
    line.push_str(&room.format(1_000_000 + micros)[1..]);
    line.push('Z');
}

struct Fields<'a> {
    line: &'a mut String,
    value: &'a mut String,
}

impl Fields<'_> {
    fn name(&mut self, field: &Field) {
        // Names stand in the source: none has to be escaped.
        for part in [",\"", field.name(), "\":"] {
            self.line.push_str(part);
        }
    }

    fn number(&mut self, field: &Field, value: impl itoa::Integer) {
        self.plain(field, itoa::Buffer::new().format(value));
    }

    fn plain(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.line.push_str(value);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        push_json_text(self.line, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, if value { "true" } else { "false" });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.plain(field, &value.to_string()),
            false => self.plain(field, "null"), // JSON has no other
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.value.clear();
        let _ = write!(self.value, "{value:?}");
        self.name(field);
        push_json_text(self.line, self.value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Said {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Said {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn said(log: impl FnOnce()) -> serde_json::Value {
        let said = Said::default();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(JsonLines)
            .with_writer(said.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = said.0.lock().unwrap();
        assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), 1);
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_line_has_time_level_fields_and_target() {
        let cause = std::io::Error::other("gone \"away\"");
        let line = said(|| {
            tracing::warn!(request.id = "r-1", n = 7_u64, below = -3, share = 0.5, none = f64::NAN, good = true, %cause, "it went");
        });
        let time = chrono::DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap());
        assert!(time.is_ok(), "{line}");
        let rest = serde_json::json!({
            "timestamp": line["timestamp"], "level": "WARN", "message": "it went", "request.id": "r-1", "n": 7, "below": -3,
            "share": 0.5, "none": null, "good": true, "cause": "gone \"away\"", "target": line["target"],
        });
        assert_eq!(line, rest);
        assert!(
            line["target"]
                .as_str()
                .unwrap()
                .starts_with("ringback::telemetry")
        );
    }

    #[test]
    fn each_time_is_told_whole_whichever_came_before() {
        let mut last = Default::default();
        for micros in [
            0,
            7,
            999_999,
            1_000_000,
            1_767_225_599_999_999,
            1_767_225_600_000_000,
            42,
        ] {
            let (mut line, time) = (String::new(), DateTime::from_timestamp_micros(micros).unwrap());
            write_time(&mut line, &mut last, time);
            assert_eq!(line, time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        }
    }

    #[test]
    fn what_is_logged_while_a_line_is_made_is_not_lost() {
        let line = ROOM.with(|room| {
            let _taken = room.borrow_mut();
            said(|| tracing::info!("inner"))
        });
        assert_eq!(line["message"], "inner");
    }

    proptest! {
        /// Any text comes out of a reader of JSON as it went in.
        #[test]
        fn any_text_is_read_as_it_was(text in any::<String>()) {
            prop_assert_eq!(&said(|| tracing::info!(text = text.as_str(), "line"))["text"], &serde_json::json!(text));
        }
    }
}
