//! Versioned data, and the records of method runs.
//!
//! A datum is named by (type, model id, data name). Every write appends an immutable version:
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
//! * **A killed write or deletion happened or did not**, and is not in the way of the next (`tests/crash.rs`).
//! * **`latest` is the highest complete version** and never moves back while no version is deleted: it is replaced by
//!   rename, under the model's latch (`tests/race.rs`). Readers take no lock.
//! * **A directory is a version when it holds `metadata.yaml` and `raw`**; anything else there is somebody's unfinished
//!   business (`tests/store.rs`).
//! * **The tree is the truth.** The catalog is derived from it, compared with it before every question, and may be deleted
//!   at any time (`catalog.rs`, `tests/catalog.rs`).
//! * **Collection never takes the newest version**, and judges under the latch (`tests/collect.rs`).
//! * **An existing name keeps its owner** (`tests/store.rs`).
//! * Keys and their order are those of the format; unknown keys are ignored on reading (`tests/format.rs`).

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

pub use catalog::{Catalog, CatalogError, Condition, Operator, Row, is_column};
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
