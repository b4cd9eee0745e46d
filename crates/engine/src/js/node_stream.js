// node:stream: the vendored streams, and the bridges to the web's.

import { lazy, register } from "marsh:core";
import Stream from "marsh:readable_stream";
import { Buffer } from "node:buffer";

const { Readable, Writable, Duplex, Transform, PassThrough } = Stream;
const isByteSource = (chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk);

Readable.fromWeb = (stream, options = {}) => {
  const reader = stream.getReader();
  return new Readable({
    objectMode: false,
    ...options,
    read() {
      reader.read().then(({ value, done }) => {
        if (done) this.push(null);
        else this.push(!this.readableObjectMode && value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length) : value);
      }, (error) => this.destroy(error));
    },
    destroy(error, callback) {
      reader.cancel(error).then(() => callback(error), () => callback(error));
    },
  });
};
Readable.toWeb = (readable) => {
  const { ReadableStream } = lazy("marsh:streams");
  const iterator = readable[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(Buffer.isBuffer(value) ? new Uint8Array(value) : value);
    },
    cancel: (reason) => void readable.destroy(reason instanceof Error ? reason : undefined),
  }, { highWaterMark: 0 });
};
Writable.fromWeb = (stream, options = {}) => {
  const writer = stream.getWriter();
  return new Writable({
    ...options,
    write(chunk, _, callback) { writer.write(chunk).then(() => callback(), callback); },
    final(callback) { writer.close().then(() => callback(), callback); },
    destroy(error, callback) {
      if (error) writer.abort(error).then(() => callback(error), () => callback(error));
      else callback(null);
    },
  });
};
Writable.toWeb = (writable) => new (lazy("marsh:streams").WritableStream)({
  write: (chunk) => new Promise((resolve, reject) => writable.write(isByteSource(chunk), (error) => (error ? reject(error) : resolve()))),
  close: () => new Promise((resolve, reject) => {
    writable.once("error", reject);
    writable.end(resolve);
  }),
  abort: (reason) => void writable.destroy(reason instanceof Error ? reason : undefined),
});
Duplex.toWeb = (duplex) => ({ readable: Readable.toWeb(duplex), writable: Writable.toWeb(duplex) });
Duplex.fromWeb = ({ readable, writable }, options) => Duplex.from({ readable: Readable.fromWeb(readable, options), writable: Writable.fromWeb(writable, options) });

export const { pipeline, finished, addAbortSignal, compose, promises, destroy, isReadable, isErrored, isDisturbed, _uint8ArrayToBuffer, _isUint8Array } = Stream;
let highWaterMark = 65536;
export const getDefaultHighWaterMark = (objectMode) => (objectMode ? 16 : highWaterMark);
export const setDefaultHighWaterMark = (objectMode, value) => { if (!objectMode) highWaterMark = value; };
export const isWritable = (stream) => !!stream?.writable && !stream.destroyed;
Object.assign(Stream, { getDefaultHighWaterMark, setDefaultHighWaterMark, isWritable });
export { Stream, Readable, Writable, Duplex, Transform, PassThrough };
export default register("node:stream", Stream);
