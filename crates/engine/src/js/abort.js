// AbortController and AbortSignal.

import { Event, EventTarget } from "marsh:events";
import { setTimeout } from "marsh:timers";

const secret = Symbol("construct");
const kAbort = Symbol("abort");

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #followers = new Set();
  onabort = null;

  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    super();
  }

  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }

  [kAbort](reason = new DOMException("The signal has been aborted", "AbortError")) {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const event = new Event("abort");
    if (typeof this.onabort === "function") this.onabort(event);
    this.dispatchEvent(event);
    for (const follower of this.#followers) follower[kAbort](reason);
    this.#followers.clear();
  }

  static abort(reason) {
    const signal = new AbortSignal(secret);
    signal[kAbort](reason);
    return signal;
  }

  static timeout(delay) {
    if (!(Number(delay) >= 0)) throw new TypeError("a timeout is a number of milliseconds");
    const signal = new AbortSignal(secret);
    setTimeout(() => signal[kAbort](new DOMException("Signal timed out.", "TimeoutError")), delay);
    return signal;
  }

  static any(signals) {
    const any = new AbortSignal(secret);
    for (const signal of signals) {
      if (signal.aborted) {
        any[kAbort](signal.reason);
        return any;
      }
    }
    for (const signal of signals) signal.#followers.add(any);
    return any;
  }

  get [Symbol.toStringTag]() { return "AbortSignal"; }
}

export class AbortController {
  #signal = new AbortSignal(secret);
  get signal() { return this.#signal; }
  abort(reason) { this.#signal[kAbort](reason); }
  get [Symbol.toStringTag]() { return "AbortController"; }
}

export const abortWith = (controller, reason) => controller.abort(reason);

/** Settle with `promise`, or reject as soon as `signal` aborts. */
export function race(promise, signal, onAbort) {
  if (!signal) return promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers();
  const listener = () => {
    onAbort?.();
    reject(signal.reason);
  };
  signal.addEventListener("abort", listener, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", listener));
}
