// node:timers/promises

import { register } from "marsh:core";
import { race } from "marsh:abort";

const { setTimeout: later, clearTimeout } = globalThis;
export async function setTimeout(delay, value, { signal } = {}) {
  let id;
  return race(new Promise((resolve) => { id = later(resolve, delay, value); }), signal, () => clearTimeout(id));
}
export const setImmediate = (value, options) => setTimeout(0, value, options);
export async function* setInterval(delay, value, options) {
  for (;;) yield await setTimeout(delay, value, options);
}
export const scheduler = { wait: (delay, options) => setTimeout(delay, undefined, options), yield: () => setTimeout(0) };
export default register("node:timers/promises", { setTimeout, setImmediate, setInterval, scheduler });
