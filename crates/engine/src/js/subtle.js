// crypto.subtle: checks what the standard checks; the mathematics is Rust's.

import { call as host, lazy, register, start, unsupported } from "marsh:core";

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
const absent = ["X25519", "AES-KW"];

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
const curved = ["ECDSA", "ECDH"];
function curveOf({ namedCurve }) {
  if (!curves.includes(namedCurve)) fail("NotSupportedError", `the curve ${namedCurve} is not available`);
  return namedCurve;
}
const keyKind = (algorithm) =>
  algorithm.name.startsWith("RSA") ? "RSA" : curved.includes(algorithm.name) ? curveOf(algorithm) : algorithm.name;

const usable = {
  "HMAC": ["sign", "verify"], "RSASSA-PKCS1-v1_5": ["sign", "verify"], "RSA-PSS": ["sign", "verify"], "ECDSA": ["sign", "verify"],
  "Ed25519": ["sign", "verify"], "PBKDF2": ["deriveKey", "deriveBits"], "HKDF": ["deriveKey", "deriveBits"],
  "ECDH": ["deriveKey", "deriveBits"],
};
for (const name of ["AES-GCM", "AES-CBC", "AES-CTR", "RSA-OAEP"]) usable[name] = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];
const publicUses = ["verify", "encrypt", "wrapKey"];
const fits = (type, use) => type === "secret" || publicUses.includes(use) === (type === "public");

function check(name, type, usages) {
  for (const use of usages) {
    if (!usable[name]?.includes(use) || !fits(type, use)) fail("SyntaxError", `a ${type} ${name} key is not for '${use}'`);
  }
  if (type !== "public" && usages.length === 0) fail("SyntaxError", "the key would have no usages");
  return [...new Set(usages)];
}

function pair(algorithm, found) {
  const { name } = algorithm;
  const { kind, bits, exponent } = found;
  const wanted = keyKind(algorithm);
  if (kind !== wanted) fail("DataError", `the key is one for ${kind}, not for ${wanted}`);
  if (kind === "RSA") return { name, modulusLength: bits, publicExponent: exponent, hash: { name: hashOf(algorithm) } };
  return curved.includes(name) ? { name, namedCurve: kind } : { name };
}

