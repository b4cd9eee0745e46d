// The part of node:fs that works on open files: descriptors, FileHandle, streams.

import { register } from "marsh:core";
import { Buffer } from "node:buffer";
import { Readable, Writable } from "node:stream";
import { nodeError, sync, told } from "marsh:node_fs_errors";
import { Stats, bytesOf, encodingOf, read as show } from "node:fs/promises";

const D = globalThis.Deno;
const files = new Map();
let next = 10;

function optionsOf(flags = "r", mode) {
  if (typeof flags === "number") {
    const write = (flags & 3) !== 0;
    return { read: (flags & 3) !== 1, write, create: !!(flags & 0o100), createNew: !!(flags & 0o200), truncate: !!(flags & 0o1000), append: !!(flags & 0o2000), mode };
  }
  const plus = flags.includes("+");
  const kind = flags[0];
  const createNew = flags.includes("x");
  const base = { read: kind === "r" || plus, write: kind === "w" || (kind === "r" && plus), append: kind === "a", truncate: kind === "w" && !createNew, mode };
  return { ...base, create: kind !== "r" && !createNew, createNew };
}
const keep = (file) => {
  files.set(++next, file);
  return next;
};
function find(fd) {
  const file = files.get(fd);
  if (!file) throw nodeError("EBADF", -9, "fstat");
  return file;
}

export const openSync = sync("open", (path, flags, mode) => keep(D.openSync(path, optionsOf(flags, mode))));
export function closeSync(fd) {
  find(fd).close();
  files.delete(fd);
}
/** At `position` without moving the file's own. */
function at(file, position, work) {
  if (typeof position !== "number" && typeof position !== "bigint") return work();
  const before = file.seekSync(0, 1);
  file.seekSync(Number(position), 0);
  try {
    return work();
  } finally {
    file.seekSync(before, 0);
  }
}
export function readSync(fd, buffer, offset = 0, length, position = null) {
  if (typeof offset === "object" && offset !== null) ({ offset = 0, length, position = null } = offset);
  const part = buffer.subarray(offset, offset + (length ?? buffer.byteLength - offset));
  return at(find(fd), position, () => find(fd).readSync(part) ?? 0);
}
export function writeSync(fd, data, ...rest) {
  let position = null;
  let bytes;
  if (typeof data === "string") {
    [position = null] = rest;
    bytes = Buffer.from(data, rest[1]);
  } else {
    const [offset = 0, length = data.byteLength - offset] = rest;
    position = rest[2] ?? null;
    bytes = data.subarray(offset, offset + length);
  }
  const file = find(fd);
  return at(file, position, () => {
    let written = 0;
    while (written < bytes.length) written += file.writeSync(bytes.subarray(written));
    return written;
  });
}
export const fstatSync = (fd) => new Stats(find(fd).statSync());
export const fsyncSync = (fd) => find(fd).syncSync();
export const ftruncateSync = (fd, size) => find(fd).truncateSync(size);

const later = (method) => (...args) => {
  const callback = args.pop();
  let result;
  try {
    result = method(...args);
  } catch (error) {
    return void setTimeout(callback, 0, error);
  }
  setTimeout(callback, 0, null, result, args[1]);
};
export const open = later(openSync);
export const close = later(closeSync);
export const read = later(readSync);
export const write = later(writeSync);
export const fstat = later(fstatSync);
export const fsync = later(fsyncSync);
export const ftruncate = later(ftruncateSync);

