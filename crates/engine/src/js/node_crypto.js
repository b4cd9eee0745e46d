// node:crypto: randomness and hashes here, keys and ciphers in node_crypto_keys.js. The rest says that it is missing.

import { call as host, register } from "marsh:core";
import { Buffer } from "node:buffer";
import { Transform } from "node:stream";
import { missing } from "marsh:unsupported";
import * as keys from "marsh:node_crypto_keys";

const { bytesOf, plain, show } = keys;

/** A hash is a stream too: it digests its input, and its output is the digest. */
export class Hash extends Transform {
  #id;
  constructor(algorithm, id) {
    super();
    this.#id = id ?? host("crypto.hash", String(algorithm).replace(/^RSA-/i, ""));
  }
  _transform(chunk, encoding, callback) {
    this.update(chunk, encoding);
    callback();
  }
  _flush(callback) {
    this.push(this.digest());
    callback();
  }
  update(data, encoding) {
    host("crypto.update", this.#id, plain(data, encoding));
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
export const getHashes = () => ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];
export const webcrypto = globalThis.crypto;
export const { subtle } = webcrypto;
export const getRandomValues = (array) => webcrypto.getRandomValues(array);
export const getCiphers = () => ["128", "192", "256"].flatMap((bits) => ["cbc", "ctr", "gcm"].map((mode) => `aes-${bits}-${mode}`));
export const getCurves = () => ["prime256v1", "secp384r1"];
export function randomFill(array, ...rest) {
  const callback = rest.pop();
  queueMicrotask(() => callback(null, randomFillSync(array)));
}
export {
  KeyObject, createPrivateKey, createPublicKey, createSecretKey, Hmac, createHmac, constants, sign, verify,
  Sign, Verify, createSign, createVerify, createCipheriv, createDecipheriv, pbkdf2Sync, pbkdf2, hkdfSync,
  hkdf, scryptSync, scrypt, generateKeyPairSync, generateKeyPair
} from "marsh:node_crypto_keys";
const absent = {};
for (const name of ["X509Certificate", "createDiffieHellman", "createECDH", "publicEncrypt", "publicDecrypt", "privateEncrypt", "privateDecrypt", "diffieHellman", "generateKey", "generateKeySync", "checkPrime", "ECDH", "DiffieHellman"]) {
  absent[name] = missing(`crypto.${name}`);
}
export const { X509Certificate, createDiffieHellman, createECDH, publicEncrypt, publicDecrypt, privateEncrypt, privateDecrypt, diffieHellman, generateKey, generateKeySync, checkPrime, ECDH, DiffieHellman } = absent;
const { bytesOf: _bytes, plain: _plain, show: _show, secretBytes: _secret, ...shared } = keys;
export default register("node:crypto", {
  ...absent, ...shared, Hash, createHash, hash, randomUUID, randomBytes, randomFill, randomFillSync, randomInt, timingSafeEqual, getHashes, getCiphers,
  getCurves, webcrypto, subtle, getRandomValues,
});
