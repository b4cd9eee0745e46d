// MessageChannel and BroadcastChannel, inside one runtime.

import { lazy, register } from "marsh:core";
import { EventTarget, MessageEvent } from "marsh:events";

const secret = Symbol("construct");
const kOther = Symbol("other");
const copy = (value, options) => lazy("marsh:clone").structuredClone(value, options);

function deliver(target, data) {
  globalThis.setTimeout(() => {
    const event = new MessageEvent("message", { data });
    if (typeof target.onmessage === "function") target.onmessage(event);
    target.dispatchEvent(event);
  }, 0);
}

export class MessagePort extends EventTarget {
  #held = [];
  #onmessage = null;
  #started = false;
  #closed = false;
  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    super();
  }
  get onmessage() { return this.#onmessage; }
  set onmessage(callback) {
    this.#onmessage = callback;
    this.start();
  }
  postMessage(value, options) {
    const data = copy(value, Array.isArray(options) ? { transfer: options } : options);
    this[kOther]?.#take(data);
  }
  #take(data) {
    if (this.#closed) return;
    if (this.#started) deliver(this, data);
    else this.#held.push(data);
  }
  start() {
    if (this.#started) return;
    this.#started = true;
    for (const data of this.#held.splice(0)) deliver(this, data);
  }
  close() {
    this.#closed = true;
    this[kOther] = null;
  }
  /** Not of the web: the first message that waits. */
  static receive(port) {
    return port.#held.length > 0 ? { message: port.#held.shift() } : undefined;
  }
  #callbacks = new Map();
  on(type, callback, options) {
    const listener = (event) => callback(event.data);
    this.#callbacks.set(callback, listener);
    this.addEventListener(type, listener, options);
    if (type === "message") this.start();
    return this;
  }
  once(type, callback) { return this.on(type, callback, { once: true }); }
  addListener(type, callback) { return this.on(type, callback); }
  off(type, callback) {
    this.removeEventListener(type, this.#callbacks.get(callback));
    this.#callbacks.delete(callback);
    return this;
  }
  removeListener(type, callback) { return this.off(type, callback); }
  ref() {}
  unref() {}
}
export class MessageChannel {
  constructor() {
    this.port1 = new MessagePort(secret);
    this.port2 = new MessagePort(secret);
    this.port1[kOther] = this.port2;
    this.port2[kOther] = this.port1;
  }
}

const { receive } = MessagePort;
delete MessagePort.receive;

const channels = new Map();
export class BroadcastChannel extends EventTarget {
  onmessage = null;
  constructor(name) {
    super();
    this.name = String(name);
    if (!channels.has(this.name)) channels.set(this.name, new Set());
    channels.get(this.name).add(this);
  }
  postMessage(value) {
    if (!channels.get(this.name)?.has(this)) throw new DOMException("the channel is closed", "InvalidStateError");
    for (const other of channels.get(this.name)) if (other !== this) deliver(other, copy(value));
  }
  close() {
    const all = channels.get(this.name);
    all?.delete(this);
    if (all?.size === 0) channels.delete(this.name);
  }
}

register("marsh:message", { MessageChannel, MessagePort, BroadcastChannel, receive });
