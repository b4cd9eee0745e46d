// The one place where JavaScript meets the native functions. Nothing else in the runtime can reach them: this module
// takes them out of the global object while it is evaluated, and only the surface may import it.

const native = globalThis.__marsh;
delete globalThis.__marsh;

export const call = native.call;

const waiting = new Map();

// Taken before any other code runs: what modules patch later changes nothing here.
const apply = Reflect.apply;
const nativeStart = native.start;

/** The promise of a host operation that was started; it settles when the completion arrives. */
export function started(op) {
  const { promise, resolve, reject } = Promise.withResolvers();
  waiting.set(op, { resolve, reject });
  return promise;
}

/** Start a host operation: its name and arguments. They are not spread, which would ask a patched iterator. */
export function start(...operation) {
  return started(apply(nativeStart, undefined, operation));
}

export function complete(op, ok, value) {
  const waiter = waiting.get(op);
  waiting.delete(op);
  if (ok) waiter?.resolve(value);
  else waiter?.reject(value);
}

// Modules of the surface that are evaluated on first use register what they export here.
const registry = new Map();

export function register(name, exports) {
  registry.set(name, exports);
  return exports;
}

export function lazy(name) {
  if (!registry.has(name)) native.evaluate(name);
  return registry.get(name);
}

/** A global that is evaluated on first use, and looks like a plain data property from then on. */
export function lazyProperty(target, key, get, enumerable = false) {
  const settle = (value) =>
    Object.defineProperty(target, key, { value, writable: true, enumerable, configurable: true });
  Object.defineProperty(target, key, {
    get() {
      const value = get();
      settle(value);
      return value;
    },
    set: settle,
    enumerable,
    configurable: true,
  });
}

const errorMakers = new Map([
  ["Error", Error],
  ["TypeError", TypeError],
  ["RangeError", RangeError],
  ["Uncatchable", Error],
]);

/** From a failed host operation to the error that Deno would throw. */
export function makeError(className, message, code, data) {
  let error;
  if (className === "Unsupported") {
    error = unsupportedError(message);
  } else if (className.startsWith("DOMException:")) {
    error = new DOMException(message, className.slice(13));
  } else {
    const Class = errorMakers.get(className) ?? lazy("marsh:errors").errors[className] ?? Error;
    error = new Class(message);
  }
  if (code != null) error.code = code;
  if (data != null) error.data = JSON.parse(data);
  return error;
}

export function unsupportedError(message) {
  const error = new Error(message);
  error.name = "Unsupported";
  error.code = "MARSH_UNSUPPORTED";
  return error;
}

export function unsupported(name) {
  return unsupportedError(`${name} is not available in marsh's engine`);
}

/** `require` of a node builtin, for CommonJS code inside a bundle. There is nothing else that could be required. */
export function requireBuiltin(name) {
  const known = call("module.node", String(name));
  if (known === null) {
    const error = new Error(`Cannot find module '${name}'`);
    error.code = "MODULE_NOT_FOUND";
    throw error;
  }
  return lazy(known);
}
