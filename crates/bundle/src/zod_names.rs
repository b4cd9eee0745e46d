//! The names under which bundles import zod.

use crate::npm::Package;

/// `zod` and `zod/v4` have the same exports; other parts (`zod/mini`, `zod/v4/core`, `zod/v3`) are bundled in.
pub(crate) fn is_external(package: &Package, sub: &str) -> bool {
    package.name == "zod"
        && package.version.starts_with("4.")
        && matches!(sub, "" | "v4" | "v4/index.js" | "index.js")
}

pub(crate) fn specifier(package: &Package) -> String {
    format!("npm:{}", package.id())
}

const REQUIRED: &str = "\0marsh:require-zod@";

/// `require("zod")` in CommonJS packages cannot become an import; this module stands between.
pub(crate) fn for_require(package: &Package) -> String {
    format!("{REQUIRED}{}", package.version)
}

pub(crate) fn version_for_require(id: &str) -> Option<&str> {
    id.strip_prefix(REQUIRED)
}

pub(crate) fn source_for_require(version: &str) -> String {
    format!("export * from \"npm:zod@{version}\";\nexport {{ default }} from \"npm:zod@{version}\";\n")
}
