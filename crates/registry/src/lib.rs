//! The registry protocol: client and directory registry.
