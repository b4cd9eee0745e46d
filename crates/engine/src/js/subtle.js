// crypto.subtle: checks what the standard checks; the mathematics is Rust's.

import { call as host, lazy, register, start, unsupported } from "marsh:core";
import { missing } from "marsh:unsupported";

const secret = Symbol("construct");
const kData = Symbol("key");
const bytesOf = (data) => lazy("marsh:text").bytesOf(data);
const fail = (name, message) => { throw new DOMException(message, name); };

export class CryptoKey {
  constructor(key, type, algorithm, extractable, usages, bytes) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    for (const [name, value] of Object.entries({ type, extractable, algorithm, usages: Object.freeze([...usages]) })) {
      Object.defineProperty(this, name, { value, enumerable: true });
    }
    Object.defineProperty(this, kData, { value: bytes });
  }
  get [Symbol.toStringTag]() { return "CryptoKey"; }
}
/** For node:crypto, which has keys of its own. */
export const makeKey = (type, algorithm, extractable, usages, bytes) => new CryptoKey(secret, type, algorithm, extractable, usages, bytes);
export const keyBytes = (key) => key[kData];

const names = [
  "HMAC", "RSASSA-PKCS1-v1_5", "RSA-PSS", "ECDSA", "Ed25519", "AES-GCM", "AES-CBC", "AES-CTR", "PBKDF2", "HKDF",
  "SHA-1", "SHA-256", "SHA-384", "SHA-512", "RSA-OAEP", "ECDH", "X25519", "AES-KW",
];
const absent = ["RSA-OAEP", "ECDH", "X25519", "AES-KW"];

function normal(algorithm) {
  const given = typeof algorithm === "string" ? { name: algorithm } : algorithm;
  const name = names.find((known) => known.toLowerCase() === String(given?.name).toLowerCase());
  if (!name) fail("NotSupportedError", `Unrecognized algorithm name: ${given?.name}`);
  if (absent.includes(name)) throw unsupported(`crypto.subtle with ${name}`);
  return { ...given, name };
}
function hashOf(algorithm) {
  if (algorithm.hash === undefined) throw new TypeError(`${algorithm.name} needs a 'hash'`);
  const { name } = normal(algorithm.hash);
  if (!name.startsWith("SHA-")) fail("NotSupportedError", `${name} is not a digest`);
  return name;
}
const curves = ["P-256", "P-384"];
function curveOf({ namedCurve }) {
  if (!curves.includes(namedCurve)) fail("NotSupportedError", `the curve ${namedCurve} is not available`);
  return namedCurve;
}

const usable = {
  "HMAC": ["sign", "verify"], "RSASSA-PKCS1-v1_5": ["sign", "verify"], "RSA-PSS": ["sign", "verify"], "ECDSA": ["sign", "verify"],
  "Ed25519": ["sign", "verify"], "PBKDF2": ["deriveKey", "deriveBits"], "HKDF": ["deriveKey", "deriveBits"],
};
for (const name of ["AES-GCM", "AES-CBC", "AES-CTR"]) usable[name] = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];

function check(name, type, usages) {
  let allowed = usable[name] ?? [];
  if (type === "private") allowed = allowed.filter((use) => use !== "verify");
  if (type === "public") allowed = allowed.filter((use) => use !== "sign");
  for (const use of usages) if (!allowed.includes(use)) fail("SyntaxError", `a ${type} ${name} key is not for '${use}'`);
  if (type !== "public" && usages.length === 0) fail("SyntaxError", "the key would have no usages");
  return [...new Set(usages)];
}

function pair(algorithm, found) {
  const { name } = algorithm;
  const { kind, bits, exponent } = found;
  const wanted = name.startsWith("RSA") ? "RSA" : name === "ECDSA" ? curveOf(algorithm) : name;
  if (kind !== wanted) fail("DataError", `the key is one for ${kind}, not for ${wanted}`);
  if (kind === "RSA") return { name, modulusLength: bits, publicExponent: exponent, hash: { name: hashOf(algorithm) } };
  return name === "ECDSA" ? { name, namedCurve: kind } : { name };
}

