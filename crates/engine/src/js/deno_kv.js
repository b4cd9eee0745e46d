// Deno.openKv: a key-value store in a SQLite file that the code names.

import { call, lazy, register } from "marsh:core";
import { missing, missingNamespace } from "marsh:unsupported";

const MAX_KEY = 2048;
const MAX_VALUE = 65536;
const MAX_KEYS_OF_A_READ = 10;
const MAX_PARTS_OF_A_WRITE = 1000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

// ---- keys: bytes that sort as Deno sorts keys: bytes, strings, BigInts, numbers, booleans ----

const escaped = (tag, bytes) => [tag, ...Array.from(bytes).flatMap((byte) => (byte === 0 ? [0, 0xff] : [byte])), 0];
function part(value) {
  if (value instanceof Uint8Array) return escaped(1, value);
  switch (typeof value) {
    case "string": return escaped(2, encoder.encode(value));
    case "boolean": return [value ? 0x27 : 0x26];
    case "number": {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, value);
      return [0x21, ...bytes.map((byte, at) => (bytes[0] & 0x80 ? byte ^ 0xff : at === 0 ? byte ^ 0x80 : byte))].map((byte) => byte & 0xff);
    }
    case "bigint": {
      let hex = (value < 0n ? -value : value).toString(16);
      if (hex.length % 2) hex = `0${hex}`;
      const bytes = hex.match(/../g).map((two) => parseInt(two, 16));
      const length = [bytes.length >> 8, bytes.length & 0xff];
      return value < 0n ? [0x13, ...[...length, ...bytes].map((byte) => byte ^ 0xff)] : [0x14, ...length, ...bytes];
    }
  }
  throw new TypeError("A key is an array of Uint8Array, string, number, bigint and boolean");
}
function encodeKey(key, mayBeEmpty = false) {
  if (!Array.isArray(key)) throw new TypeError("A key is an array");
  if (key.length === 0 && !mayBeEmpty) throw new TypeError("Key cannot be empty");
  const bytes = Uint8Array.from(key.flatMap(part));
  if (bytes.length > MAX_KEY) throw new TypeError(`Key too large for write (max ${MAX_KEY} bytes)`);
  return bytes;
}
function decodeKey(bytes) {
  const key = [];
  let at = 0;
  const terminated = () => {
    const out = [];
    while (bytes[at] !== 0 || bytes[at + 1] === 0xff) {
      out.push(bytes[at]);
      at += bytes[at] === 0 ? 2 : 1;
    }
    at++;
    return Uint8Array.from(out);
  };
  while (at < bytes.length) {
    const tag = bytes[at++];
    if (tag === 1) key.push(terminated());
    else if (tag === 2) key.push(decoder.decode(terminated()));
    else if (tag === 0x26 || tag === 0x27) key.push(tag === 0x27);
    else if (tag === 0x21) {
      const raw = bytes.slice(at, (at += 8));
      const number = raw.map((byte, index) => (raw[0] & 0x80 ? (index === 0 ? byte ^ 0x80 : byte) : byte ^ 0xff));
      key.push(new DataView(number.buffer).getFloat64(0));
    } else {
      const flip = tag === 0x13 ? 0xff : 0;
      const length = ((bytes[at] ^ flip) << 8) | (bytes[at + 1] ^ flip);
      const digits = Array.from(bytes.slice(at + 2, at + 2 + length), (byte) => (byte ^ flip).toString(16).padStart(2, "0")).join("");
      at += 2 + length;
      const value = BigInt(`0x${digits || "0"}`);
      key.push(tag === 0x13 ? -value : value);
    }
  }
  return key;
}
/** The first key after all that begin with these bytes. */
function after(bytes) {
  for (let end = bytes.length - 1; end >= 0; end--) {
    if (bytes[end] === 0xff) continue;
    const next = bytes.slice(0, end + 1);
    next[end]++;
    return next;
  }
  return new Uint8Array([0xff]);
}

// ---- values: what structured clone copies, as text; bytes and KvU64 as they are ----

