//! Extension archives: packed, and unpacked within limits.
