// node:events

import { register } from "marsh:core";

const kEvents = Symbol("events");
/** Own and hidden: neither a prototype that is an emitter nor a copy by Object.assign may share it. */
function mapOf(emitter) {
  if (!Object.hasOwn(emitter, kEvents)) Object.defineProperty(emitter, kEvents, { value: new Map() });
  return emitter[kEvents];
}
const errorMonitor = Symbol("events.errorMonitor");

// A function, not a class: libraries call EventEmitter.call(this) and inherit by hand.
export function EventEmitter() {
  mapOf(this);
}

function add(emitter, type, listener, first) {
  if (typeof listener !== "function") throw Object.assign(new TypeError('The "listener" argument must be of type function'), { code: "ERR_INVALID_ARG_TYPE" });
  const events = mapOf(emitter);
  if (events.has("newListener") && type !== "newListener") emitter.emit("newListener", type, listener.listener ?? listener);
  const list = events.get(type) ?? [];
  events.set(type, first ? [listener, ...list] : [...list, listener]);
  return emitter;
}

/** Through `on`, which streams override. */
function onceOnly(emitter, type, listener) {
  if (typeof listener !== "function") return listener;
  const wrapper = function (...args) {
    emitter.removeListener(type, wrapper);
    return listener.apply(emitter, args);
  };
  wrapper.listener = listener;
  return wrapper;
}
const same = (entry, listener) => entry === listener || entry.listener === listener;

const methods = {
  on(type, listener) { return add(this, type, listener, false); },
  addListener(type, listener) { return this.on(type, listener); },
  once(type, listener) { return this.on(type, onceOnly(this, type, listener)); },
  prependListener(type, listener) { return add(this, type, listener, true); },
  prependOnceListener(type, listener) { return this.prependListener(type, onceOnly(this, type, listener)); },
  off(type, listener) { return this.removeListener(type, listener); },
  removeListener(type, listener) {
    const list = mapOf(this).get(type);
    const at = list?.findLastIndex((entry) => same(entry, listener)) ?? -1;
    if (at >= 0) {
      const rest = list.toSpliced(at, 1);
      if (rest.length) mapOf(this).set(type, rest);
      else mapOf(this).delete(type);
      if (mapOf(this).has("removeListener")) this.emit("removeListener", type, listener.listener ?? listener);
    }
    return this;
  },
  removeAllListeners(type) {
    if (type === undefined) mapOf(this).clear();
    else mapOf(this).delete(type);
    return this;
  },
  emit(type, ...args) {
    if (type === "error" && mapOf(this).has(errorMonitor)) this.emit(errorMonitor, ...args);
    const list = mapOf(this).get(type);
    if (!list) {
      if (type !== "error") return false;
      throw args[0] instanceof Error ? args[0] : Object.assign(new Error(`Unhandled error. (${String(args[0])})`), { code: "ERR_UNHANDLED_ERROR", context: args[0] });
    }
    for (const entry of list) entry.apply(this, args);
    return true;
  },
  listenerCount(type, listener) {
    return (mapOf(this).get(type) ?? []).filter((entry) => !listener || same(entry, listener)).length;
  },
  listeners(type) { return (mapOf(this).get(type) ?? []).map((entry) => entry.listener ?? entry); },
  rawListeners(type) { return [...(mapOf(this).get(type) ?? [])]; },
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

/** Listens from the call on, not from the first `next`. */
export function on(emitter, type, { signal } = {}) {
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
  return (async function* () {
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
  })();
}

export { errorMonitor };
export const captureRejectionSymbol = Symbol.for("nodejs.rejection");
export const usingDomains = false;
export const getMaxListeners = (emitter) => emitter.getMaxListeners?.() ?? defaultMaxListeners;
export function addAbortListener(signal, listener) {
  if (signal.aborted) queueMicrotask(() => listener());
  else signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}
export class EventEmitterAsyncResource extends EventEmitter {}
export const setMaxListeners = () => {};
export const getEventListeners = (emitter, type) => emitter.listeners?.(type) ?? [];
export const listenerCount = (emitter, type) => emitter.listenerCount(type);
export const defaultMaxListeners = 10;
EventEmitter.init = function () { mapOf(this); };
Object.assign(EventEmitter, { errorMonitor, captureRejectionSymbol, captureRejections: false, usingDomains, getMaxListeners, addAbortListener, EventEmitterAsyncResource, EventEmitter, once, on, setMaxListeners, getEventListeners, listenerCount, defaultMaxListeners, default: EventEmitter });
export default register("node:events", EventEmitter);
