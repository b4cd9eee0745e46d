//! Versioned data, and the records of method runs.
//!
//! Data are identified by type, model id and name. Each write appends an immutable version:
//!
//! ```text
//! <root>/<type segments…>/<model id>/<data name>/<version>/{metadata.yaml, raw}
//!                                                 latest      decimal version
//!                                    .tmp-<uuid>/             a version that is being written
//!                                    .latch                   kernel lock, held for microseconds
//! ```
//!
//! Invariants, and the tests that hold them:
//!
//! * **A version is never visible half-written.** It is built in a private directory and appears by one exclusive
//!   rename, which is also how its number is claimed; so it mixes safely with writers that claim numbers by `mkdir`
//!   (`tests/race.rs`).
//! * **A write or deletion that is killed has happened completely or not at all**, and does not block the next
//!   (`tests/crash.rs`).
//! * **`latest` is the highest complete version** and never moves back while no version is deleted: it is replaced by
//!   rename, under the model's latch (`tests/race.rs`). Readers take no lock.
//! * **A directory is a version when it holds `metadata.yaml` and `raw`**; other directories are
//!   unfinished writes (`tests/store.rs`).
//! * **The tree decides.** The catalog is derived from it, compared with it before each query, and can be deleted at any
//!   time (`catalog.rs`, `tests/catalog.rs`).
//! * **Collection never takes the newest version**, and decides under the latch (`tests/collect.rs`).
//! * **An existing name keeps its owner** (`tests/store.rs`).
//! * Files have the keys of the format in its order; unknown keys are ignored (`tests/format.rs`).

#![warn(missing_docs)]

mod catalog;
mod collect;
mod ephemeral;
mod error;
mod metadata;
mod name;
mod outputs;
mod pending;
mod policy;
mod read;
mod run;
mod store;
mod tags;
mod written;

pub use catalog::{CatalogError, Condition, DataCatalog, Operator, Row, is_column};
pub use collect::{CollectRequest, Collected, Expired, RunExists};
pub use ephemeral::{DEFAULT_EPHEMERAL_BUDGET, EphemeralPending, EphemeralStore, parse_budget};
pub use error::DataError;
pub use metadata::{Metadata, NewVersion, Owner};
pub use name::{check_data_name, varied};
pub use outputs::{
    Artifact, Artifacts, Damaged, OutputError, OutputListing, OutputRecord, OutputStatus, OutputStore,
    Provenance, StoredOutput, TriggeredBy,
};
pub use pending::PendingVersion;
pub use policy::{Age, GarbageCollection, Lifetime, PolicyError};
pub use read::Located;
pub use run::{RunData, RunPending};
pub use store::DataStore;
pub use tags::Tags;
