// What the shim and the modules that it loads on demand import from `marsh:core`.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const registry = new Map();

export const register = (name, exports) => {
  registry.set(name, exports);
  return exports;
};

/** The exports of a module of marsh that is evaluated at its first use. */
export const lazy = (name) => {
  if (!registry.has(name)) require(`./${name.slice("marsh:".length)}.mjs`);
  return registry.get(name);
};
