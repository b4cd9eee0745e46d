// node:sqlite: databases of the SQLite that marsh links.

import { call, lazy, register } from "marsh:core";
import { missing } from "marsh:unsupported";

const secret = Symbol("construct");
const coded = (Class, code, message) => Object.assign(new Class(message), { code });

function hosted(op, ...args) {
  try {
    return call(op, ...args);
  } catch (error) {
    // Node has these beside the message.
    if (error.data?.errcode !== undefined) error.errcode = error.data.errcode;
    delete error.data;
    throw error;
  }
}

function pathOf(path) {
  if (path instanceof URL) return call("url.toPath", path.href);
  if (path instanceof Uint8Array) path = new TextDecoder().decode(path);
  if (typeof path !== "string" || path.includes("\0")) {
    throw coded(TypeError, "ERR_INVALID_ARG_TYPE", 'The "path" argument must be a string, Uint8Array, or URL without null bytes.');
  }
  return path;
}

function parameter(value, at) {
  switch (typeof value) {
    case "number": return ["number", value];
    case "string": return ["string", value];
    case "bigint": return ["bigint", String(value)];
  }
  if (value === null) return ["null", null];
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return ["bytes", new Uint8Array(lazy("marsh:text").bytesOf(value)).slice()];
  throw coded(TypeError, "ERR_INVALID_ARG_TYPE", `Provided value cannot be bound to SQLite parameter ${at + 1}.`);
}
const number = (value) => (typeof value === "object" && value !== null && "bigint" in value ? BigInt(value.bigint) : value);

export class StatementSync {
  #db;
  #sql;
  #columns;
  #names;
  #big = false;
  #arrays = false;
  #bare = true;
  #unknown = false;
  #last = [];
  constructor(key, db, sql, options = {}) {
    if (key !== secret) throw coded(TypeError, "ERR_ILLEGAL_CONSTRUCTOR", "Illegal constructor");
    this.#db = db;
    this.#sql = sql;
    [this.#columns, this.#names] = hosted("sqlite.prepare", db(), sql);
    this.#big = !!options.readBigInts;
    this.#arrays = !!options.returnArrays;
    this.#bare = options.allowBareNamedParameters ?? true;
    this.#unknown = !!options.allowUnknownNamedParameters;
  }
  #parameters(args) {
    const values = this.#names.map(() => ["null", null]);
    const [first] = args;
    let rest = args;
    if (typeof first === "object" && first !== null && !ArrayBuffer.isView(first) && !(first instanceof ArrayBuffer)) {
      rest = args.slice(1);
      for (const [key, value] of Object.entries(first)) {
        let at = this.#names.indexOf(key);
        if (at < 0 && this.#bare) at = this.#names.findIndex((name) => name !== null && name.slice(1) === key);
        if (at >= 0) values[at] = parameter(value, at);
        else if (!this.#unknown) throw coded(Error, "ERR_INVALID_STATE", `Unknown named parameter '${key}'`);
      }
    }
    let at = 0;
    for (const value of rest) {
      while (at < values.length && this.#names[at] !== null && !/^\?/.test(this.#names[at])) at++;
      if (at >= values.length) throw Object.assign(coded(Error, "ERR_SQLITE_ERROR", "column index out of range"), { errcode: 25 });
      values[at] = parameter(value, at);
      at++;
    }
    return (this.#last = values.flat());
  }
  #query(wanted, args) { return hosted("sqlite.query", this.#db(), this.#sql, this.#big, wanted, ...this.#parameters(args)); }
  #row(cells) {
    const values = this.#big ? cells.map(number) : cells;
    if (this.#arrays) return values;
    const row = Object.create(null);
    this.#columns.forEach((name, at) => { row[name] = values[at]; });
    return row;
  }
  run(...args) {
    const [, changes, lastInsertRowid] = this.#query(0, args);
    return { lastInsertRowid: number(lastInsertRowid), changes: number(changes) };
  }
  get(...args) {
    const [[first]] = this.#query(1, args);
    return first && this.#row(first);
  }
  all(...args) { return this.#query(Infinity, args)[0].map((cells) => this.#row(cells)); }
  iterate(...args) { return this.all(...args).values(); }
  columns() { return this.#columns.map((name) => ({ name, column: null, table: null, database: null, type: null })); }
  setReadBigInts(on) { this.#big = !!on; }
  setReturnArrays(on) { this.#arrays = !!on; }
  setAllowBareNamedParameters(on) { this.#bare = !!on; }
  setAllowUnknownNamedParameters(on) { this.#unknown = !!on; }
  get sourceSQL() { return this.#sql; }
  get expandedSQL() { return hosted("sqlite.expanded", this.#db(), this.#sql, ...this.#last); }
}

export class DatabaseSync {
  #path;
  #options;
  #id;
  constructor(path, options = {}) {
    this.#path = pathOf(path);
    this.#options = options;
    if (options.open ?? true) this.open();
  }
  #db = () => {
    if (this.#id === undefined) throw coded(Error, "ERR_INVALID_STATE", "database is not open");
    return this.#id;
  };
  open() {
    if (this.#id !== undefined) throw coded(Error, "ERR_INVALID_STATE", "database is already open");
    const { readOnly = false, timeout = 0, enableForeignKeyConstraints = true } = this.#options;
    try {
      this.#id = hosted("sqlite.open", this.#path, JSON.stringify({ readOnly, timeout, enableForeignKeyConstraints }));
    } catch (error) {
      if (error.message.startsWith("unable to open database file")) error.message = `unable to open database file: ${this.#path}`;
      throw error;
    }
    forgotten.register(this, this.#id, this);
  }
  close() {
    hosted("sqlite.close", this.#db());
    forgotten.unregister(this);
    this.#id = undefined;
  }
  exec(sql) { hosted("sqlite.exec", this.#db(), String(sql)); }
  prepare(sql, options) { return new StatementSync(secret, this.#db, String(sql), { ...this.#options, ...options }); }
  location() { return this.#path === ":memory:" || this.#path === "" ? null : lazy("node:path").resolve(this.#path); }
  get isOpen() { return this.#id !== undefined; }
  get isTransaction() { return hosted("sqlite.inTransaction", this.#db()); }
  [Symbol.dispose]() { if (this.#id !== undefined) this.close(); }
}
const forgotten = new FinalizationRegistry((id) => {
  try {
    call("sqlite.close", id);
  } catch {
    // Closed before.
  }
});
for (const name of ["function", "aggregate", "createSession", "applyChangeset", "loadExtension", "enableLoadExtension", "setAuthorizer"]) {
  DatabaseSync.prototype[name] = missing(`DatabaseSync.${name}`);
}
export const backup = missing("node:sqlite.backup");
export const constants = {
  SQLITE_CHANGESET_OMIT: 0, SQLITE_CHANGESET_REPLACE: 1, SQLITE_CHANGESET_ABORT: 2, SQLITE_CHANGESET_DATA: 1, SQLITE_CHANGESET_NOTFOUND: 2,
  SQLITE_CHANGESET_CONFLICT: 3, SQLITE_CHANGESET_CONSTRAINT: 4, SQLITE_CHANGESET_FOREIGN_KEY: 5,
};
export default register("node:sqlite", { DatabaseSync, StatementSync, backup, constants });
