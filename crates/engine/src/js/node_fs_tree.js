// What node:fs does with whole trees: listing them, copying them, and walking a directory entry by entry.

import { register } from "marsh:core";
import { nodeError } from "marsh:node_fs_errors";

const D = globalThis.Deno;
const text = (path) => (path instanceof URL ? decodeURIComponent(path.pathname) : String(path));
const join = (...parts) => parts.filter(Boolean).join("/");

/** Entries of a directory and of all below it, each with the path from there to its directory. */
export function* walk(path, below = "") {
  for (const entry of [...D.readDirSync(join(path, below))]) {
    yield [entry, below];
    if (entry.isDirectory) yield* walk(path, join(below, entry.name));
  }
}

/** As `readdir` with `recursive` gives them. */
export function tree(path, options, Dirent) {
  const at = text(path);
  const all = [...walk(at)];
  if (options.withFileTypes) return all.map(([entry, below]) => new Dirent(entry, join(at, below)));
  return all.map(([entry, below]) => join(below, entry.name));
}

const exists = (path) => {
  try {
    return D.lstatSync(path);
  } catch (error) {
    if (error instanceof D.errors.NotFound) return undefined;
    throw error;
  }
};

function copy(from, to, options) {
  if (options.filter && !options.filter(from, to)) return;
  const source = options.dereference ? D.statSync(from) : D.lstatSync(from);
  const target = exists(to);
  if (source.isDirectory) {
    if (target && !target.isDirectory) throw nodeError("ENOTDIR", -20, "cp", from, to);
    if (!target) D.mkdirSync(to, { recursive: true });
    for (const entry of [...D.readDirSync(from)]) copy(join(from, entry.name), join(to, entry.name), options);
    return;
  }
  if (target?.isDirectory) throw nodeError("EISDIR", -21, "cp", from, to);
  if (target) {
    if (options.errorOnExist && options.force === false) {
      throw Object.assign(new Error(`Target already exists: ${to}`), { code: "ERR_FS_CP_EEXIST" });
    }
    if (options.force === false) return;
    D.removeSync(to);
  } else {
    D.mkdirSync(to.replace(/\/[^/]*$/, "") || (to.startsWith("/") ? "/" : "."), { recursive: true });
  }
  if (source.isSymlink) D.symlinkSync(D.readLinkSync(from), to);
  else D.copyFileSync(from, to);
  if (options.preserveTimestamps) D.utimeSync(to, source.atime, source.mtime);
}

export function cpSync(source, destination, options = {}) {
  const [from, to] = [text(source), text(destination)];
  if (D.lstatSync(from).isDirectory) {
    if (!options.recursive) {
      throw Object.assign(new Error(`Recursive option not enabled, cannot copy a directory: ${from}`), { code: "ERR_FS_EISDIR" });
    }
    if (`${D.realPathSync(from)}/` === `${exists(to) ? D.realPathSync(to) : to}/` || `${to}/`.startsWith(`${from}/`)) {
      throw Object.assign(new Error(`Cannot copy ${from} to a subdirectory of self ${to}`), { code: "ERR_FS_CP_EINVAL" });
    }
  }
  copy(from, to, options);
}

export class Dir {
  #rest;
  constructor(path, entries) {
    this.path = path;
    this.#rest = entries;
  }
  readSync() { return this.#rest.shift() ?? null; }
  async read() { return this.readSync(); }
  closeSync() { this.#rest = []; }
  async close() { this.closeSync(); }
  async *[Symbol.asyncIterator]() {
    for (let entry = this.readSync(); entry !== null; entry = this.readSync()) yield entry;
  }
}

register("marsh:node_fs_tree", { cpSync, tree, walk, Dir });
