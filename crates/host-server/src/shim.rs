//! The JavaScript between a module and its calls: contracts, validation, the context object.

use crate::engine::Shim;

/// The production shim. `names.js` holds every name of an operation or context request that it uses.
pub const SHIM: Shim = Shim {
    name: "marsh:shim",
    code: concat!(
        include_str!("shim/names.js"),
        include_str!("shim/zod.js"),
        include_str!("shim/contract.js"),
        include_str!("shim/method_extension.js"),
        include_str!("shim/describe.js"),
        include_str!("shim/kinds.js"),
        include_str!("shim/data.js"),
        include_str!("shim/context.js"),
        include_str!("shim/run.js"),
        include_str!("shim/vault.js"),
        include_str!("shim/datastore.js"),
        include_str!("shim/report.js"),
        include_str!("shim/execute.js"),
        include_str!("shim/dispatch.js"),
    ),
};
