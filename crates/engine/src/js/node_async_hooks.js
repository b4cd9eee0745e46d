// node:async_hooks. The engine has no hooks into its promises, so a store cannot be followed through them: it is there
// inside a synchronous `run`, and until the promise of an asynchronous one settles; what interleaves with that sees it too.

import { register } from "marsh:core";
import { missing } from "marsh:unsupported";

let current = new Map();
const within = (stores, callback, self, args) => {
  const before = current;
  current = stores;
  let result;
  try {
    result = callback.apply(self, args);
  } catch (error) {
    current = before;
    throw error;
  }
  if (typeof result?.then === "function") {
    // Until it settles: right as long as one such call runs at a time.
    const restore = () => { if (current === stores) current = before; };
    result.then(restore, restore);
    return result;
  }
  current = before;
  return result;
};

export class AsyncLocalStorage {
  #name = {};
  getStore() { return current.get(this.#name); }
  run(store, callback, ...args) { return within(new Map(current).set(this.#name, store), callback, undefined, args); }
  exit(callback, ...args) {
    const without = new Map(current);
    without.delete(this.#name);
    return within(without, callback, undefined, args);
  }
  enterWith(store) { current = new Map(current).set(this.#name, store); }
  disable() {
    current = new Map(current);
    current.delete(this.#name);
  }
  static bind(callback) { return AsyncResource.bind(callback); }
  static snapshot() {
    const stores = current;
    return (callback, ...args) => within(stores, callback, undefined, args);
  }
}
export class AsyncResource {
  #stores = current;
  constructor(type) { this.type = type; }
  runInAsyncScope(callback, self, ...args) { return within(this.#stores, callback, self, args); }
  bind(callback) { return (...args) => this.runInAsyncScope(callback, undefined, ...args); }
  static bind(callback) { return new AsyncResource("bound").bind(callback); }
  emitDestroy() { return this; }
  asyncId() { return 1; }
  triggerAsyncId() { return 0; }
}
export const createHook = () => ({ enable() { return this; }, disable() { return this; } });
export const executionAsyncId = () => 1;
export const triggerAsyncId = () => 0;
export const executionAsyncResource = missing("node:async_hooks.executionAsyncResource");
export default register("node:async_hooks", { AsyncLocalStorage, AsyncResource, createHook, executionAsyncId, triggerAsyncId, executionAsyncResource });
