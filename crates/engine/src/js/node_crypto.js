// node:crypto: randomness and hashes. The rest says that it is missing.

import { call as host, lazy, register } from "marsh:core";
import { Buffer } from "node:buffer";
import { missing } from "marsh:unsupported";

const bytesOf = (data, encoding) => (typeof data === "string" ? Buffer.from(data, encoding) : lazy("marsh:text").bytesOf(data));
const show = (bytes, encoding) => (encoding && encoding !== "buffer" ? Buffer.from(bytes).toString(encoding) : Buffer.from(bytes));

export class Hash {
  #id;
  constructor(algorithm, id) { this.#id = id ?? host("crypto.hash", String(algorithm)); }
  update(data, encoding) {
    host("crypto.update", this.#id, new Uint8Array(bytesOf(data, encoding)));
    return this;
  }
  digest(encoding) { return show(host("crypto.finish", this.#id), encoding); }
  copy() { return new Hash(null, host("crypto.copy", this.#id)); }
}
export const createHash = (algorithm) => new Hash(algorithm);
export const hash = (algorithm, data, encoding = "hex") => createHash(algorithm).update(data).digest(encoding);
export const randomUUID = () => host("crypto.uuid");
export function randomBytes(size, callback) {
  const bytes = Buffer.from(host("crypto.random", size));
  if (!callback) return bytes;
  queueMicrotask(() => callback(null, bytes));
}
export function randomFillSync(array) {
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(host("crypto.random", array.byteLength));
  return array;
}
export function randomInt(min, max) {
  if (max === undefined) [min, max] = [0, min];
  const range = max - min;
  if (!(range > 0 && range <= 2 ** 48)) throw new RangeError("the range of randomInt is 1 to 2**48");
  const limit = 2 ** 48 - (2 ** 48 % range);
  for (;;) {
    const value = host("crypto.random", 6).reduce((sum, byte) => sum * 256 + byte, 0);
    if (value < limit) return min + (value % range);
  }
}
export function timingSafeEqual(a, b) {
  const [x, y] = [bytesOf(a), bytesOf(b)];
  if (x.length !== y.length) throw new RangeError("Input buffers must have the same byte length");
  let difference = 0;
  for (let at = 0; at < x.length; at++) difference |= x[at] ^ y[at];
  return difference === 0;
}
export const getHashes = () => ["sha1", "sha256", "sha384", "sha512"];
export const webcrypto = globalThis.crypto;
export const subtle = webcrypto.subtle;
export const getRandomValues = (array) => webcrypto.getRandomValues(array);
const absent = {};
for (const name of ["createHmac", "createSign", "createVerify", "createPrivateKey", "createPublicKey", "createSecretKey", "createCipheriv", "createDecipheriv", "sign", "verify", "scrypt", "scryptSync", "pbkdf2", "pbkdf2Sync", "hkdf", "hkdfSync", "generateKeyPair", "generateKeyPairSync", "X509Certificate", "KeyObject", "createDiffieHellman", "createECDH", "publicEncrypt", "privateDecrypt"]) {
  absent[name] = missing(`crypto.${name}`);
}
export const { createHmac, createSign, createVerify, createPrivateKey, createPublicKey, createSecretKey, createCipheriv, createDecipheriv, sign, verify, scrypt, scryptSync, pbkdf2, pbkdf2Sync, hkdf, hkdfSync, generateKeyPair, generateKeyPairSync, X509Certificate, KeyObject, createDiffieHellman, createECDH, publicEncrypt, privateDecrypt } = absent;
export default register("node:crypto", { Hash, createHash, hash, randomUUID, randomBytes, randomFillSync, randomInt, timingSafeEqual, getHashes, webcrypto, subtle, getRandomValues, ...absent });
