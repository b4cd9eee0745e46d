// Computing kernels, the same text under marsh's engine and under Deno. Each is run until it has taken a while; what is
// printed is the best time of one run in milliseconds.

const random = (() => {
  let state = 12345;
  return () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32;
})();
const numbers = Array.from({ length: 50000 }, random);
const words = Array.from({ length: 20000 }, (_, i) => `word${(i * 7919) % 5000}`);
const record = (i) => ({ id: i, name: `item ${i}`, tags: ["a", "b", `t${i % 10}`], nested: { x: i / 3, y: [i, i + 1] } });
const records = Array.from({ length: 2000 }, (_, i) => record(i));
const text = words.join(" ");

const K = Array.from({ length: 64 }, (_, i) => {
  let n = 2;
  for (let found = 0; ; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
    if (prime && found++ === i) break;
  }
  return Math.floor((Math.cbrt(n) % 1) * 2 ** 32);
});

function sha256(bytes) {
  const length = bytes.length;
  const padded = new Uint8Array(((length + 9 + 63) >> 6) << 6);
  padded.set(bytes);
  padded[length] = 0x80;
  new DataView(padded.buffer).setUint32(padded.length - 4, length * 8);
  const h = new Uint32Array([0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]);
  const w = new Uint32Array(64);
  const view = new DataView(padded.buffer);
  const rotate = (x, n) => (x >>> n) | (x << (32 - n));
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + i * 4);
    for (let i = 16; i < 64; i++) {
      const s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, k] = h;
    for (let i = 0; i < 64; i++) {
      const one = (k + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const two = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      k = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += k;
  }
  return [...h].map((part) => part.toString(16).padStart(8, "0")).join("");
}

const kernels = {
  "sort 50,000 numbers": () => [...numbers].sort((a, b) => a - b)[0],
  "sort 20,000 strings": () => [...words].sort()[0],
  "SHA-256 of 64 kB in JavaScript": () => sha256(new Uint8Array(65536)),
  "JSON, 2,000 records there and back": () => JSON.parse(JSON.stringify(records)).length,
  "regular expression over 180 kB": () => text.match(/\bword(\d)\1+\d*\b/g).length,
  "replace with a function": () => text.replace(/word(\d+)/g, (_, n) => `w${n}`).length,
  "string built of 200,000 parts": () => { let s = ""; for (let i = 0; i < 200000; i++) s += `${i},`; return s.length; },
  "map, filter, reduce over 50,000": () => numbers.map((x) => x * 2).filter((x) => x > 1).reduce((a, b) => a + b, 0),
  "count words in a Map": () => { const m = new Map(); for (const w of words) m.set(w, (m.get(w) ?? 0) + 1); return m.size; },
  "multiply 100 × 100 matrices": () => {
    const n = 100, a = new Float64Array(n * n).fill(1.5), b = new Float64Array(n * n).fill(2), c = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) { let s = 0; for (let k = 0; k < n; k++) s += a[i * n + k] * b[k * n + j]; c[i * n + j] = s; }
    return c[0];
  },
  "fib(24)": () => { const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)); return fib(24); },
  "objects spread 20,000 times": () => { let o = { a: 1 }; for (let i = 0; i < 20000; i++) o = { ...o, b: i }; return o.b; },
  "20,000 awaits": async () => { let n = 0; for (let i = 0; i < 20000; i++) n += await i; return n; },
  "structuredClone of 200 records": () => structuredClone(records.slice(0, 200)).length,
  "base64 of 64 kB": () => atob(btoa("x".repeat(65536))).length,
};

export async function measureAll() {
  const times = {};
  for (const [name, kernel] of Object.entries(kernels)) {
    let best = Infinity;
    const until = performance.now() + 300;
    for (let run = 0; run < 3 || performance.now() < until; run++) {
      const start = performance.now();
      await kernel();
      best = Math.min(best, performance.now() - start);
    }
    times[name] = best;
  }
  return times;
}
