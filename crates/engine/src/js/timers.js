// Timers: callbacks live here, when they are due is Rust's.

import { call as host } from "marsh:core";

const timers = new Map();
let next = 1;

function arm(callback, delay, args, repeat) {
  if (typeof callback !== "function") {
    const error = new TypeError(`a timer takes a function, not ${String(callback).slice(0, 40)}`);
    throw Object.assign(error, { code: "ERR_INVALID_ARG_TYPE" });
  }
  delay = Number(delay);
  if (!(delay >= 0 && delay <= 2147483647)) delay = 0;
  const id = next++;
  timers.set(id, { callback, args, delay, repeat });
  host("timer.set", id, delay);
  return id;
}

export function fireTimer(id) {
  const timer = timers.get(id);
  if (!timer) return;
  if (timer.repeat) host("timer.set", id, timer.delay);
  else timers.delete(id);
  timer.callback.apply(globalThis, timer.args);
}

export const setTimeout = (callback, delay = 0, ...args) => arm(callback, delay, args, false);
export const setInterval = (callback, delay = 0, ...args) => arm(callback, delay, args, true);
export const setImmediate = (callback, ...args) => arm(callback, 0, args, false);

export function clearTimeout(id) {
  id = typeof id === "object" && id !== null ? id[Symbol.toPrimitive]?.() : Number(id);
  if (timers.delete(id)) host("timer.clear", id);
}