const blockBits = { "SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024 };
const b64 = (bytes) => host("base64.encode", bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const jwkAlg = {
  "RSASSA-PKCS1-v1_5": (key) => `RS${key.hash.name.slice(4).replace(/^1$/, "1")}`,
  "RSA-PSS": (key) => `PS${key.hash.name.slice(4)}`,
  "RSA-OAEP": (key) => (key.hash.name === "SHA-1" ? "RSA-OAEP" : `RSA-OAEP-${key.hash.name.slice(4)}`),
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
const generated = [...Object.keys(schemes), "RSA-OAEP", "ECDH"];
const buffer = (bytes) => bytes.buffer;
const same = (a, b) => a.length === b.length && a.reduce((difference, byte, at) => difference | (byte ^ b[at]), 0) === 0;

const optionalBytes = (value) => (value === undefined ? undefined : bytesOf(value));

function cipher(algorithm, encrypt, key, data, of) {
  const { name } = algorithm;
  if (name === "RSA-OAEP") return start("crypto.oaep", of.algorithm.hash.name, encrypt, key, data, optionalBytes(algorithm.label));
  if (name === "AES-GCM") {
    const tag = algorithm.tagLength ?? 128;
    if (![32, 64, 96, 104, 112, 120, 128].includes(tag)) fail("OperationError", `a tag of AES-GCM does not have ${tag} bits`);
    return start("crypto.cipher", "gcm", encrypt, key, bytesOf(algorithm.iv), data, optionalBytes(algorithm.additionalData), tag / 8);
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

/** What two owners of keys share, or its first bits. */
async function agree({ public: other }, of, bits) {
  if (!(other instanceof CryptoKey)) throw new TypeError("ECDH needs the 'public' key of the other side");
  const { name, namedCurve } = of.algorithm;
  if (of.type !== "private") fail("InvalidAccessError", "a public key agrees on nothing");
  if (other.type !== "public" || other.algorithm.name !== name || other.algorithm.namedCurve !== namedCurve) {
    fail("InvalidAccessError", `the other key is not a public ${name} key of ${namedCurve}`);
  }
  const all = await start("crypto.agree", of[kData], other[kData]);
  if (bits === null || bits === undefined) return all;
  if (!(bits >= 0 && bits <= all.length * 8)) fail("OperationError", `${name} with ${namedCurve} gives ${all.length * 8} bits, not ${bits}`);
  const some = all.slice(0, Math.ceil(bits / 8));
  // The standard clears what is beyond the length.
  if (bits % 8) some[some.length - 1] &= 0xff << (8 - (bits % 8));
  return some;
}

function derive(algorithm, of, use, bits) {
  const key = need(of, algorithm.name, use);
  if (algorithm.name === "ECDH") return agree(algorithm, of, bits);
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
    if (!generated.includes(name)) fail("NotSupportedError", `no key is generated for ${name}`);
    if (name.startsWith("RSA")) {
      const exponent = algorithm.publicExponent;
      if (!(exponent instanceof Uint8Array) || exponent.reduce((sum, byte) => sum * 256 + byte, 0) !== 65537) {
        throw unsupported("an RSA key with a public exponent other than 65537");
      }
    }
    for (const use of usages) if (!usable[name].includes(use)) fail("SyntaxError", `a ${name} key is not for '${use}'`);
    const uses = (type) => check(name, type, usages.filter((use) => fits(type, use)));
    const [forPublic, forPrivate] = [uses("public"), uses("private")];
    const found = await start("key.generate", keyKind(algorithm), algorithm.modulusLength);
    const described = pair(algorithm, found);
    const { bytes } = host("key.public", found.bytes);
    return {
      publicKey: makeKey("public", described, true, forPublic, bytes),
      privateKey: makeKey("private", described, !!extractable, forPrivate, found.bytes),
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
    return buffer(await cipher(algorithm, true, need(key, algorithm.name, "encrypt"), bytesOf(data), key));
  }
  async decrypt(algorithm, key, data) {
    algorithm = normal(algorithm);
    return buffer(await cipher(algorithm, false, need(key, algorithm.name, "decrypt"), bytesOf(data), key));
  }
  async deriveBits(algorithm, key, length) {
    return buffer(await derive(normal(algorithm), key, "deriveBits", length));
  }
  async deriveKey(algorithm, key, wanted, extractable, usages) {
    wanted = normal(wanted);
    const { name } = wanted;
    // A key to derive from is as long as what there is.
    const bits = usable[name]?.includes("deriveBits") ? null : wanted.length ?? (name === "HMAC" ? blockBits[hashOf(wanted)] : 256);
    const bytes = await derive(normal(algorithm), key, "deriveKey", bits);
    return this.importKey("raw", bytes, wanted, extractable, usages);
  }
  async wrapKey(format, key, by, algorithm) {
    algorithm = normal(algorithm);
    const own = need(by, algorithm.name, "wrapKey");
    const out = await this.exportKey(format, key);
    const bytes = format === "jwk" ? host("text.utf8", JSON.stringify(out)) : new Uint8Array(out);
    return buffer(await cipher(algorithm, true, own, bytes, by));
  }
  async unwrapKey(format, wrapped, by, algorithm, wanted, extractable, usages) {
    algorithm = normal(algorithm);
    const bytes = await cipher(algorithm, false, need(by, algorithm.name, "unwrapKey"), bytesOf(wrapped), by);
    let data = bytes;
    if (format === "jwk") {
      try {
        data = JSON.parse(new (lazy("marsh:text").TextDecoder)().decode(bytes));
      } catch {
        fail("DataError", "the unwrapped bytes are not a JWK");
      }
    }
    return this.importKey(format, data, wanted, extractable, usages);
  }
  get [Symbol.toStringTag]() { return "SubtleCrypto"; }
}

export const subtle = new SubtleCrypto();
register("marsh:subtle", { subtle, SubtleCrypto, CryptoKey, makeKey, keyBytes });
