//! The fields of journals and records in which secrets are masked.

/// The parts of records and journals that hold what users and code said. The rest are names and states, which must be read
/// again.
pub(crate) const MASKED: [&str; 12] = [
    "inputs",
    "tags",
    "runTags",
    "error",
    "prompt",
    "approvalPrompt",
    "message",
    "value",
    "failureReason",
    "assert",
    "assertResult",
    "approvalDecision",
];
