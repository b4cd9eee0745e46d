// node:stream/consumers

import { lazy, register } from "marsh:core";
import { Buffer } from "node:buffer";

export async function buffer(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
}
export const text = async (stream) => (await buffer(stream)).toString();
export const json = async (stream) => JSON.parse(await text(stream));
export const arrayBuffer = async (stream) => new Uint8Array(await buffer(stream)).buffer;
export const blob = async (stream) => new (lazy("marsh:blob").Blob)([await buffer(stream)]);
export default register("node:stream/consumers", { buffer, text, json, arrayBuffer, blob });
