// node:worker_threads as the main thread sees it. There are no workers.

import { lazy, register } from "marsh:core";
import { missing } from "marsh:unsupported";

const { BroadcastChannel, MessageChannel, MessagePort, receive } = lazy("marsh:message");
export { BroadcastChannel, MessageChannel, MessagePort };
export const isMainThread = true;
export const isInternalThread = false;
export const threadId = 0;
export const threadName = "";
export const parentPort = null;
export const workerData = null;
export const resourceLimits = {};
export const SHARE_ENV = Symbol.for("nodejs.worker_threads.SHARE_ENV");
export const Worker = missing("node:worker_threads.Worker");
export const moveMessagePortToContext = missing("node:worker_threads.moveMessagePortToContext");
export const postMessageToThread = missing("node:worker_threads.postMessageToThread");
/** The first message that waits, without the event. */
export const receiveMessageOnPort = (port) => receive(port);
const untransferable = new WeakSet();
export const markAsUntransferable = (value) => void untransferable.add(value);
export const isMarkedAsUntransferable = (value) => untransferable.has(value);
export const markAsUncloneable = () => {};
const environment = new Map();
export const setEnvironmentData = (key, value) => void (value === undefined ? environment.delete(key) : environment.set(key, value));
export const getEnvironmentData = (key) => environment.get(key);
export default register("node:worker_threads", {
  BroadcastChannel, MessageChannel, MessagePort, isMainThread, isInternalThread, threadId, threadName, parentPort, workerData, resourceLimits, SHARE_ENV,
  Worker, moveMessagePortToContext, postMessageToThread, receiveMessageOnPort, markAsUntransferable, isMarkedAsUntransferable, markAsUncloneable,
  setEnvironmentData, getEnvironmentData,
});
