//! marsh-testkit
