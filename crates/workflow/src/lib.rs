//! marsh-workflow
