//! The installed set: content-addressed trees, the lockfile commit, generations, leases, catalog.
