// node:stream/web

import { lazy, register } from "marsh:core";

const streams = lazy("marsh:streams");
export const {
  ReadableStream, ReadableStreamDefaultReader, ReadableStreamBYOBReader, ReadableStreamBYOBRequest, ReadableByteStreamController,
  ReadableStreamDefaultController, WritableStream, WritableStreamDefaultWriter, WritableStreamDefaultController, TransformStream,
  TransformStreamDefaultController, ByteLengthQueuingStrategy, CountQueuingStrategy, TextEncoderStream, TextDecoderStream,
  CompressionStream, DecompressionStream,
} = streams;
const { readableOf: _readable, chunkBytes: _bytes, collect: _collect, ...all } = streams;
export default register("node:stream/web", all);
