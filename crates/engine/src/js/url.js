// URL and URLSearchParams over Rust's url crate.

import { call as host, lazy, register } from "marsh:core";

const kUpdate = Symbol("update");
const wellFormed = (value) => String(value).toWellFormed();

export class URLSearchParams {
  #pairs = [];
  #url = null;

  constructor(init = "") {
    if (typeof init === "object" && init !== null) {
      if (typeof init[Symbol.iterator] === "function") {
        for (const pair of init) {
          const both = [...pair];
          if (both.length !== 2) throw new TypeError("each entry of URLSearchParams has a name and a value");
          this.#pairs.push(both.map(wellFormed));
        }
      } else {
        for (const key of Object.keys(init)) this.#pairs.push([wellFormed(key), wellFormed(init[key])]);
      }
    } else {
      this[kUpdate](String(init));
    }
  }

  [kUpdate](query, url) {
    if (url) this.#url = url;
    const flat = host("url.query", query.replace(/^\?/, ""));
    this.#pairs = [];
    for (let at = 0; at < flat.length; at += 2) this.#pairs.push([flat[at], flat[at + 1]]);
  }
  #changed() { this.#url?.[kUpdate](this.toString()); }

  get size() { return this.#pairs.length; }
  append(name, value) {
    if (arguments.length < 2) throw new TypeError("append takes a name and a value");
    this.#pairs.push([wellFormed(name), wellFormed(value)]);
    this.#changed();
  }
  delete(name, value) {
    this.#pairs = this.#pairs.filter(([key, held]) => key !== String(name) || (value !== undefined && held !== String(value)));
    this.#changed();
  }
  get(name) { return this.#pairs.find(([key]) => key === String(name))?.[1] ?? null; }
  getAll(name) { return this.#pairs.filter(([key]) => key === String(name)).map(([, value]) => value); }
  has(name, value) {
    return this.#pairs.some(([key, held]) => key === String(name) && (value === undefined || held === String(value)));
  }
  set(name, value) {
    const first = this.#pairs.findIndex(([key]) => key === String(name));
    if (first < 0) return this.append(name, value);
    this.#pairs = this.#pairs.filter(([key], at) => key !== String(name) || at === first);
    this.#pairs[first] = [wellFormed(name), wellFormed(value)];
    this.#changed();
  }
  sort() {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#changed();
  }
  forEach(callback, self) { for (const [key, value] of this.#pairs) callback.call(self, value, key, this); }
  // By position: an entry that is deleted meanwhile moves the next one into its place, as the standard says.
  *entries() { for (let at = 0; at < this.#pairs.length; at++) yield [...this.#pairs[at]]; }
  *keys() { for (const [key] of this.#pairs) yield key; }
  *values() { for (const [, value] of this.#pairs) yield value; }
  toString() { return host("url.encode", JSON.stringify(this.#pairs)); }
  get [Symbol.toStringTag]() { return "URLSearchParams"; }
}

Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, {
  value: URLSearchParams.prototype.entries, writable: true, configurable: true, enumerable: false,
});

export class URL {
  #parts;
  #params = null;

  constructor(url, base = undefined) {
    this.#parts = host("url.parse", String(url), base === undefined ? undefined : String(base));
    if (!this.#parts) {
      const error = new TypeError(`Invalid URL: '${url}'${base === undefined ? "" : ` with base '${base}'`}`);
      error.code = "ERR_INVALID_URL";
      throw error;
    }
  }

  static canParse(url, base) {
    return host("url.parse", String(url), base === undefined ? undefined : String(base)) !== null;
  }
  static parse(url, base) { return URL.canParse(url, base) ? new URL(url, base) : null; }
  static createObjectURL(blob) { return lazy("marsh:blob").createObjectURL(blob); }
  static revokeObjectURL(url) { lazy("marsh:blob").revokeObjectURL(String(url)); }

  #set(part, value) {
    this.#parts = host("url.set", this.#parts.href, part, String(value));
    if (part === "href" || part === "search") this.#params?.[kUpdate](this.#parts.search);
  }
  [kUpdate](query) { this.#parts = host("url.set", this.#parts.href, "search", query); }

  get searchParams() {
    if (!this.#params) {
      this.#params = new URLSearchParams();
      this.#params[kUpdate](this.#parts.search, this);
    }
    return this.#params;
  }
  get origin() { return this.#parts.origin; }
  get href() { return this.#parts.href; }
  set href(value) { this.#set("href", value); }
  get protocol() { return this.#parts.protocol; }
  set protocol(value) { this.#set("protocol", value); }
  get username() { return this.#parts.username; }
  set username(value) { this.#set("username", value); }
  get password() { return this.#parts.password; }
  set password(value) { this.#set("password", value); }
  get host() { return this.#parts.host; }
  set host(value) { this.#set("host", value); }
  get hostname() { return this.#parts.hostname; }
  set hostname(value) { this.#set("hostname", value); }
  get port() { return this.#parts.port; }
  set port(value) { this.#set("port", value); }
  get pathname() { return this.#parts.pathname; }
  set pathname(value) { this.#set("pathname", value); }
  get search() { return this.#parts.search; }
  set search(value) { this.#set("search", value); }
  get hash() { return this.#parts.hash; }
  set hash(value) { this.#set("hash", value); }
  toString() { return this.#parts.href; }
  toJSON() { return this.#parts.href; }
  get [Symbol.toStringTag]() { return "URL"; }
  [Symbol.for("Deno.customInspect")](inspect) {
    const { href, origin, protocol, username, password, host: full, hostname, port, pathname, hash, search } = this;
    return `URL ${inspect({ href, origin, protocol, username, password, host: full, hostname, port, pathname, hash, search })}`;
  }
}

register("marsh:url", { URL, URLSearchParams });