export class FileHandle {
  constructor(fd) { this.fd = fd; }
  async read(buffer = Buffer.alloc(16384), offset, length, position) { return { bytesRead: readSync(this.fd, buffer, offset, length, position), buffer }; }
  async write(data, ...rest) { return { bytesWritten: writeSync(this.fd, data, ...rest), buffer: data }; }
  async readFile(options) {
    const parts = [];
    for (;;) {
      const part = new Uint8Array(65536);
      const size = await find(this.fd).read(part);
      if (size === null) break;
      parts.push(part.subarray(0, size));
    }
    return show(Buffer.concat(parts), options);
  }
  async writeFile(data, options) { writeSync(this.fd, bytesOf(data, options)); }
  async appendFile(data, options) { return this.writeFile(data, options); }
  async stat() { return fstatSync(this.fd); }
  async truncate(size) { ftruncateSync(this.fd, size); }
  async sync() { fsyncSync(this.fd); }
  async datasync() { fsyncSync(this.fd); }
  async close() { closeSync(this.fd); }
  createReadStream(options) { return new ReadStream(null, { ...options, fd: this.fd }); }
  createWriteStream(options) { return new WriteStream(null, { ...options, fd: this.fd }); }
  async [Symbol.asyncDispose]() { closeSync(this.fd); }
}
const openFile = async (path, options) => {
  try {
    return await D.open(path, options);
  } catch (error) {
    throw told(error, "open", [path]);
  }
};
export const openHandle = async (path, flags, mode) => new FileHandle(keep(await openFile(path, optionsOf(flags, mode))));

const base = (options) => (typeof options === "string" ? { encoding: options } : { ...options });

/** What both streams do at their beginning and end. */
const opening = (stream, path, flags, options) => (callback) => {
  const opened = options.fd === undefined || options.fd === null ? openFile(path, optionsOf(flags, options.mode)) : Promise.resolve(find(options.fd.fd ?? options.fd));
  opened.then(async (file) => {
    stream._file = file;
    if (options.start) await file.seek(options.start, 0);
    callback();
    stream.emit("open", stream.fd ?? 0);
    stream.emit("ready");
  }).catch(callback);
};
function closing(stream, options, error, callback) {
  if (options.autoClose !== false || !error) {
    try {
      stream._file?.close();
    } catch {
      // Closed before.
    }
  }
  callback(error);
}

export class ReadStream extends Readable {
  constructor(path, given) {
    const options = base(given);
    super({ highWaterMark: options.highWaterMark ?? 65536, encoding: encodingOf(options), signal: options.signal, emitClose: options.emitClose });
    this.path = path;
    this.bytesRead = 0;
    this._options = options;
    this._left = options.end === undefined || options.end === Infinity ? Infinity : options.end - (options.start ?? 0) + 1;
  }
  _construct(callback) { queueMicrotask(() => opening(this, this.path, this._options.flags ?? "r", this._options)(callback)); }
  _read(size) {
    const wanted = Math.min(size, this._left);
    if (wanted <= 0) return void this.push(null);
    const bytes = new Uint8Array(wanted);
    this._file.read(bytes).then((count) => {
      if (count === null) return this.push(null);
      this._left -= count;
      this.bytesRead += count;
      this.push(Buffer.from(bytes.buffer, 0, count));
    }, (error) => this.destroy(error));
  }
  _destroy(error, callback) { closing(this, this._options, error, callback); }
  close(callback) { this.destroy(null, callback); }
}
export class WriteStream extends Writable {
  constructor(path, given) {
    const options = base(given);
    super({ highWaterMark: options.highWaterMark, decodeStrings: true, defaultEncoding: encodingOf(options) ?? "utf8", signal: options.signal, emitClose: options.emitClose });
    this.path = path;
    this.bytesWritten = 0;
    this._options = options;
  }
  _construct(callback) { queueMicrotask(() => opening(this, this.path, this._options.flags ?? "w", this._options)(callback)); }
  _write(chunk, _, callback) {
    (async () => {
      let rest = new Uint8Array(chunk);
      while (rest.length) rest = rest.subarray(await this._file.write(rest));
      this.bytesWritten += chunk.length;
    })().then(() => callback(), callback);
  }
  _destroy(error, callback) { closing(this, this._options, error, callback); }
  close(callback) { this.end(callback); }
}
export const createReadStream = (path, options) => new ReadStream(path, options);
export const createWriteStream = (path, options) => new WriteStream(path, options);

register("marsh:node_fs_open", { openHandle });
