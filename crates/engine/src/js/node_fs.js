// node:fs, thin over the Deno functions; callbacks over node:fs/promises.

import { register } from "marsh:core";
import promisesDefault, * as promises from "node:fs/promises";
import { sync } from "marsh:node_fs_errors";
import { Dir, cpSync as copyTree, tree } from "marsh:node_fs_tree";
import * as opened from "marsh:node_fs_open";
import { missing } from "marsh:unsupported";

const D = globalThis.Deno;
const { bytesOf, checkCopy, checkRemoval, entries, mkdirs, read: show, Stats, stats, writing } = promises;
export const constants = promises.constants;
export { Stats };
export const Dirent = promises.Dirent;

export const readFileSync = sync("open", (path, options) => show(D.readFileSync(path), options));
export const writeFileSync = sync("open", (path, data, options) => D.writeFileSync(path, bytesOf(data, options), writing(options)));
export const appendFileSync = sync("open", (path, data, options) => D.writeFileSync(path, bytesOf(data, options), { ...writing(options), append: true }));
const statOr = (name, stat) => sync(name, (path, options) => {
  try {
    return stats(stat(path), options);
  } catch (error) {
    if (options?.throwIfNoEntry === false && error instanceof D.errors.NotFound) return undefined;
    throw error;
  }
});
export const statSync = statOr("stat", D.statSync);
export const lstatSync = statOr("lstat", D.lstatSync);
export const accessSync = sync("access", (path) => void D.statSync(path));
export const existsSync = (path) => {
  try {
    D.statSync(path);
    return true;
  } catch {
    return false;
  }
};
export const mkdirSync = sync("mkdir", mkdirs);
export const rmdirSync = sync("rmdir", (path, options) => D.removeSync(path, options));
export const unlinkSync = sync("unlink", (path) => D.removeSync(path));
export const rmSync = sync("rm", (path, options) => {
  try {
    checkRemoval(path, options);
    D.removeSync(path, options);
  } catch (error) {
    if (!(options?.force && error instanceof D.errors.NotFound)) throw error;
  }
});
export const readdirSync = sync("scandir", (path, options) => (options?.recursive ? tree(path, options, promises.Dirent) : entries([...D.readDirSync(path)], path, options)));
export const renameSync = sync("rename", (from, to) => D.renameSync(from, to));
export const copyFileSync = sync("copyfile", (from, to, mode) => {
  checkCopy(from, to, mode);
  D.copyFileSync(from, to);
});
export const chmodSync = sync("chmod", (path, mode) => D.chmodSync(path, mode));
const realPath = sync("realpath", (path) => D.realPathSync(path));
export const realpathSync = Object.assign((path) => realPath(path), { native: realPath });
export const readlinkSync = sync("readlink", (path) => D.readLinkSync(path));
export const symlinkSync = sync("symlink", (target, path) => D.symlinkSync(target, path));
export const linkSync = sync("link", (from, to) => D.linkSync(from, to));
export const truncateSync = sync("open", (path, size) => D.truncateSync(path, size));
export const utimesSync = sync("utime", (path, atime, mtime) => D.utimeSync(path, atime, mtime));
export const mkdtempSync = sync("mkdtemp", (prefix) => {
  const path = `${prefix}${globalThis.crypto.randomUUID().replaceAll("-", "").slice(0, 6)}`;
  D.mkdirSync(path, { mode: 0o700 });
  return path;
});
export const opendirSync = sync("opendir", (path) => new Dir(String(path), entries([...D.readDirSync(path)], path, { withFileTypes: true })));
export const cpSync = sync("cp", copyTree);

const withCallback = (method) => (...args) => {
  const callback = args.pop();
  if (typeof callback !== "function") throw new TypeError("The callback must be a function");
  method(...args).then((value) => globalThis.setTimeout(callback, 0, null, value), (error) => globalThis.setTimeout(callback, 0, error));
};
const later = {};
for (const [name, method] of Object.entries(promisesDefault)) if (typeof method === "function") later[name] = withCallback(method);
export const { readFile, writeFile, appendFile, stat, lstat, access, mkdir, rmdir, unlink, rm, readdir, rename, copyFile, chmod, realpath, readlink, symlink, link, truncate, utimes, mkdtemp, opendir, cp } = later;
export const exists = (path, callback) => callback(existsSync(path));

const absent = {};
for (const name of ["watch", "watchFile", "unwatchFile", "chown", "chownSync", "lchown", "lchownSync", "fchmod", "fchmodSync", "statfs", "statfsSync", "lutimes", "lutimesSync"]) {
  absent[name] = missing(`fs.${name}`);
}
export const { watch, watchFile, unwatchFile, chown, chownSync, lchown, lchownSync, fchmod, fchmodSync, statfs, statfsSync, lutimes, lutimesSync } = absent;
const { FileHandle: _handle, openHandle: _open, ...descriptors } = opened;
export {
  ReadStream, WriteStream, close, closeSync, createReadStream, createWriteStream, fstat, fstatSync, fsync, fsyncSync, ftruncate, ftruncateSync,
  open, openSync, read, readSync, write, writeSync,
} from "marsh:node_fs_open";
export { promisesDefault as promises };
export default register("node:fs", {
  ...later, ...absent, ...descriptors, constants, Stats, Dirent, promises: promisesDefault, exists, existsSync, readFileSync, writeFileSync, appendFileSync, statSync,
  lstatSync, accessSync, mkdirSync, rmdirSync, unlinkSync, rmSync, readdirSync, renameSync, copyFileSync, chmodSync, realpathSync, readlinkSync,
  symlinkSync, linkSync, truncateSync, utimesSync, mkdtempSync, opendirSync, cpSync,
});
