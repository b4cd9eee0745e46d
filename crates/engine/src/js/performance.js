// performance

import { call as host, register } from "marsh:core";

const origin = Date.now() - host("time.now");

export class PerformanceEntry {
  constructor(name, entryType, startTime, duration, detail) {
    Object.assign(this, { name: String(name), entryType, startTime, duration, detail: detail ?? null });
  }
  toJSON() { return { ...this }; }
}
export class PerformanceMark extends PerformanceEntry {
  constructor(name, { startTime = host("time.now"), detail } = {}) { super(name, "mark", startTime, 0, detail); }
}
export class PerformanceMeasure extends PerformanceEntry {}

export class Performance {
  #entries = [];
  get timeOrigin() { return origin; }
  now() { return host("time.now"); }
  mark(name, options) {
    const mark = new PerformanceMark(name, options);
    this.#entries.push(mark);
    return mark;
  }
  #at(mark, otherwise) {
    if (mark === undefined) return otherwise;
    if (typeof mark === "number") return mark;
    const found = this.#entries.findLast((entry) => entry.entryType === "mark" && entry.name === String(mark));
    if (!found) throw new DOMException(`Cannot find mark: "${mark}"`, "SyntaxError");
    return found.startTime;
  }
  measure(name, start, end) {
    const options = typeof start === "object" && start !== null ? start : { start, end };
    const from = this.#at(options.start, 0);
    const to = options.duration === undefined ? this.#at(options.end, this.now()) : from + options.duration;
    const measure = new PerformanceMeasure(name, "measure", from, to - from, options.detail);
    this.#entries.push(measure);
    return measure;
  }
  clearMarks(name) { this.#clear("mark", name); }
  clearMeasures(name) { this.#clear("measure", name); }
  #clear(type, name) {
    this.#entries = this.#entries.filter((entry) => entry.entryType !== type || (name !== undefined && entry.name !== name));
  }
  getEntries() { return [...this.#entries]; }
  getEntriesByName(name, type) {
    return this.#entries.filter((entry) => entry.name === name && (type === undefined || entry.entryType === type));
  }
  getEntriesByType(type) { return this.#entries.filter((entry) => entry.entryType === type); }
  toJSON() { return { timeOrigin: origin }; }
}

export const performance = new Performance();
register("marsh:performance", { performance, Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure });
