// node:events

import { register } from "marsh:core";

const kEvents = Symbol("events");
const mapOf = (emitter) => (emitter[kEvents] ??= new Map());

// A function, not a class: libraries call EventEmitter.call(this) and inherit by hand.
export function EventEmitter() {
  mapOf(this);
}

function add(emitter, type, listener, { once = false, first = false } = {}) {
  if (typeof listener !== "function") throw new TypeError('The "listener" argument must be of type function');
  const events = mapOf(emitter);
  if (events.has("newListener") && type !== "newListener") emitter.emit("newListener", type, listener);
  const entry = { listener, once };
  const list = events.get(type) ?? [];
  events.set(type, first ? [entry, ...list] : [...list, entry]);
  return emitter;
}

const methods = {
  on(type, listener) { return add(this, type, listener); },
  addListener(type, listener) { return add(this, type, listener); },
  once(type, listener) { return add(this, type, listener, { once: true }); },
  prependListener(type, listener) { return add(this, type, listener, { first: true }); },
  prependOnceListener(type, listener) { return add(this, type, listener, { once: true, first: true }); },
  off(type, listener) { return this.removeListener(type, listener); },
  removeListener(type, listener) {
    const list = mapOf(this).get(type);
    const at = list?.findLastIndex((entry) => entry.listener === listener) ?? -1;
    if (at >= 0) {
      const rest = list.toSpliced(at, 1);
      if (rest.length) mapOf(this).set(type, rest);
      else mapOf(this).delete(type);
      if (mapOf(this).has("removeListener")) this.emit("removeListener", type, listener);
    }
    return this;
  },
  removeAllListeners(type) {
    if (type === undefined) mapOf(this).clear();
    else mapOf(this).delete(type);
    return this;
  },
  emit(type, ...args) {
    const list = mapOf(this).get(type);
    if (!list) {
      if (type !== "error") return false;
      throw args[0] instanceof Error ? args[0] : Object.assign(new Error(`Unhandled error. (${String(args[0])})`), { context: args[0] });
    }
    for (const entry of list) {
      if (entry.once) this.removeListener(type, entry.listener);
      entry.listener.apply(this, args);
    }
    return true;
  },
  listenerCount(type, listener) {
    return (mapOf(this).get(type) ?? []).filter((entry) => !listener || entry.listener === listener).length;
  },
  listeners(type) { return (mapOf(this).get(type) ?? []).map((entry) => entry.listener); },
  rawListeners(type) { return this.listeners(type); },
  eventNames() { return [...mapOf(this).keys()]; },
  setMaxListeners() { return this; },
  getMaxListeners() { return EventEmitter.defaultMaxListeners; },
};
for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(EventEmitter.prototype, name, { value, writable: true, configurable: true, enumerable: false });
}

export function once(emitter, type, { signal } = {}) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    if (typeof emitter.addEventListener === "function") {
      return emitter.addEventListener(type, (event) => resolve([event]), { once: true, signal });
    }
    const done = (...args) => {
      emitter.removeListener("error", failed);
      resolve(args);
    };
    const failed = (error) => {
      emitter.removeListener(type, done);
      reject(error);
    };
    emitter.once(type, done);
    if (type !== "error") emitter.once("error", failed);
    signal?.addEventListener("abort", () => {
      emitter.removeListener(type, done);
      emitter.removeListener("error", failed);
      reject(signal.reason);
    }, { once: true });
  });
}

export async function* on(emitter, type, { signal } = {}) {
  const queue = [];
  let wake = () => {};
  let failure;
  const push = (...args) => {
    queue.push(args);
    wake();
  };
  const fail = (error) => {
    failure = { error };
    wake();
  };
  emitter.on(type, push);
  emitter.on("error", fail);
  signal?.addEventListener("abort", () => fail(signal.reason), { once: true });
  try {
    for (;;) {
      while (queue.length) yield queue.shift();
      if (failure) throw failure.error;
      await new Promise((resolve) => { wake = resolve; });
    }
  } finally {
    emitter.removeListener(type, push);
    emitter.removeListener("error", fail);
  }
}

export const setMaxListeners = () => {};
export const getEventListeners = (emitter, type) => emitter.listeners(type);
export const listenerCount = (emitter, type) => emitter.listenerCount(type);
export const defaultMaxListeners = 10;
Object.assign(EventEmitter, { EventEmitter, once, on, setMaxListeners, getEventListeners, listenerCount, defaultMaxListeners, default: EventEmitter });
export default register("node:events", EventEmitter);
