// Headers

import { register } from "marsh:core";

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function nameOf(name) {
  name = String(name);
  if (!token.test(name)) throw new TypeError(`Invalid header name: "${name}"`);
  return name.toLowerCase();
}

function valueOf(value) {
  value = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (/[\0\r\n\u0100-\uffff]/.test(value)) throw new TypeError("Invalid header value");
  return value;
}

export class Headers {
  #list = [];
  #frozen = false;
  constructor(init) {
    if (init === undefined) return;
    if (typeof init !== "object" || init === null) throw new TypeError("Headers takes an object or a sequence of pairs");
    const pairs = typeof init[Symbol.iterator] === "function" ? [...init] : Object.entries(init);
    for (const pair of pairs) {
      const both = [...pair];
      if (both.length !== 2) throw new TypeError("each header has a name and a value");
      this.append(...both);
    }
  }
  /** No change from here on: these came from the network. */
  static freeze(headers) {
    headers.#frozen = true;
    return headers;
  }
  #change() {
    if (this.#frozen) throw new TypeError("Cannot change headers: headers are immutable");
  }
  append(name, value) {
    [name, value] = [nameOf(name), valueOf(value)];
    this.#change();
    this.#list.push([name, value]);
  }
  delete(name) {
    name = nameOf(name);
    this.#change();
    this.#list = this.#list.filter(([key]) => key !== name);
  }
  get(name) {
    name = nameOf(name);
    const values = this.#list.filter(([key]) => key === name).map(([, value]) => value);
    return values.length ? values.join(", ") : null;
  }
  getSetCookie() { return this.#list.filter(([key]) => key === "set-cookie").map(([, value]) => value); }
  has(name) {
    name = nameOf(name);
    return this.#list.some(([key]) => key === name);
  }
  set(name, value) {
    this.delete(name);
    this.append(name, value);
  }
  *entries() {
    const names = [...new Set(this.#list.map(([key]) => key))].sort();
    for (const name of names) {
      if (name === "set-cookie") for (const value of this.getSetCookie()) yield [name, value];
      else yield [name, this.get(name)];
    }
  }
  *keys() { for (const [key] of this.entries()) yield key; }
  *values() { for (const [, value] of this.entries()) yield value; }
  forEach(callback, self) { for (const [key, value] of this.entries()) callback.call(self, value, key, this); }
  [Symbol.iterator]() { return this.entries(); }
  get [Symbol.toStringTag]() { return "Headers"; }
}

export const freeze = Headers.freeze;
delete Headers.freeze;

register("marsh:headers", { Headers });
