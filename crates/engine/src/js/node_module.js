// node:module, as far as bundled CommonJS needs it.

import { call as host, register, requireBuiltin } from "marsh:core";
import { missing } from "marsh:unsupported";

export const createRequire = () => requireBuiltin;
export const isBuiltin = (name) => host("module.node", String(name)) !== null;
export const builtinModules = host("module.builtins");
export const Module = missing("module.Module");
export const findPackageJSON = missing("module.findPackageJSON");
// `register` is node's own name for its loader hooks, so ours has to step aside.
const hooks = missing("module.register");
export { hooks as register };
export default register("node:module", { createRequire, isBuiltin, builtinModules, Module, findPackageJSON, register: hooks });
