// node:timers

import { register } from "marsh:core";
import * as promises from "node:timers/promises";

export const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = globalThis;
export { promises };
export default register("node:timers", { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate, promises });
