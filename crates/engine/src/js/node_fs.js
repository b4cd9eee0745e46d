// node:fs, thin over the Deno functions; callbacks over node:fs/promises.

import { register } from "marsh:core";
import promisesDefault, * as promises from "node:fs/promises";
import * as opened from "marsh:node_fs_open";
import { missing } from "marsh:unsupported";

const D = globalThis.Deno;
const { bytesOf, entries, read: show, Stats, writing } = promises;
export const constants = promises.constants;
export { Stats };
export const Dirent = promises.Dirent;

export const readFileSync = (path, options) => show(D.readFileSync(path), options);
export const writeFileSync = (path, data, options) => D.writeFileSync(path, bytesOf(data, options), writing(options));
export const appendFileSync = (path, data, options) => D.writeFileSync(path, bytesOf(data, options), { ...writing(options), append: true });
const statOr = (stat) => (path, options) => {
  try {
    return new Stats(stat(path));
  } catch (error) {
    if (options?.throwIfNoEntry === false && error instanceof D.errors.NotFound) return undefined;
    throw error;
  }
};
export const statSync = statOr(D.statSync);
export const lstatSync = statOr(D.lstatSync);
export const accessSync = (path) => void D.statSync(path);
export const existsSync = (path) => {
  try {
    D.statSync(path);
    return true;
  } catch {
    return false;
  }
};
export const mkdirSync = (path, options) => D.mkdirSync(path, typeof options === "number" ? { mode: options } : options);
export const rmdirSync = (path, options) => D.removeSync(path, options);
export const unlinkSync = (path) => D.removeSync(path);
export function rmSync(path, options) {
  try {
    D.removeSync(path, options);
  } catch (error) {
    if (!(options?.force && error instanceof D.errors.NotFound)) throw error;
  }
}
export function readdirSync(path, options) {
  if (options?.recursive) missing("fs.readdirSync with recursive")();
  return entries([...D.readDirSync(path)], path, options);
}
export const renameSync = (from, to) => D.renameSync(from, to);
export const copyFileSync = (from, to) => D.copyFileSync(from, to);
export const chmodSync = (path, mode) => D.chmodSync(path, mode);
export const realpathSync = Object.assign((path) => D.realPathSync(path), { native: (path) => D.realPathSync(path) });
export const readlinkSync = (path) => D.readLinkSync(path);
export const symlinkSync = (target, path) => D.symlinkSync(target, path);
export const linkSync = (from, to) => D.linkSync(from, to);
export const truncateSync = (path, size) => D.truncateSync(path, size);
export const utimesSync = (path, atime, mtime) => D.utimeSync(path, atime, mtime);
export const mkdtempSync = (prefix) => {
  const path = `${prefix}${globalThis.crypto.randomUUID().replaceAll("-", "").slice(0, 6)}`;
  D.mkdirSync(path, { mode: 0o700 });
  return path;
};

const withCallback = (method) => (...args) => {
  const callback = args.pop();
  if (typeof callback !== "function") throw new TypeError("The callback must be a function");
  method(...args).then((value) => globalThis.setTimeout(callback, 0, null, value), (error) => globalThis.setTimeout(callback, 0, error));
};
const later = {};
for (const [name, method] of Object.entries(promisesDefault)) if (typeof method === "function") later[name] = withCallback(method);
export const { readFile, writeFile, appendFile, stat, lstat, access, mkdir, rmdir, unlink, rm, readdir, rename, copyFile, chmod, realpath, readlink, symlink, link, truncate, utimes, mkdtemp } = later;
export const exists = (path, callback) => callback(existsSync(path));

const absent = {};
for (const name of ["watch", "watchFile", "unwatchFile", "opendir", "opendirSync", "cp", "cpSync", "chown", "chownSync", "lchown", "lchownSync", "fchmod", "fchmodSync", "statfs", "statfsSync", "lutimes", "lutimesSync"]) {
  absent[name] = missing(`fs.${name}`);
}
export const { watch, watchFile, unwatchFile, opendir, opendirSync, cp, cpSync, chown, chownSync, lchown, lchownSync, fchmod, fchmodSync, statfs, statfsSync, lutimes, lutimesSync } = absent;
const { FileHandle: _handle, openHandle: _open, ...descriptors } = opened;
export {
  ReadStream, WriteStream, close, closeSync, createReadStream, createWriteStream, fstat, fstatSync, fsync, fsyncSync, ftruncate, ftruncateSync,
  open, openSync, read, readSync, write, writeSync,
} from "marsh:node_fs_open";
export { promisesDefault as promises };
export default register("node:fs", {
  ...later, ...absent, ...descriptors, constants, Stats, Dirent, promises: promisesDefault, exists, existsSync, readFileSync, writeFileSync, appendFileSync, statSync,
  lstatSync, accessSync, mkdirSync, rmdirSync, unlinkSync, rmSync, readdirSync, renameSync, copyFileSync, chmodSync, realpathSync, readlinkSync,
  symlinkSync, linkSync, truncateSync, utimesSync, mkdtempSync,
});
