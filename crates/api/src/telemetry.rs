//! Usage statistics, which marsh does not collect.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `telemetry stats` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TelemetryStatistics {
    /// Why there are none.
    pub message: String,
}
