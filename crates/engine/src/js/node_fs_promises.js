// node:fs/promises, thin over the Deno functions.

import { lazy, register } from "marsh:core";
import { Buffer } from "node:buffer";
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

export const constants = { F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4, COPYFILE_EXCL: 1, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2 };

export const readFile = async (path, options) => read(await D.readFile(path), options);
export const writeFile = (path, data, options) => D.writeFile(path, bytesOf(data, options), writing(options));
export const appendFile = (path, data, options) => D.writeFile(path, bytesOf(data, options), { ...writing(options), append: true });
export const stat = async (path) => new Stats(await D.stat(path));
export const lstat = async (path) => new Stats(await D.lstat(path));
export const access = async (path) => void (await D.stat(path));
export const mkdir = (path, options) => D.mkdir(path, typeof options === "number" ? { mode: options } : options);
export const rmdir = (path, options) => D.remove(path, options);
export const unlink = (path) => D.remove(path);
export async function rm(path, options) {
  try {
    await D.remove(path, options);
  } catch (error) {
    if (!(options?.force && error instanceof D.errors.NotFound)) throw error;
  }
}
export async function readdir(path, options) {
  if (options?.recursive) missing("fs.readdir with recursive")();
  return entries(await Array.fromAsync(D.readDir(path)), path, options);
}
export const rename = (from, to) => D.rename(from, to);
export const copyFile = (from, to) => D.copyFile(from, to);
export const chmod = (path, mode) => D.chmod(path, mode);
export const realpath = (path) => D.realPath(path);
export const readlink = (path) => D.readLink(path);
export const symlink = (target, path) => D.symlink(target, path);
export const link = (from, to) => D.link(from, to);
export const truncate = (path, size) => D.truncate(path, size);
export const utimes = (path, atime, mtime) => D.utime(path, atime, mtime);
export const mkdtemp = async (prefix) => {
  const path = `${prefix}${globalThis.crypto.randomUUID().replaceAll("-", "").slice(0, 6)}`;
  await D.mkdir(path, { mode: 0o700 });
  return path;
};
// The module for open files needs this one, so it is loaded on first use.
export const open = (...args) => (lazy("node:fs"), lazy("marsh:node_fs_open").openHandle(...args));
export const opendir = missing("fs.promises.opendir");
export const watch = missing("fs.promises.watch");
export const cp = missing("fs.promises.cp");
export const chown = missing("fs.promises.chown");
export const lchown = missing("fs.promises.lchown");
export const statfs = missing("fs.promises.statfs");
export default register("node:fs/promises", {
  constants, readFile, writeFile, appendFile, stat, lstat, access, mkdir, rmdir, unlink, rm, readdir, rename, copyFile, chmod, realpath, readlink,
  symlink, link, truncate, utimes, mkdtemp, open, opendir, watch, cp, chown, lchown, statfs,
});
