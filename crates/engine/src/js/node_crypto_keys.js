// Keys, signatures and ciphers of node:crypto.

import { call as host, lazy, start, unsupported } from "marsh:core";
import { Buffer } from "node:buffer";

export const bytesOf = (data, encoding) => (typeof data === "string" ? Buffer.from(data, encoding) : lazy("marsh:text").bytesOf(data));
export const plain = (data, encoding) => {
  const bytes = bytesOf(data, encoding);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
};
export const show = (bytes, encoding) => (encoding && encoding !== "buffer" ? Buffer.from(bytes).toString(encoding) : Buffer.from(bytes));

const pem = (label, der) => `-----BEGIN ${label}-----\n${host("base64.encode", der).replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;
const kinds = { "RSA": "rsa", "P-256": "ec", "P-384": "ec", "Ed25519": "ed25519" };
const curves = { "P-256": "prime256v1", "P-384": "secp384r1" };

export class KeyObject {
  constructor(type, bytes, found) {
    this.type = type;
    Object.defineProperty(this, "_bytes", { value: bytes });
    Object.defineProperty(this, "_kind", { value: found?.kind });
    if (!found) {
      this.symmetricKeySize = bytes.length;
      return;
    }
    this.asymmetricKeyType = kinds[found.kind];
    this.asymmetricKeyDetails = found.kind === "RSA"
      ? { modulusLength: found.bits, publicExponent: found.exponent.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) }
      : curves[found.kind] ? { namedCurve: curves[found.kind] } : {};
  }
  export({ format, type } = {}) {
    if (this.type === "secret") return format === "jwk" ? { kty: "oct", k: show(this._bytes, "base64url") } : Buffer.from(this._bytes);
    if (format === "jwk") return JSON.parse(host("key.export", this.type, "jwk", this._bytes));
    const usual = this.type === "private" ? "pkcs8" : "spki";
    if ((type ?? usual) !== usual) throw unsupported(`crypto.KeyObject.export as ${type}`);
    return format === "der" ? Buffer.from(this._bytes) : pem(this.type === "private" ? "PRIVATE KEY" : "PUBLIC KEY", this._bytes);
  }
  equals(other) { return this.type === other.type && Buffer.from(this._bytes).equals(Buffer.from(other._bytes)); }
  get [Symbol.toStringTag]() { return "KeyObject"; }
}

const ofFound = (found) => new KeyObject(found.type, found.bytes, found);

function read(given, wanted) {
  if (given instanceof KeyObject) return given;
  const options = typeof given === "object" && given !== null && !ArrayBuffer.isView(given) && "key" in given ? given : { key: given };
  if (options.key instanceof KeyObject) return options.key;
  if (options.passphrase !== undefined) throw unsupported("an encrypted private key");
  try {
    if (options.format === "jwk") return ofFound(host("key.import", "jwk", JSON.stringify(options.key)));
    if (options.format === "der") return ofFound(host("key.import", options.type ?? (wanted === "private" ? "pkcs8" : "spki"), plain(options.key)));
    return ofFound(host("key.import", "pem", typeof options.key === "string" ? options.key : Buffer.from(options.key).toString()));
  } catch (error) {
    throw error.name === "DataError" ? Object.assign(new Error(error.message), { code: "ERR_OSSL_UNSUPPORTED" }) : error;
  }
}
export function createPrivateKey(given) {
  const key = read(given, "private");
  if (key.type !== "private") throw new TypeError("the key is not a private one");
  return key;
}
export function createPublicKey(given) {
  const key = read(given, "public");
  return key.type === "private" ? ofFound(host("key.public", key._bytes)) : key;
}
export const createSecretKey = (key, encoding) => new KeyObject("secret", plain(key, encoding).slice());
export const secretBytes = (key) => (key instanceof KeyObject ? key._bytes : plain(key));

export class Hmac {
  #hash;
  #key;
  #parts = [];
  constructor(hash, key) {
    this.#hash = String(hash);
    this.#key = secretBytes(key);
    host("crypto.hmac", this.#hash, this.#key, "");
  }
  update(data, encoding) {
    this.#parts.push(Buffer.from(bytesOf(data, encoding)));
    return this;
  }
  digest(encoding) {
    const parts = this.#parts;
    this.#parts = [];
    return show(host("crypto.hmac", this.#hash, this.#key, plain(Buffer.concat(parts))), encoding);
  }
}
export const createHmac = (hash, key) => new Hmac(hash, key);

const hashName = (name) => String(name ?? "sha256").replace(/^(?:id-)?(?:rsa-|ecdsa-with-)/i, "").replace(/^sha-?(\d+)$/i, "sha$1");
const RSA_PKCS1_PADDING = 1;
const RSA_PKCS1_PSS_PADDING = 6;
export const constants = { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST: -1, RSA_PSS_SALTLEN_MAX_SIGN: -2, RSA_PSS_SALTLEN_AUTO: -2 };

function scheme(key, given) {
  if (key._kind === "RSA") return given?.padding === RSA_PKCS1_PSS_PADDING ? "pss" : "pkcs1";
  if (key._kind === "Ed25519") return "ed25519";
  return given?.dsaEncoding === "ieee-p1363" ? "ecdsa" : "ecdsa-der";
}
const salt = (given) => (given?.saltLength >= 0 ? given.saltLength : undefined);

export function sign(hash, data, given, callback) {
  const key = createPrivateKey(given);
  const signature = Buffer.from(host("crypto.sign", scheme(key, given), hashName(hash), key._bytes, plain(data), salt(given)));
  if (!callback) return signature;
  queueMicrotask(() => callback(null, signature));
}
export function verify(hash, data, given, signature, callback) {
  const key = createPublicKey(given);
  const good = host("crypto.verify", scheme(key, given), hashName(hash), key._bytes, plain(signature), plain(data), salt(given));
  if (!callback) return good;
  queueMicrotask(() => callback(null, good));
}

class Collect {
  parts = [];
  update(data, encoding) {
    this.parts.push(Buffer.from(bytesOf(data, encoding)));
    return this;
  }
  write(data, encoding) { return this.update(data, encoding), true; }
  end(data, encoding) { if (data !== undefined) this.update(data, encoding); }
}
export class Sign extends Collect {
  constructor(hash) { super().hash = hash; }
  sign(key, encoding) { return show(sign(this.hash, Buffer.concat(this.parts), key), encoding); }
}
export class Verify extends Collect {
  constructor(hash) { super().hash = hash; }
  verify(key, signature, encoding) { return verify(this.hash, Buffer.concat(this.parts), key, bytesOf(signature, encoding)); }
}
export const createSign = (hash) => new Sign(hash);
export const createVerify = (hash) => new Verify(hash);

/** What is given is collected, and comes out whole at the end. */
class Cipher {
  #mode;
  #encrypt;
  #key;
  #iv;
  #parts = [];
  #aad;
  #tag;
  #padded = true;
  constructor(name, key, iv, encrypt) {
    const found = /^aes-?(128|192|256)-(gcm|cbc|ctr)$/i.exec(name);
    if (!found) throw unsupported(`crypto.createCipheriv with '${name}'`);
    this.#mode = found[2].toLowerCase();
    this.#encrypt = encrypt;
    this.#key = secretBytes(key);
    this.#iv = iv === null ? new Uint8Array(0) : plain(iv);
    if (this.#key.length * 8 !== Number(found[1])) throw Object.assign(new RangeError("Invalid key length"), { code: "ERR_CRYPTO_INVALID_KEYLEN" });
    if (this.#mode !== "gcm" && this.#iv.length !== 16) throw Object.assign(new TypeError("Invalid initialization vector"), { code: "ERR_CRYPTO_INVALID_IV" });
  }
  update(data, encoding, out) {
    this.#parts.push(Buffer.from(bytesOf(data, encoding)));
    return show(new Uint8Array(0), out);
  }
  setAAD(data) {
    this.#aad = plain(data);
    return this;
  }
  setAuthTag(tag, encoding) {
    this.#tag = bytesOf(tag, encoding);
    return this;
  }
  getAuthTag() {
    if (!this.#tag) throw new Error("the tag is there after final()");
    return Buffer.from(this.#tag);
  }
  setAutoPadding(padded = true) {
    this.#padded = !!padded;
    return this;
  }
  final(encoding) {
    const gcm = this.#mode === "gcm";
    if (gcm && !this.#encrypt) {
      if (!this.#tag) throw new Error("Unsupported state or unable to authenticate data");
      this.#parts.push(Buffer.from(this.#tag));
    }
    const mode = { gcm: "gcm", ctr: "ctr128", cbc: this.#padded ? "cbc" : "cbc-unpadded" }[this.#mode];
    let out;
    try {
      out = host("crypto.cipher", mode, this.#encrypt, this.#key, this.#iv, plain(Buffer.concat(this.#parts)), this.#aad);
    } catch (error) {
      throw error.name !== "OperationError" ? error : new Error(gcm ? "Unsupported state or unable to authenticate data" : error.message);
    }
    if (gcm && this.#encrypt) {
      this.#tag = out.slice(-16);
      out = out.slice(0, -16);
    }
    return show(out, encoding);
  }
}
export const createCipheriv = (name, key, iv) => new Cipher(name, key, iv, true);
export const createDecipheriv = (name, key, iv) => new Cipher(name, key, iv, false);

const later = (promise, callback) => {
  promise.then((bytes) => setTimeout(callback, 0, null, Buffer.from(bytes)), (error) => setTimeout(callback, 0, error));
};
const pbkdf2Args = (password, saltData, rounds, size, hash) => ["crypto.derive", "pbkdf2", String(hash), plain(password), plain(saltData), size, rounds];
export const pbkdf2Sync = (...args) => Buffer.from(host(...pbkdf2Args(...args)));
export const pbkdf2 = (password, saltData, rounds, size, hash, callback) => later(start(...pbkdf2Args(password, saltData, rounds, size, hash)), callback);
const hkdfArgs = (hash, key, saltData, info, size) => ["crypto.derive", "hkdf", String(hash), secretBytes(key), plain(saltData), size, plain(info)];
export const hkdfSync = (...args) => host(...hkdfArgs(...args)).buffer;
export const hkdf = (hash, key, saltData, info, size, callback) => {
  start(...hkdfArgs(hash, key, saltData, info, size)).then((bytes) => setTimeout(callback, 0, null, bytes.buffer), (error) => setTimeout(callback, 0, error));
};
function scryptArgs(password, saltData, size, options = {}) {
  const N = options.N ?? options.cost ?? 16384;
  if (!(N > 1 && Number.isInteger(Math.log2(N)))) throw new RangeError("the cost of scrypt is a power of two");
  return ["crypto.derive", "scrypt", "", plain(password), plain(saltData), size, Math.log2(N), options.r ?? options.blockSize ?? 8, options.p ?? options.parallelization ?? 1];
}
export const scryptSync = (...args) => Buffer.from(host(...scryptArgs(...args)));
export function scrypt(password, saltData, size, options, callback) {
  if (typeof options === "function") [options, callback] = [{}, options];
  later(start(...scryptArgs(password, saltData, size, options)), callback);
}

function generated(type, options, found) {
  const { publicKeyEncoding, privateKeyEncoding } = options ?? {};
  const privateKey = ofFound(found);
  const publicKey = createPublicKey(privateKey);
  return {
    publicKey: publicKeyEncoding ? publicKey.export(publicKeyEncoding) : publicKey,
    privateKey: privateKeyEncoding ? privateKey.export(privateKeyEncoding) : privateKey,
  };
}
function generateArgs(type, options) {
  const curve = { "prime256v1": "P-256", "P-256": "P-256", "secp384r1": "P-384", "P-384": "P-384" }[options?.namedCurve];
  const kind = { rsa: "RSA", ec: curve, ed25519: "Ed25519" }[type];
  if (!kind) throw unsupported(`crypto.generateKeyPair of ${type} ${options?.namedCurve ?? ""}`.trim());
  return ["key.generate", kind, options?.modulusLength];
}
export const generateKeyPairSync = (type, options) => generated(type, options, host(...generateArgs(type, options)));
export function generateKeyPair(type, options, callback) {
  start(...generateArgs(type, options)).then((found) => {
    const { publicKey, privateKey } = generated(type, options, found);
    setTimeout(callback, 0, null, publicKey, privateKey);
  }, (error) => setTimeout(callback, 0, error));
}
