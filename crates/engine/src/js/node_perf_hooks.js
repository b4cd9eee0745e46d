// node:perf_hooks

import { lazy, register } from "marsh:core";
import { missing } from "marsh:unsupported";

export const { performance, Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure } = lazy("marsh:performance");
export class PerformanceObserver {
  observe() {}
  disconnect() {}
  takeRecords() { return []; }
  static supportedEntryTypes = [];
}
export const constants = {};
export const createHistogram = missing("node:perf_hooks.createHistogram");
export const monitorEventLoopDelay = missing("node:perf_hooks.monitorEventLoopDelay");
export default register("node:perf_hooks", {
  performance, Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PerformanceObserver, constants, createHistogram, monitorEventLoopDelay,
});
