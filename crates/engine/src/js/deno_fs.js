// Deno's file API: one Rust operation each, run on this thread by the Sync twin and on a pool by the other.

import { call, lazy, register, start } from "marsh:core";
import { race } from "marsh:abort";

const pathOf = (path) => {
  if (path instanceof lazy("marsh:url").URL) return call("url.toPath", path.href);
  // node:fs takes a Buffer.
  if (path instanceof Uint8Array) path = new (lazy("marsh:text").TextDecoder)().decode(path);
  if (typeof path !== "string") {
    throw Object.assign(new TypeError("a path is a string or a file URL"), { code: "ERR_INVALID_ARG_TYPE" });
  }
  if (path.includes("\0")) {
    throw Object.assign(new TypeError(`file name contained an unexpected NUL byte: ${JSON.stringify(path)}`), { code: "EINVAL" });
  }
  return path;
};

const api = {};

/** `prepare` turns Deno's arguments into the operation's; `finish` its result into Deno's. */
function define(name, op, prepare, finish = (value) => value, signalAt) {
  api[`${name}Sync`] = (...args) => finish(call(op, ...prepare(...args)), ...args);
  api[name] = async (...args) => {
    const running = () => start(op, ...prepare(...args));
    const signal = signalAt === undefined ? undefined : args[signalAt]?.signal;
    signal?.throwIfAborted();
    return finish(await race(running(), signal), ...args);
  };
}

const onePath = (path) => [pathOf(path)];

define("readFile", "fs.readFile", onePath, undefined, 1);
define("readTextFile", "fs.readText", onePath, undefined, 1);

const writeOptions = ({ append, create, createNew, mode } = {}) => JSON.stringify({ append: !!append, create, createNew: !!createNew, mode });
define("writeFile", "fs.writeFile", (path, data, options) => {
  if (!ArrayBuffer.isView(data)) {
    throw Object.assign(new TypeError("the data to write is a string or a view of bytes"), { code: "ERR_INVALID_ARG_TYPE" });
  }
  return [pathOf(path), lazy("marsh:text").bytesOf(data), writeOptions(options)];
}, undefined, 2);
define("writeTextFile", "fs.writeFile", (path, text, options) => [pathOf(path), String(text), writeOptions(options)], undefined, 2);

const writeBytes = api.writeFile;
api.writeFile = async (path, data, options) => {
  if (data instanceof globalThis.ReadableStream) data = await new globalThis.Response(data).bytes();
  return writeBytes(path, data, options);
};

const date = (ms) => (ms === null ? null : new Date(ms));
const info = (said) => ({
  ...said, mtime: date(said.mtime), atime: date(said.atime), ctime: date(said.ctime), birthtime: date(said.birthtime),
});
define("stat", "fs.stat", onePath, info);
define("lstat", "fs.lstat", onePath, info);
define("mkdir", "fs.mkdir", (path, options) => [pathOf(path), !!options?.recursive, options?.mode]);
define("remove", "fs.remove", (path, options) => [pathOf(path), !!options?.recursive]);
define("rename", "fs.rename", (from, to) => [pathOf(from), pathOf(to)]);
define("copyFile", "fs.copyFile", (from, to) => [pathOf(from), pathOf(to)]);
define("chmod", "fs.chmod", (path, mode) => [pathOf(path), mode]);
define("realPath", "fs.realPath", onePath);
define("readLink", "fs.readLink", onePath);
define("symlink", "fs.symlink", (target, path) => [pathOf(target), pathOf(path)]);
define("link", "fs.link", (from, to) => [pathOf(from), pathOf(to)]);
define("truncate", "fs.truncate", (path, size) => [pathOf(path), size]);
const seconds = (time) => (time instanceof Date ? time.getTime() : time * 1000);
define("utime", "fs.utime", (path, atime, mtime) => [pathOf(path), seconds(atime), seconds(mtime)]);
const temp = (directory) => (options) => [directory, options?.dir, options?.prefix, options?.suffix];
define("makeTempFile", "fs.makeTemp", temp(false));
define("makeTempDir", "fs.makeTemp", temp(true));

api.readDirSync = (path) => call("fs.readDir", pathOf(path))[Symbol.iterator]();
api.readDir = (path) => {
  const name = pathOf(path);
  return {
    async *[Symbol.asyncIterator]() {
      yield* await start("fs.readDir", name);
    },
  };
};

register("marsh:deno_fs", api);