export class KvU64 {
  constructor(value) {
    if (typeof value !== "bigint") throw new TypeError("value must be a bigint");
    if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError("value must be a 64-bit unsigned integer");
    this.value = value;
    Object.freeze(this);
  }
  valueOf() { return this.value; }
  toString() { return this.value.toString(); }
  get [Symbol.toStringTag]() { return "Deno.KvU64"; }
}
const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const unbase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

function pack(value, seen) {
  if (value === undefined) return { u: 1 };
  if (typeof value === "bigint") return { i: String(value) };
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) return { n: Object.is(value, -0) ? "-0" : String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (seen.has(value)) return { r: seen.get(value) };
  seen.set(value, seen.size);
  if (Array.isArray(value)) return { a: Array.from(value, (one) => pack(one, seen)) };
  if (value instanceof Date) return { d: value.getTime() };
  if (value instanceof RegExp) return { x: [value.source, value.flags] };
  if (value instanceof Map) return { m: [...value].map(([key, one]) => [pack(key, seen), pack(one, seen)]) };
  if (value instanceof Set) return { s: [...value].map((one) => pack(one, seen)) };
  if (value instanceof ArrayBuffer) return { b: base64(new Uint8Array(value)) };
  if (ArrayBuffer.isView(value)) return { v: [value[Symbol.toStringTag] ?? "DataView", base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))] };
  if (value instanceof Error) return { e: [value.name, value.message] };
  return { o: Object.keys(value).map((key) => [key, pack(value[key], seen)]) };
}
function unpack(value, seen) {
  if (typeof value !== "object" || value === null) return value;
  if ("u" in value) return undefined;
  if ("i" in value) return BigInt(value.i);
  if ("n" in value) return Number(value.n);
  if ("r" in value) return seen[value.r];
  const keep = (made) => (seen.push(made), made);
  if ("a" in value) {
    const made = keep([]);
    for (const one of value.a) made.push(unpack(one, seen));
    return made;
  }
  if ("d" in value) return keep(new Date(value.d ?? NaN));
  if ("x" in value) return keep(new RegExp(...value.x));
  if ("m" in value) {
    const made = keep(new Map());
    for (const [key, one] of value.m) made.set(unpack(key, seen), unpack(one, seen));
    return made;
  }
  if ("s" in value) {
    const made = keep(new Set());
    for (const one of value.s) made.add(unpack(one, seen));
    return made;
  }
  if ("b" in value) return keep(unbase64(value.b).buffer);
  if ("v" in value) return keep(new globalThis[value.v[0]](unbase64(value.v[1]).buffer));
  if ("e" in value) {
    const made = keep(new ({ TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError }[value.e[0]] ?? Error)(value.e[1]));
    return made;
  }
  const made = keep({});
  for (const [key, one] of value.o) made[key] = unpack(one, seen);
  return made;
}
const [TEXT, BYTES, U64] = [0, 1, 2];
/** `[kind, stored]` */
function encodeValue(value) {
  let stored;
  if (value instanceof KvU64) stored = [U64, String(value.value)];
  else if (value instanceof Uint8Array) stored = [BYTES, value.slice()];
  else {
    let copy;
    try {
      copy = globalThis.structuredClone(value);
    } catch (error) {
      throw new TypeError(error.message, { cause: error });
    }
    stored = [TEXT, JSON.stringify(pack(copy, new Map()))];
  }
  if (stored[1].length > (stored[0] === TEXT ? 2 * MAX_VALUE : MAX_VALUE)) throw new TypeError(`Value too large (max ${MAX_VALUE} bytes)`);
  return stored;
}
function decodeValue(kind, stored) {
  if (kind === U64) return new KvU64(BigInt(stored));
  return kind === BYTES ? stored : unpack(JSON.parse(stored), []);
}

const stamp = (version) => version.toString(16).padStart(16, "0") + "0000";
const MISSING = { value: null, versionstamp: null };
const secret = Symbol("construct");
const kCommit = Symbol("commit");

