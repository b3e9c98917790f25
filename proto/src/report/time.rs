//! Instants as the report writes them.

use crate::time::{Clock, Timestamp};

/// An instant in a report: nanoseconds since 1970-01-01T00:00:00Z by the clock that the field names. As JSON it
/// is RFC 3339 in UTC with nine digits of fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportTime(pub i64);

impl<C: Clock> From<Timestamp<C>> for ReportTime {
    fn from(instant: Timestamp<C>) -> Self {
        Self(instant.as_ns())
    }
}

#[cfg(feature = "json")]
impl core::fmt::Display for ReportTime {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let instant = chrono::DateTime::from_timestamp_nanos(self.0);
        write!(f, "{}", instant.format("%Y-%m-%dT%H:%M:%S%.9fZ"))
    }
}

#[cfg(feature = "json")]
impl serde::Serialize for ReportTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "json")]
impl schemars::JsonSchema for ReportTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}
