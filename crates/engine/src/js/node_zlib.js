// node:zlib: gzip, deflate, raw deflate and Brotli.

import { call as host, lazy, register, start } from "marsh:core";
import { Buffer } from "node:buffer";
import { Transform } from "node:stream";

const plain = (data) => {
  if (typeof data === "string") return host("text.utf8", data);
  const bytes = lazy("marsh:text").bytesOf(data);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
};
const kinds = {
  gzip: ["gzip", true], gunzip: ["gzip", false], deflate: ["deflate", true], inflate: ["deflate", false],
  deflateRaw: ["deflate-raw", true], inflateRaw: ["deflate-raw", false], unzip: ["unzip", false],
  brotliCompress: ["br", true], brotliDecompress: ["br", false],
};
const BROTLI_PARAM_QUALITY = 1;
const api = {};
for (const [name, [format, compress]] of Object.entries(kinds)) {
  const level = (options) => (format === "br" ? options?.params?.[BROTLI_PARAM_QUALITY] : options?.level);
  const args = (data, options) => ["flate.all", format, compress, plain(data), level(options)];
  api[`${name}Sync`] = (data, options) => Buffer.from(host(...args(data, options)).buffer);
  api[name] = (data, options, callback = options) => {
    start(...args(data, typeof options === "object" ? options : undefined))
      .then((bytes) => setTimeout(callback, 0, null, Buffer.from(bytes.buffer)), (error) => setTimeout(callback, 0, error));
  };
  const Class = `${name[0].toUpperCase()}${name.slice(1)}`;
  api[Class] = {
    [Class]: class extends Transform {
      #id;
      #format = format;
      #level;
      constructor(options) {
        super(options);
        this.#level = level(options);
      }
      bytesWritten = 0;
      #run(op, ...rest) {
        this.#id ??= host("flate.open", this.#format, compress, this.#level);
        const out = host(op, this.#id, ...rest);
        if (out.length) this.push(Buffer.from(out.buffer));
      }
      _transform(chunk, _, callback) {
        try {
          if (this.#format === "unzip") this.#format = chunk[0] === 0x1f ? "gzip" : "deflate";
          this.bytesWritten += chunk.length;
          this.#run("flate.push", plain(chunk));
          callback();
        } catch (error) {
          callback(error);
        }
      }
      _flush(callback) {
        try {
          if (this.#format === "unzip") return callback();
          this.#run("flate.finish");
          callback();
        } catch (error) {
          callback(error);
        }
      }
      _destroy(error, callback) {
        if (this.#id !== undefined) host("flate.drop", this.#id);
        callback(error);
      }
      close(callback) { this.destroy(null, callback); }
      flush(callback) { if (callback) queueMicrotask(callback); }
    },
  }[Class];
  api[`create${Class}`] = (options) => new api[Class](options);
}
api.crc32 = (data, before = 0) => host("flate.crc32", plain(data), before);
api.constants = {
  Z_NO_FLUSH: 0, Z_PARTIAL_FLUSH: 1, Z_SYNC_FLUSH: 2, Z_FULL_FLUSH: 3, Z_FINISH: 4, Z_OK: 0, Z_STREAM_END: 1, Z_BUF_ERROR: -5, Z_DATA_ERROR: -3,
  Z_NO_COMPRESSION: 0, Z_BEST_SPEED: 1, Z_BEST_COMPRESSION: 9, Z_DEFAULT_COMPRESSION: -1, Z_DEFAULT_STRATEGY: 0, BROTLI_OPERATION_FLUSH: 1,
  BROTLI_OPERATION_PROCESS: 0, BROTLI_OPERATION_FINISH: 2, BROTLI_PARAM_QUALITY,
};
Object.assign(api, api.constants);
export const {
  gzip, gunzip, deflate, inflate, deflateRaw, inflateRaw, unzip, gzipSync, gunzipSync, deflateSync, inflateSync, deflateRawSync, inflateRawSync,
  unzipSync, createGzip, createGunzip, createDeflate, createInflate, createDeflateRaw, createInflateRaw, createUnzip, Gzip, Gunzip, Deflate,
  Inflate, DeflateRaw, InflateRaw, Unzip, BrotliCompress, BrotliDecompress, brotliCompress, brotliCompressSync, brotliDecompress, brotliDecompressSync, createBrotliCompress,
  createBrotliDecompress, crc32, constants,
} = api;
export default register("node:zlib", api);