export class AtomicOperation {
  #kv;
  #checks = [];
  #writes = [];
  constructor(key, kv) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    this.#kv = kv;
  }
  check(...checks) {
    for (const { key, versionstamp } of checks) this.#checks.push([encodeKey(key), versionstamp ?? null]);
    return this;
  }
  set(key, value, options) {
    this.#writes.push({ type: "set", key: encodeKey(key), stored: encodeValue(value), expireIn: options?.expireIn });
    return this;
  }
  delete(key) {
    this.#writes.push({ type: "delete", key: encodeKey(key) });
    return this;
  }
  #number(type, key, value) {
    this.#writes.push({ type, key: encodeKey(key), value: new KvU64(typeof value === "bigint" ? value : value.value).value });
    return this;
  }
  sum(key, value) { return this.#number("sum", key, value); }
  min(key, value) { return this.#number("min", key, value); }
  max(key, value) { return this.#number("max", key, value); }
  mutate(...mutations) {
    for (const { type, key, value, expireIn } of mutations) {
      if (type === "set") this.set(key, value, { expireIn });
      else if (type === "delete") this.delete(key);
      else if (["sum", "min", "max"].includes(type)) this.#number(type, key, value);
      else throw new TypeError(`Invalid mutation type: ${type}`);
    }
    return this;
  }
  enqueue() { missing("Deno.AtomicOperation.enqueue")(); }
  async commit() {
    if (this.#writes.length + this.#checks.length > MAX_PARTS_OF_A_WRITE) throw new TypeError(`Too many parts of one write (max ${MAX_PARTS_OF_A_WRITE})`);
    return this.#kv[kCommit](this.#checks, this.#writes);
  }
}

export class Kv {
  #db;
  #statements = new Map();
  constructor(key, path) {
    if (key !== secret) throw new TypeError("Deno.Kv can not be constructed: use Deno.openKv instead");
    const { DatabaseSync } = lazy("node:sqlite");
    this.#db = new DatabaseSync(path, { timeout: 5000 });
    this.#db.exec(`${path === ":memory:" ? "" : "PRAGMA journal_mode = WAL;"}
      CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v ANY, kind INTEGER NOT NULL, version INTEGER NOT NULL, expires REAL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS version (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL);
      INSERT OR IGNORE INTO version VALUES (1, 0);`);
  }
  #sql(text) {
    if (!this.#db.isOpen) throw new (lazy("marsh:errors").errors.BadResource)("Bad resource ID");
    if (!this.#statements.has(text)) this.#statements.set(text, this.#db.prepare(text));
    return this.#statements.get(text);
  }
  #read(key) {
    return this.#sql("SELECT v, kind, version FROM kv WHERE k = ? AND (expires IS NULL OR expires > ?)").get(key, Date.now());
  }
  async get(key) {
    const row = this.#read(encodeKey(key));
    return row ? { key, value: decodeValue(row.kind, row.v), versionstamp: stamp(row.version) } : { key, ...MISSING };
  }
  async getMany(keys) {
    if (keys.length > MAX_KEYS_OF_A_READ) throw new TypeError(`Too many ranges (max ${MAX_KEYS_OF_A_READ})`);
    return Promise.all(keys.map((key) => this.get(key)));
  }
  async set(key, value, options) { return this[kCommit]([], [{ type: "set", key: encodeKey(key), stored: encodeValue(value), expireIn: options?.expireIn }]); }
  async delete(key) { await this[kCommit]([], [{ type: "delete", key: encodeKey(key) }]); }
  list(selector, options = {}) {
    const prefix = selector.prefix && encodeKey(selector.prefix, true);
    let from = selector.start ? encodeKey(selector.start) : prefix;
    let to = selector.end ? encodeKey(selector.end) : prefix && after(prefix);
    if (!prefix && !(selector.start && selector.end)) throw new TypeError("A selector has a prefix, or a start and an end");
    // A prefix selects what is below it, not the key itself.
    if (prefix && !selector.start) from = Uint8Array.from([...prefix, 0]);
    return new KvListIterator(secret, (start, end, reverse, count) => this.#sql(
      `SELECT k, v, kind, version FROM kv WHERE k >= ? AND k < ? AND (expires IS NULL OR expires > ?) ORDER BY k ${reverse ? "DESC" : "ASC"} LIMIT ?`,
    ).all(start, end, Date.now(), count), from, to, options);
  }
  atomic() { return new AtomicOperation(secret, this); }
  async [kCommit](checks, writes) {
    this.#sql("SELECT 1");
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      for (const [key, expected] of checks) {
        const row = this.#read(key);
        if ((row ? stamp(row.version) : null) !== expected) {
          this.#db.exec("ROLLBACK");
          return { ok: false };
        }
      }
      this.#sql("DELETE FROM kv WHERE expires <= ?").run(Date.now());
      const { version } = this.#sql("UPDATE version SET version = version + 1 RETURNING version").get();
      for (const write of writes) {
        if (write.type === "delete") {
          this.#sql("DELETE FROM kv WHERE k = ?").run(write.key);
          continue;
        }
        const [kind, stored] = write.type === "set" ? write.stored : [U64, this.#combined(write)];
        const expires = write.expireIn === undefined ? null : Date.now() + Number(write.expireIn);
        this.#sql("INSERT OR REPLACE INTO kv VALUES (?, ?, ?, ?, ?)").run(write.key, stored, kind, version, expires);
      }
      this.#db.exec("COMMIT");
      return { ok: true, versionstamp: stamp(version) };
    } catch (error) {
      if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }
  #combined({ type, key, value }) {
    const row = this.#read(key);
    if (!row) return String(value);
    if (row.kind !== U64) throw new TypeError(`Failed to perform '${type}' mutation on a non-U64 value in the database`);
    const before = BigInt(row.v);
    if (type === "sum") return String((before + value) & 0xffffffffffffffffn);
    return String((type === "min") === (before < value) ? before : value);
  }
  enqueue() { missing("Deno.Kv.enqueue")(); }
  listenQueue() { missing("Deno.Kv.listenQueue")(); }
  watch() { missing("Deno.Kv.watch")(); }
  commitVersionstamp() { missing("Deno.Kv.commitVersionstamp")(); }
  close() {
    this.#sql("SELECT 1");
    this.#db.close();
  }
  [Symbol.dispose]() { if (this.#db.isOpen) this.close(); }
}

export class KvListIterator {
  #read;
  #from;
  #to;
  #reverse;
  #left;
  #batch;
  #rows = [];
  #ended = false;
  #cursor = "";
  constructor(key, read, from, to, { limit, cursor, reverse = false, batchSize }) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    this.#read = read;
    this.#from = from;
    this.#to = to;
    this.#reverse = reverse;
    this.#left = limit ?? Infinity;
    this.#batch = Math.min(batchSize ?? limit ?? 100, 500);
    if (cursor) this.#skip(unbase64(cursor));
  }
  #skip(key) {
    if (this.#reverse) this.#to = key;
    else this.#from = Uint8Array.from([...key, 0]);
  }
  get cursor() {
    if (this.#cursor === "") throw new Error("Cannot get cursor before first iteration");
    return this.#cursor;
  }
  async next() {
    if (this.#rows.length === 0 && !this.#ended && this.#left > 0) {
      const count = Math.min(this.#batch, this.#left);
      this.#rows = this.#read(this.#from, this.#to, this.#reverse, count);
      this.#ended = this.#rows.length < count;
    }
    const row = this.#left > 0 ? this.#rows.shift() : undefined;
    if (!row) return { done: true, value: undefined };
    this.#left--;
    this.#cursor = base64(row.k);
    this.#skip(row.k);
    return { done: false, value: { key: decodeKey(row.k), value: decodeValue(row.kind, row.v), versionstamp: stamp(row.version) } };
  }
  [Symbol.asyncIterator]() { return this; }
}

export async function openKv(path) {
  // Deno keeps a store for each program in its own cache; an extension names its file.
  if (path === undefined || path === "") return missingNamespace("Deno.openKv without a path").open;
  if (/^https?:/.test(String(path))) return missingNamespace("Deno.openKv of a server").open;
  return new Kv(secret, path instanceof URL ? call("url.toPath", path.href) : String(path));
}

register("marsh:deno_kv", { openKv, Kv, AtomicOperation, KvU64, KvListIterator });
