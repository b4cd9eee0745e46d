// URLPattern: the host parses patterns, the engine's regular expressions match.

import { call as host, register } from "marsh:core";

const keys = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];

/** As the host takes it: the text of a URL, or its parts. */
function described(input, what) {
  if (input === undefined) return "{}";
  if (typeof input !== "object" || input === null || input instanceof URL) return JSON.stringify(String(input));
  const parts = {};
  for (const key of [...keys, "baseURL"]) if (input[key] !== undefined) parts[key] = String(input[key]);
  if (what !== undefined && "baseURL" in parts) throw new TypeError("A base URL cannot be given beside the parts of a URL");
  return JSON.stringify(parts);
}
const baseOf = (base) => (base === undefined ? undefined : String(base));

export class URLPattern {
  #parts;
  #matchers = {};
  constructor(input, base, options) {
    if (typeof base === "object" && base !== null && !(base instanceof URL)) {
      options = base;
      base = undefined;
    }
    const ignoreCase = !!options?.ignoreCase;
    this.#parts = host("urlPattern.parse", described(input), baseOf(base), ignoreCase);
    for (const key of keys) {
      try {
        this.#matchers[key] = new RegExp(this.#parts[key].regexpString, ignoreCase ? "ui" : "u");
      } catch (error) {
        throw new TypeError(`Failed to construct 'URLPattern': ${key} is invalid; ${error.message}`);
      }
    }
  }
  #match(input, base) {
    const values = host("urlPattern.input", described(input), baseOf(base));
    if (values === null) return null;
    const found = {};
    for (const key of keys) {
      const match = this.#matchers[key].exec(values[key]);
      if (!match) return null;
      const groups = {};
      this.#parts[key].groupNameList.forEach((name, at) => { groups[name] = match[at + 1]; });
      found[key] = { input: values[key], groups };
    }
    return found;
  }
  test(input, base) { return this.#match(input, base) !== null; }
  exec(input, base) {
    const found = this.#match(input, base);
    if (!found) return null;
    const given = typeof input === "object" && input !== null && !(input instanceof URL) ? input : input === undefined ? {} : String(input);
    return { inputs: base === undefined ? [given] : [given, String(base)], ...found };
  }
  get hasRegExpGroups() { return this.#parts.hasRegexpGroups; }
  get protocol() { return this.#parts.protocol.patternString; }
  get username() { return this.#parts.username.patternString; }
  get password() { return this.#parts.password.patternString; }
  get hostname() { return this.#parts.hostname.patternString; }
  get port() { return this.#parts.port.patternString; }
  get pathname() { return this.#parts.pathname.patternString; }
  get search() { return this.#parts.search.patternString; }
  get hash() { return this.#parts.hash.patternString; }
  get [Symbol.toStringTag]() { return "URLPattern"; }
  [Symbol.for("Deno.customInspect")](inspect) {
    const { protocol, username, password, hostname, port, pathname, search, hash, hasRegExpGroups } = this;
    return `URLPattern ${inspect({ protocol, username, password, hostname, port, pathname, search, hash, hasRegExpGroups })}`;
  }
}

register("marsh:url_pattern", { URLPattern });
