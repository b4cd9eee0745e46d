// node:readline: lines of a stream. There is no terminal.

import { register } from "marsh:core";
import { EventEmitter } from "node:events";
import { missing } from "marsh:unsupported";

export class Interface extends EventEmitter {
  #held = "";
  #closed = false;
  #input;
  #asked = [];
  constructor({ input, output } = {}) {
    super();
    if (!input) missing("readline without an input stream")();
    this.#input = input;
    this.output = output;
    this.terminal = false;
    const decoder = new TextDecoder();
    const lines = (text) => {
      const parts = (this.#held + text).split(/\r\n|\n|\r(?!$)/);
      this.#held = parts.pop();
      for (const line of parts) this.#line(line);
    };
    input.on("data", (chunk) => lines(typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true })));
    input.on("end", () => {
      lines(decoder.decode());
      if (this.#held) this.#line(this.#held);
      this.close();
    });
    input.on("error", (error) => this.emit("error", error));
  }
  #line(line) {
    this.line = line;
    const asked = this.#asked.shift();
    if (asked) asked(line);
    else this.emit("line", line);
  }
  question(text, options, callback = options) {
    this.output?.write(text);
    this.#asked.push(callback);
  }
  setPrompt(prompt) { this.promptText = prompt; }
  prompt() { this.output?.write(this.promptText ?? "> "); }
  write() {}
  pause() {
    this.#input.pause();
    return this;
  }
  resume() {
    this.#input.resume();
    return this;
  }
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.emit("close");
  }
  async *[Symbol.asyncIterator]() {
    const queue = [];
    let wake = () => {};
    let ended = this.#closed;
    let failed;
    this.on("line", (line) => (queue.push(line), wake()));
    this.on("close", () => ((ended = true), wake()));
    this.on("error", (error) => ((failed = { error }), wake()));
    for (;;) {
      while (queue.length) yield queue.shift();
      if (failed) throw failed.error;
      if (ended) return;
      await new Promise((resolve) => { wake = resolve; });
    }
  }
}
export const createInterface = (first, output) => new Interface(first?.input || output === undefined ? first : { input: first, output });
export const clearLine = () => true;
export const clearScreenDown = () => true;
export const cursorTo = () => true;
export const moveCursor = () => true;
export const emitKeypressEvents = () => {};
export const promises = {
  createInterface(...args) {
    const made = createInterface(...args);
    const ask = made.question.bind(made);
    made.question = (text) => new Promise((resolve) => ask(text, resolve));
    return made;
  },
  Interface,
};
export default register("node:readline", { Interface, createInterface, clearLine, clearScreenDown, cursorTo, moveCursor, emitKeypressEvents, promises });
