// Event, EventTarget and their kin.

const kState = Symbol("event");
const kListeners = Symbol("listeners");

export class Event {
  constructor(type, init = {}) {
    if (arguments.length === 0) throw new TypeError("an Event needs a type");
    this[kState] = { type: String(type), target: null, current: null, stopped: false, prevented: false, phase: 0 };
    this[kState].bubbles = !!init?.bubbles;
    this[kState].cancelable = !!init?.cancelable;
    this[kState].composed = !!init?.composed;
    this[kState].timeStamp = Date.now();
  }
  get type() { return this[kState].type; }
  get target() { return this[kState].target; }
  get srcElement() { return this[kState].target; }
  get currentTarget() { return this[kState].current; }
  get bubbles() { return this[kState].bubbles; }
  get cancelable() { return this[kState].cancelable; }
  get composed() { return this[kState].composed; }
  get defaultPrevented() { return this[kState].prevented; }
  get returnValue() { return !this[kState].prevented; }
  get eventPhase() { return this[kState].phase; }
  get timeStamp() { return this[kState].timeStamp; }
  get isTrusted() { return false; }
  composedPath() { return this[kState].target ? [this[kState].target] : []; }
  preventDefault() { if (this[kState].cancelable) this[kState].prevented = true; }
  stopPropagation() {}
  stopImmediatePropagation() { this[kState].stopped = true; }
  get [Symbol.toStringTag]() { return this.constructor.name; }
}
Object.assign(Event, { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });

export class CustomEvent extends Event {
  constructor(type, init = {}) {
    super(type, init);
    this.detail = init?.detail ?? null;
  }
}

export class ErrorEvent extends Event {
  constructor(type, init = {}) {
    super(type, init);
    this.message = init?.message ?? "";
    this.filename = init?.filename ?? "";
    this.lineno = init?.lineno ?? 0;
    this.colno = init?.colno ?? 0;
    this.error = init?.error;
  }
}

export class MessageEvent extends Event {
  constructor(type, init = {}) {
    super(type, init);
    this.data = init?.data ?? null;
    this.origin = init?.origin ?? "";
  }
}

export class PromiseRejectionEvent extends Event {
  constructor(type, init = {}) {
    super(type, init);
    this.promise = init?.promise;
    this.reason = init?.reason;
  }
}

const optionsOf = (options) => (typeof options === "object" && options !== null ? options : { capture: !!options });

export class EventTarget {
  constructor() {
    this[kListeners] = new Map();
  }

  addEventListener(type, callback, options) {
    if (callback == null) return;
    const { once = false, capture = false, signal } = optionsOf(options);
    if (signal?.aborted) return;
    type = String(type);
    const list = this[kListeners].get(type) ?? [];
    if (list.some((known) => known.callback === callback && known.capture === !!capture)) return;
    this[kListeners].set(type, [...list, { callback, once, capture: !!capture }]);
    signal?.addEventListener("abort", () => this.removeEventListener(type, callback, options), { once: true });
  }

  removeEventListener(type, callback, options) {
    const capture = !!optionsOf(options).capture;
    const list = this[kListeners].get(String(type));
    if (!list) return;
    const rest = list.filter((known) => known.callback !== callback || known.capture !== capture);
    if (rest.length) this[kListeners].set(String(type), rest);
    else this[kListeners].delete(String(type));
  }

  dispatchEvent(event) {
    const state = event[kState];
    state.target = this;
    state.current = this;
    state.phase = 2;
    for (const listener of this[kListeners].get(event.type) ?? []) {
      if (!this[kListeners].get(event.type)?.includes(listener)) continue;
      if (listener.once) this.removeEventListener(event.type, listener.callback, { capture: listener.capture });
      try {
        if (typeof listener.callback === "function") listener.callback.call(this, event);
        else listener.callback.handleEvent(event);
      } catch (error) {
        globalThis.reportError(error);
      }
      if (state.stopped) break;
    }
    state.current = null;
    state.phase = 0;
    return !state.prevented;
  }

  /** Not of the web: lets the surface skip building events without a listener. */
  hasListeners(type) {
    return this[kListeners].has(type);
  }

  get [Symbol.toStringTag]() { return "EventTarget"; }
}
Object.defineProperty(EventTarget.prototype, "hasListeners", { enumerable: false });
