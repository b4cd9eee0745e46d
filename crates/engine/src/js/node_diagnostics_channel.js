// node:diagnostics_channel

import { register } from "marsh:core";

const channels = new Map();
export class Channel {
  #subscribers = [];
  constructor(name) { this.name = name; }
  get hasSubscribers() { return this.#subscribers.length > 0; }
  subscribe(subscriber) { this.#subscribers = [...this.#subscribers, subscriber]; }
  unsubscribe(subscriber) {
    const before = this.#subscribers.length;
    this.#subscribers = this.#subscribers.filter((known) => known !== subscriber);
    return this.#subscribers.length < before;
  }
  publish(message) {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(message, this.name);
      } catch (error) {
        globalThis.reportError(error);
      }
    }
  }
  bindStore() {}
  unbindStore() { return false; }
  runStores(message, callback, self, ...args) {
    this.publish(message);
    return callback.apply(self, args);
  }
}
export function channel(name) {
  if (!channels.has(name)) channels.set(name, new Channel(name));
  return channels.get(name);
}
export const hasSubscribers = (name) => channels.get(name)?.hasSubscribers ?? false;
export const subscribe = (name, subscriber) => channel(name).subscribe(subscriber);
export const unsubscribe = (name, subscriber) => channel(name).unsubscribe(subscriber);
const phases = ["start", "end", "asyncStart", "asyncEnd", "error"];
export class TracingChannel {
  constructor(names) {
    for (const phase of phases) this[phase] = typeof names === "string" ? channel(`tracing:${names}:${phase}`) : names[phase];
  }
  get hasSubscribers() { return phases.some((phase) => this[phase]?.hasSubscribers); }
  subscribe(subscribers) { for (const phase of phases) if (subscribers[phase]) this[phase].subscribe(subscribers[phase]); }
  unsubscribe(subscribers) { return phases.every((phase) => !subscribers[phase] || this[phase].unsubscribe(subscribers[phase])); }
  traceSync(callback, context = {}, self, ...args) {
    this.start.publish(context);
    try {
      return (context.result = callback.apply(self, args));
    } catch (error) {
      context.error = error;
      this.error.publish(context);
      throw error;
    } finally {
      this.end.publish(context);
    }
  }
  async tracePromise(callback, context = {}, self, ...args) {
    this.start.publish(context);
    try {
      return (context.result = await callback.apply(self, args));
    } catch (error) {
      context.error = error;
      this.error.publish(context);
      throw error;
    } finally {
      this.asyncStart.publish(context);
      this.asyncEnd.publish(context);
    }
  }
  traceCallback(callback, _position, _context, self, ...args) { return callback.apply(self, args); }
}
export const tracingChannel = (names) => new TracingChannel(names);
export default register("node:diagnostics_channel", { Channel, TracingChannel, channel, hasSubscribers, subscribe, unsubscribe, tracingChannel });
