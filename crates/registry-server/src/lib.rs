//! The registry protocol served over HTTP from a directory registry.
