// The entry points that the event loop calls, and the life of a call.

import { call as host, complete, lazy, makeError, started } from "marsh:core";
import { AbortController, abortWith } from "marsh:abort";
import { fireTimer } from "marsh:timers";
import { dispatchGlobal } from "marsh:globals";

let dispatch;
const controllers = new Map();

async function load(url, shimName, engineVersion) {
  try {
    const shim = await import(shimName);
    const namespace = await import(url);
    const externals = {};
    for (const name of host("load.externals")) externals[name] = await import(name);
    if (typeof shim.dispatch !== "function") throw new TypeError("the shim exports no dispatch");
    dispatch = shim.dispatch;
    await shim.init?.({ namespace, externals, engineVersion });
    host("load.done");
  } catch (error) {
    host("load.done", describe(error));
  }
}

// Taken before any other code runs: a module that patches `JSON` changes its own values, not those of other calls.
const { parse, stringify } = JSON;
const json = (value) => stringify(value) ?? "null";

/** `own`: the functions of this call; they know its id, and no other code gets hold of them. */
async function start(id, op, params, own) {
  const { call: ownCall, start: ownStart } = own;
  const controller = new AbortController();
  controllers.set(id, controller);
  const context = {
    id,
    signal: controller.signal,
    request: (method, params) => started(ownStart("bridge.request", method, json(params))),
    requestSync: (method, params) => ownCall("bridge.request", method, json(params)),
    notify: (method, params) => ownCall("bridge.notify", method, json(params)),
  };
  try {
    const result = await dispatch(op, parse(params), context);
    ownCall("call.done", json(result));
  } catch (error) {
    ownCall("call.done", null, describe(error));
  } finally {
    controllers.delete(id);
  }
}

function abort(id, reason) {
  const controller = controllers.get(id);
  if (controller) abortWith(controller, new DOMException(reason || "The call was cancelled", "AbortError"));
}

// ---- errors ----

const asString = (value) => (typeof value === "string" ? value : undefined);

/** What a thrown value says about itself, as JSON; never throws. */
function describe(error) {
  const said = {};
  try {
    if ((typeof error !== "object" && typeof error !== "function") || error === null) {
      said.message = typeof error === "string" ? error : `thrown: ${String(error)}`;
      return JSON.stringify(said);
    }
    said.name = asString(error.name);
    said.message = asString(error.message) ?? `thrown: ${lazy("marsh:inspect").inspect(error)}`;
    said.stack = asString(error.stack);
    said.code = asString(error.code);
    if (error.cause !== undefined && said.stack !== undefined) {
      said.stack += `Caused by: ${asString(error.cause?.stack) ? `${error.cause.name}: ${error.cause.message}\n${error.cause.stack}` : String(error.cause)}`;
    }
    try {
      said.data = error.data === undefined ? undefined : JSON.parse(json(error.data));
    } catch {
      // Data that JSON cannot say is left out.
    }
    return JSON.stringify(said);
  } catch {
    return JSON.stringify({ name: said.name, message: said.message ?? "an error that cannot be read" });
  }
}

// ---- rejections without a handler ----

const rejected = new Map();

function rejection(promise, reason, handled) {
  if (handled) rejected.delete(promise);
  else rejected.set(promise, { reason, owner: host("current") });
}

/** Called when the microtasks have run dry: what is still unhandled now counts. */
function unhandled() {
  if (rejected.size === 0) return undefined;
  const list = [];
  for (const [promise, { reason, owner }] of rejected) {
    if (!dispatchGlobal("unhandledrejection", { promise, reason })) continue;
    list.push([owner, JSON.parse(describe(reason))]);
  }
  rejected.clear();
  return list.length ? JSON.stringify(list) : undefined;
}

/** Run a callback whose exception has nowhere to go: it fails the call it runs for. */
export function guard(callback, ...args) {
  try {
    callback(...args);
  } catch (error) {
    report(error);
  }
}

function report(error) {
  if (dispatchGlobal("error", { error, message: error?.message })) host("uncaught", describe(error));
}
globalThis.reportError = report;

const timer = (id) => guard(fireTimer, id);

export const entry = { load, start, abort, complete, timer, rejection, unhandled, describe, makeError };