const blockBits = { "SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024 };
const b64 = (bytes) => host("base64.encode", bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const jwkAlg = {
  "RSASSA-PKCS1-v1_5": (key) => `RS${key.hash.name.slice(4).replace(/^1$/, "1")}`,
  "RSA-PSS": (key) => `PS${key.hash.name.slice(4)}`,
  "HMAC": (key) => `HS${key.hash.name.slice(4)}`,
  "AES-GCM": (key) => `A${key.length}GCM`, "AES-CBC": (key) => `A${key.length}CBC`, "AES-CTR": (key) => `A${key.length}CTR`,
};

function need(key, name, use) {
  if (!(key instanceof CryptoKey)) throw new TypeError("expected a CryptoKey");
  if (key.algorithm.name !== name) fail("InvalidAccessError", `the key is for ${key.algorithm.name}, not for ${name}`);
  if (!key.usages.includes(use)) fail("InvalidAccessError", `the key is not for '${use}'`);
  return key[kData];
}

const schemes = { "RSASSA-PKCS1-v1_5": "pkcs1", "RSA-PSS": "pss", "ECDSA": "ecdsa", "Ed25519": "ed25519" };
const buffer = (bytes) => bytes.buffer;
const same = (a, b) => a.length === b.length && a.reduce((difference, byte, at) => difference | (byte ^ b[at]), 0) === 0;

function cipher(algorithm, encrypt, key, data) {
  const { name } = algorithm;
  if (name === "AES-GCM") {
    if ((algorithm.tagLength ?? 128) !== 128) throw unsupported("AES-GCM with a tag of other than 128 bits");
    const extra = algorithm.additionalData === undefined ? undefined : bytesOf(algorithm.additionalData);
    return start("crypto.cipher", "gcm", encrypt, key, bytesOf(algorithm.iv), data, extra);
  }
  if (name === "AES-CBC") {
    const iv = bytesOf(algorithm.iv);
    if (iv.length !== 16) fail("OperationError", "the iv of AES-CBC has 16 bytes");
    return start("crypto.cipher", "cbc", encrypt, key, iv, data);
  }
  if (name === "AES-CTR") {
    if (![32, 64, 128].includes(algorithm.length)) throw unsupported(`AES-CTR with a counter of ${algorithm.length} bits`);
    return start("crypto.cipher", `ctr${algorithm.length}`, encrypt, key, bytesOf(algorithm.counter), data);
  }
  fail("NotSupportedError", `${name} does not encrypt`);
}

function derive(algorithm, key, bits) {
  if (!(bits > 0) || bits % 8) fail("OperationError", "the length of derived bits is a positive multiple of 8");
  const salt = bytesOf(algorithm.salt);
  if (algorithm.name === "PBKDF2") return start("crypto.derive", "pbkdf2", hashOf(algorithm), key, salt, bits / 8, Number(algorithm.iterations));
  if (algorithm.name === "HKDF") return start("crypto.derive", "hkdf", hashOf(algorithm), key, salt, bits / 8, bytesOf(algorithm.info));
  fail("NotSupportedError", `${algorithm.name} derives nothing`);
}

export class SubtleCrypto {
  async digest(algorithm, data) {
    const { name } = normal(algorithm);
    return buffer(host("crypto.digest", name, bytesOf(data)));
  }
  async importKey(format, data, algorithm, extractable, usages) {
    algorithm = normal(algorithm);
    const { name } = algorithm;
    usages = [...usages];
    const symmetric = ["HMAC", "PBKDF2", "HKDF"].includes(name) || name.startsWith("AES");
    if (!symmetric) {
      const input = format === "jwk" ? JSON.stringify(data) : bytesOf(data);
      const found = host("key.import", format, input, algorithm.namedCurve ?? name);
      return makeKey(found.type, pair(algorithm, found), !!extractable || found.type === "public", check(name, found.type, usages), found.bytes);
    }
    let bytes;
    if (format === "raw") bytes = bytesOf(data).slice();
    else if (format === "jwk") {
      if (data?.kty !== "oct" || typeof data.k !== "string") fail("DataError", "the JWK is not one of a secret key");
      bytes = host("base64.decode", data.k);
    } else fail("NotSupportedError", `a secret key is not imported as '${format}'`);
    if (name === "PBKDF2" || name === "HKDF") {
      if (extractable) fail("SyntaxError", `a ${name} key cannot be extractable`);
      return makeKey("secret", { name }, false, check(name, "secret", usages), bytes);
    }
    if (name === "HMAC") {
      if (bytes.length === 0) fail("DataError", "the key is empty");
      const described = { name, hash: { name: hashOf(algorithm) }, length: bytes.length * 8 };
      return makeKey("secret", described, !!extractable, check(name, "secret", usages), bytes);
    }
    if (![16, 24, 32].includes(bytes.length)) fail("DataError", "an AES key has 128, 192 or 256 bits");
    return makeKey("secret", { name, length: bytes.length * 8 }, !!extractable, check(name, "secret", usages), bytes);
  }
  async exportKey(format, key) {
    if (!(key instanceof CryptoKey)) throw new TypeError("expected a CryptoKey");
    if (!key.extractable) fail("InvalidAccessError", "the key is not extractable");
    const common = { key_ops: [...key.usages], ext: key.extractable };
    const alg = jwkAlg[key.algorithm.name]?.(key.algorithm);
    if (key.type === "secret") {
      if (format === "raw") return buffer(key[kData].slice());
      if (format === "jwk") return { kty: "oct", k: b64(key[kData]), alg, ...common };
      fail("NotSupportedError", `a secret key is not exported as '${format}'`);
    }
    const out = host("key.export", key.type, format, key[kData]);
    if (format !== "jwk") return buffer(out);
    return { ...JSON.parse(out), ...(alg ? { alg } : {}), ...common };
  }
  async generateKey(algorithm, extractable, usages) {
    algorithm = normal(algorithm);
    const { name } = algorithm;
    usages = [...usages];
    if (name.startsWith("AES")) {
      if (![128, 192, 256].includes(algorithm.length)) fail("OperationError", "an AES key has 128, 192 or 256 bits");
      return makeKey("secret", { name, length: algorithm.length }, !!extractable, check(name, "secret", usages), host("crypto.random", algorithm.length / 8));
    }
    if (name === "HMAC") {
      const hash = hashOf(algorithm);
      const length = algorithm.length ?? blockBits[hash];
      return makeKey("secret", { name, hash: { name: hash }, length }, !!extractable, check(name, "secret", usages), host("crypto.random", Math.ceil(length / 8)));
    }
    if (!schemes[name]) fail("NotSupportedError", `no key is generated for ${name}`);
    if (name.startsWith("RSA")) {
      const exponent = algorithm.publicExponent;
      if (!(exponent instanceof Uint8Array) || exponent.reduce((sum, byte) => sum * 256 + byte, 0) !== 65537) {
        throw unsupported("an RSA key with a public exponent other than 65537");
      }
    }
    const found = await start("key.generate", name.startsWith("RSA") ? "RSA" : name === "ECDSA" ? curveOf(algorithm) : name, algorithm.modulusLength);
    const described = pair(algorithm, found);
    const own = usages.filter((use) => use !== "verify");
    const { bytes } = host("key.public", found.bytes);
    return {
      publicKey: makeKey("public", described, true, check(name, "public", usages.filter((use) => use !== "sign")), bytes),
      privateKey: makeKey("private", described, !!extractable, check(name, "private", own), found.bytes),
    };
  }
  async sign(algorithm, key, data) {
    algorithm = normal(algorithm);
    const own = need(key, algorithm.name, "sign");
    data = bytesOf(data);
    if (algorithm.name === "HMAC") return buffer(host("crypto.hmac", key.algorithm.hash.name, own, data));
    if (key.type !== "private") fail("InvalidAccessError", "a public key does not sign");
    const hash = algorithm.name === "ECDSA" ? hashOf(algorithm) : key.algorithm.hash?.name ?? "";
    return buffer(await start("crypto.sign", schemes[algorithm.name], hash, own, data, algorithm.saltLength));
  }
  async verify(algorithm, key, signature, data) {
    algorithm = normal(algorithm);
    const own = need(key, algorithm.name, "verify");
    signature = bytesOf(signature);
    data = bytesOf(data);
    if (algorithm.name === "HMAC") return same(host("crypto.hmac", key.algorithm.hash.name, own, data), signature);
    const hash = algorithm.name === "ECDSA" ? hashOf(algorithm) : key.algorithm.hash?.name ?? "";
    return host("crypto.verify", schemes[algorithm.name], hash, own, signature, data, algorithm.saltLength);
  }
  async encrypt(algorithm, key, data) {
    algorithm = normal(algorithm);
    return buffer(await cipher(algorithm, true, need(key, algorithm.name, "encrypt"), bytesOf(data)));
  }
  async decrypt(algorithm, key, data) {
    algorithm = normal(algorithm);
    return buffer(await cipher(algorithm, false, need(key, algorithm.name, "decrypt"), bytesOf(data)));
  }
  async deriveBits(algorithm, key, length) {
    algorithm = normal(algorithm);
    return buffer(await derive(algorithm, need(key, algorithm.name, "deriveBits"), length));
  }
  async deriveKey(algorithm, key, wanted, extractable, usages) {
    algorithm = normal(algorithm);
    wanted = normal(wanted);
    const bits = wanted.length ?? (wanted.name === "HMAC" ? blockBits[hashOf(wanted)] : 256);
    const bytes = await derive(algorithm, need(key, algorithm.name, "deriveKey"), bits);
    return this.importKey("raw", bytes, wanted, extractable, usages);
  }
  get [Symbol.toStringTag]() { return "SubtleCrypto"; }
}
for (const name of ["wrapKey", "unwrapKey"]) SubtleCrypto.prototype[name] = missing(`crypto.subtle.${name}`);

export const subtle = new SubtleCrypto();
register("marsh:subtle", { subtle, SubtleCrypto, CryptoKey, makeKey, keyBytes });
