// Stands before every case. A check is a name and a function; what it returns or throws is put into JSON in a way that
// keeps what JSON drops (undefined, NaN, bytes, classes), so that two engines can be compared by text.

const checks = [];

function check(name, body) {
  if (checks.some((known) => known.name === name)) throw new Error(`two checks are called ${name}`);
  checks.push({ name, body });
}

/** What `promise` rejects with, or an error that it did not. */
async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}

/** The error that `body` throws. */
function thrown(body) {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error("it did not throw");
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ports and directories differ from run to run. */
const plain = (text) => {
  text = text.replaceAll(env.base, "<base>").replaceAll(env.dir, "<dir>");
  return text.isWellFormed() ? text : { $: "ill-formed", is: JSON.stringify(text) };
};

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function normal(value, above = []) {
  switch (typeof value) {
    case "undefined":
      return { $: "undefined" };
    case "boolean":
      return value;
    case "string":
      return plain(value);
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { $: "number", is: Object.is(value, -0) ? "-0" : String(value) };
    case "bigint":
    case "symbol":
      return { $: typeof value, is: String(value) };
    case "function":
      return { $: "function", is: value.name };
  }
  if (value === null) return null;
  if (above.includes(value)) return { $: "circular" };
  above = [...above, value];
  const inner = (each) => normal(each, above);
  if (Array.isArray(value)) return Array.from(value, inner);
  // Messages are compared only where a check returns them.
  if (value instanceof Error) return { $: "error", ...failure(value) };
  const name = value.constructor?.name ?? "null";
  if (value instanceof ArrayBuffer) return { $: name, is: hex(new Uint8Array(value)) };
  if (ArrayBuffer.isView(value)) return { $: name, is: hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) };
  if (value instanceof Date) return { $: name, is: isNaN(value) ? "invalid" : value.toISOString() };
  if (value instanceof RegExp) return { $: name, is: String(value) };
  if (value instanceof Map) return { $: name, is: Array.from(value, ([key, each]) => [inner(key), inner(each)]) };
  if (value instanceof Set) return { $: name, is: Array.from(value, inner) };
  const own = Object.fromEntries(Object.keys(value).map((key) => [key, inner(value[key])]));
  return name === "Object" || name === "null" ? own : { $: name, ...own };
}

function failure(error) {
  const said = { threw: String(error?.name ?? error) };
  if (typeof error?.code === "string") said.code = error.code;
  return said;
}

// An RSA key takes a debug build some seconds, and more on a busy machine.
const PATIENCE_MS = 60_000;

export async function runChecks() {
  const results = [];
  for (const { name, body } of checks) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE_MS, { $: "never ends" })));
    try {
      results.push({ name, value: normal(await Promise.race([(async () => body())(), late])) });
    } catch (error) {
      results.push({ name, ...failure(error), ...(error?.message ? { message: String(error.message) } : {}) });
    }
    clearTimeout(timer);
  }
  return results;
}
