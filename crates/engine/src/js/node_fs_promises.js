// node:fs/promises, thin over the Deno functions.

import { lazy, register } from "marsh:core";
import { Buffer } from "node:buffer";
import { later } from "marsh:node_fs_errors";
import { Dir, cpSync, tree } from "marsh:node_fs_tree";
import { missing } from "marsh:unsupported";

const D = globalThis.Deno;
export const encodingOf = (options) => (typeof options === "string" ? options : options?.encoding);
export const bytesOf = (data, options) => (typeof data === "string" ? Buffer.from(data, encodingOf(options) ?? "utf8") : data);
export const read = (bytes, options) => {
  const encoding = encodingOf(options);
  return encoding && encoding !== "buffer" ? Buffer.from(bytes).toString(encoding) : Buffer.from(bytes);
};
/** Node's flags in Deno's words. */
export const writing = (options) => {
  const { mode, flag = "w" } = typeof options === "object" && options !== null ? options : {};
  return { mode, append: flag.startsWith("a"), createNew: flag.includes("x") };
};

export class Stats {
  constructor(info) {
    this._info = info;
    for (const key of ["dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "size", "blksize", "blocks", "mtime", "atime", "ctime", "birthtime"]) this[key] = info[key];
    for (const key of ["mtime", "atime", "ctime", "birthtime"]) this[`${key}Ms`] = info[key]?.getTime() ?? 0;
    Object.defineProperty(this, "_info", { enumerable: false });
  }
  isFile() { return this._info.isFile; }
  isDirectory() { return this._info.isDirectory; }
  isSymbolicLink() { return this._info.isSymlink; }
  isFIFO() { return this._info.isFifo; }
  isSocket() { return this._info.isSocket; }
  isBlockDevice() { return this._info.isBlockDevice; }
  isCharacterDevice() { return this._info.isCharDevice; }
}
/** The same in whole numbers of any size, with times in nanoseconds, which are known to the millisecond. */
export class BigIntStats extends Stats {
  constructor(info) {
    super(info);
    for (const [key, value] of Object.entries(this)) if (typeof value === "number") this[key] = BigInt(Math.trunc(value));
    for (const key of ["mtime", "atime", "ctime", "birthtime"]) this[`${key}Ns`] = this[`${key}Ms`] * 1_000_000n;
  }
}
export const stats = (info, options) => (options?.bigint ? new BigIntStats(info) : new Stats(info));
export class Dirent {
  constructor(entry, parentPath) {
    Object.defineProperty(this, "_entry", { value: entry });
    this.name = entry.name;
    this.parentPath = parentPath;
    this.path = parentPath;
  }
  isFile() { return this._entry.isFile; }
  isDirectory() { return this._entry.isDirectory; }
  isSymbolicLink() { return this._entry.isSymlink; }
}
export const entries = (list, path, options) => (options?.withFileTypes ? list.map((entry) => new Dirent(entry, String(path))) : list.map(({ name }) => name));

export const constants = {
  F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4, COPYFILE_EXCL: 1, COPYFILE_FICLONE: 2, COPYFILE_FICLONE_FORCE: 4, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2,
  O_CREAT: 0o100, O_EXCL: 0o200, O_TRUNC: 0o1000, O_APPEND: 0o2000, S_IFMT: 0o170000, S_IFREG: 0o100000, S_IFDIR: 0o40000, S_IFLNK: 0o120000,
};

/** Node's `mkdir` says the first directory that it made. */
export function mkdirs(path, options) {
  const given = typeof options === "number" ? { mode: options } : options;
  if (!given?.recursive) return void D.mkdirSync(path, given);
  const text = path instanceof URL ? decodeURIComponent(path.pathname) : String(path);
  let first;
  for (let at = text.replace(/\/+$/, ""); at !== "" && !isThere(at); at = at.includes("/") ? at.slice(0, at.lastIndexOf("/")) : "") first = at;
  D.mkdirSync(path, given);
  return first === undefined ? undefined : first.startsWith("/") ? first : `${D.cwd()}/${first}`;
}
const isThere = (path) => {
  try {
    return !!D.statSync(path);
  } catch {
    return false;
  }
};
/** `rm` refuses a directory unless `recursive` is set. */
export function checkRemoval(path, options) {
  if (!options?.recursive && D.lstatSync(path).isDirectory) {
    throw Object.assign(new Error(`Path is a directory: rm returned EISDIR (is a directory) ${path}`), { code: "ERR_FS_EISDIR", errno: 21, syscall: "rm", path: String(path) });
  }
}
export function checkCopy(from, to, mode) {
  if (mode & constants.COPYFILE_EXCL) D.writeFileSync(to, new Uint8Array(), { createNew: true });
}

export const readFile = later("open", async (path, options) => read(await D.readFile(path), options));
export const writeFile = later("open", (path, data, options) => D.writeFile(path, bytesOf(data, options), writing(options)));
export const appendFile = later("open", (path, data, options) => D.writeFile(path, bytesOf(data, options), { ...writing(options), append: true }));
export const stat = later("stat", async (path, options) => stats(await D.stat(path), options));
export const lstat = later("lstat", async (path, options) => stats(await D.lstat(path), options));
export const access = later("access", async (path) => void (await D.stat(path)));
export const mkdir = later("mkdir", async (path, options) => mkdirs(path, options));
export const rmdir = later("rmdir", (path, options) => D.remove(path, options));
export const unlink = later("unlink", (path) => D.remove(path));
export const rm = later("rm", async (path, options) => {
  try {
    checkRemoval(path, options);
    await D.remove(path, options);
  } catch (error) {
    if (!(options?.force && error instanceof D.errors.NotFound)) throw error;
  }
});
export const readdir = later("scandir", async (path, options) => (options?.recursive ? tree(path, options, Dirent) : entries(await Array.fromAsync(D.readDir(path)), path, options)));
export const rename = later("rename", (from, to) => D.rename(from, to));
export const copyFile = later("copyfile", async (from, to, mode) => {
  checkCopy(from, to, mode);
  await D.copyFile(from, to);
});
export const chmod = later("chmod", (path, mode) => D.chmod(path, mode));
export const realpath = later("realpath", (path) => D.realPath(path));
export const readlink = later("readlink", (path) => D.readLink(path));
export const symlink = later("symlink", (target, path) => D.symlink(target, path));
export const link = later("link", (from, to) => D.link(from, to));
export const truncate = later("open", (path, size) => D.truncate(path, size));
export const utimes = later("utime", (path, atime, mtime) => D.utime(path, atime, mtime));
export const mkdtemp = later("mkdtemp", async (prefix) => {
  const path = `${prefix}${globalThis.crypto.randomUUID().replaceAll("-", "").slice(0, 6)}`;
  await D.mkdir(path, { mode: 0o700 });
  return path;
});
export const opendir = later("opendir", async (path) => new Dir(String(path), entries(await Array.fromAsync(D.readDir(path)), path, { withFileTypes: true })));
export const cp = later("cp", async (from, to, options) => cpSync(from, to, options));
// The module for open files needs this one, so it is loaded on first use.
export const open = (...args) => (lazy("node:fs"), lazy("marsh:node_fs_open").openHandle(...args));
export const watch = missing("fs.promises.watch");
export const chown = missing("fs.promises.chown");
export const lchown = missing("fs.promises.lchown");
export const statfs = missing("fs.promises.statfs");
export default register("node:fs/promises", {
  constants, readFile, writeFile, appendFile, stat, lstat, access, mkdir, rmdir, unlink, rm, readdir, rename, copyFile, chmod, realpath, readlink,
  symlink, link, truncate, utimes, mkdtemp, open, opendir, watch, cp, chown, lchown, statfs,
});
