// The data side of the context: what methods read and write. The parent owns the store; this only speaks to it.

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

const base64Of = (bytes) => {
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes.buffer ?? bytes);
  let text = "";
  for (let i = 0; i < view.length; i += 8192) text += String.fromCharCode(...view.subarray(i, i + 8192));
  return btoa(text);
};

const typeText = (type) => (typeof type === "string" ? type : type?.normalized ?? type?.raw ?? String(type));

/** A model that code does not know yet has no id. */
const idText = (modelId) => modelId ?? "";

/** Adds members that marsh does not have: they say so, and name what to use. */
const refusing = (object, of, names) => {
  for (const name of names) {
    object[name] = () => {
      throw coded(
        "unsupported",
        `context.${of}.${name} is not available in marsh; write with context.writeResource or context.createFileWriter`,
        { member: `${of}.${name}` },
      );
    };
  }
  return object;
};

/** The repository of versioned data, asynchronous and with `…Sync` twins of its readers. */
const dataRepository = (call) => {
  const readers = {
    getContent: [(type, modelId, name, version) => ({ type: typeText(type), modelId: idText(modelId), name, version }), (content) => (content === null ? null : bytesOf(content))],
    findByName: [(type, modelId, name, version) => ({ type: typeText(type), modelId: idText(modelId), name, version })],
    findById: [(type, modelId, id) => ({ type: typeText(type), modelId: idText(modelId), id })],
    findAllForModel: [(type, modelId) => ({ type: typeText(type), modelId: idText(modelId) })],
    findAllForType: [(type) => ({ type: typeText(type) })],
    findAllGlobal: [() => ({})],
    listVersions: [(type, modelId, name) => ({ type: typeText(type), modelId: idText(modelId), name })],
    getPath: [(type, modelId, name, version) => ({ type: typeText(type), modelId: idText(modelId), name, version })],
    getContentPath: [(type, modelId, name, version) => ({ type: typeText(type), modelId: idText(modelId), name, version })],
  };
  const repository = { namespace: "" };
  for (const [name, [params, convert = (value) => value]] of Object.entries(readers)) {
    const method = REQUEST[name];
    repository[name] = async (...args) => convert(await call.request(method, params(...args)));
    repository[`${name}Sync`] = (...args) => convert(call.requestSync(method, params(...args)));
  }
  repository.delete = (type, modelId, name, version) =>
    call.request(REQUEST.deleteData, { type: typeText(type), modelId, name, version });
  repository.nextId = () => crypto.randomUUID();
  repository.findByTaggedName = async (modelName, name) =>
    (await repository.findAllGlobal()).filter(({ data }) => data.name === name && data.tags?.modelName === modelName);
  repository.stream = async function* (type, modelId, name, version) {
    const content = await repository.getContent(type, modelId, name, version);
    for (let at = 0; content !== null && at < content.length; at += PIECE) yield content.subarray(at, at + PIECE);
  };
  repository.save = async (type, modelId, data, content) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const params = { type: typeText(type), modelId: idText(modelId), data, base64: base64Of(bytes) };
    return { version: await call.request(REQUEST.saveData, params) };
  };
  repository.rename = (type, modelId, oldName, newName) =>
    call.request(REQUEST.renameData, { type: typeText(type), modelId: idText(modelId), oldName, newName });
  repository.collectGarbage = (type, modelId, { dryRun = false } = {}) =>
    call.request(REQUEST.collectData, { type: typeText(type), modelId: idText(modelId), dryRun });
  return refusing(repository, "dataRepository", [
    "append", "allocateVersion", "finalizeVersion", "saveDeferred", "finalizeVersionDeferred", "advanceLatestMarkers",
    "rollbackVersions", "removeLatestMarker",
  ]);
};

/** Bytes of a file in one message. */
const PIECE = 4 << 20;

/** Writes one file output. Used once: the second write or finalize is an error. */
class DataWriter {
  #call;
  #collect;
  #request;
  #begun = null;
  #used = false;

  constructor(call, collect, request) {
    this.#call = call;
    this.#collect = collect;
    this.#request = request;
    this.name = request.instance;
  }

  /** The id of the version to be; asking for it allocates the version. */
  get dataId() {
    this.#begun ??= this.#call.requestSync(REQUEST.beginFile, this.#request);
    if (this.#begun instanceof Promise) {
      throw coded("unsupported", "read `dataId` before the first write, or take it from the handle");
    }
    return this.#begun.dataId;
  }

  #once() {
    if (this.#used) throw coded("already_finalized", `the writer of \`${this.name}\` was used already`);
    this.#used = true;
  }

  async #begin() {
    this.#begun ??= this.#call.request(REQUEST.beginFile, this.#request);
    return await this.#begun;
  }

  async writeAll(content) {
    this.#once();
    const { writer } = await this.#begin();
    await this.#append(writer, content);
    return await this.#finish(writer);
  }

  /** In pieces, so that no message to marsh grows with the file. */
  async #append(writer, content) {
    const bytes = content instanceof Uint8Array ? content : new Uint8Array(content.buffer ?? content);
    for (let at = 0; at < bytes.length; at += PIECE) {
      await this.#call.request(REQUEST.appendFile, { writer, base64: base64Of(bytes.subarray(at, at + PIECE)) });
    }
  }

  async writeText(text) {
    return await this.writeAll(new TextEncoder().encode(text));
  }

  async writeLine(line) {
    if (this.#used) throw coded("already_finalized", `the writer of \`${this.name}\` was used already`);
    const { writer } = await this.#begin();
    await this.#call.request(REQUEST.appendFile, { writer, text: `${line}\n` });
  }

  async writeStream(stream, options = {}) {
    this.#once();
    const { writer } = await this.#begin();
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      await this.#append(writer, chunk);
      if (options.onLine) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop();
        for (const line of lines) options.onLine(line);
      }
    }
    if (options.onLine && rest !== "") options.onLine(rest);
    return await this.#finish(writer);
  }

  async getFilePath() {
    const { path } = await this.#begin();
    if (path === null) {
      throw coded("unsupported", `the file of \`${this.name}\` is on another machine; write it with writeAll or writeStream`);
    }
    return path;
  }

  async finalize() {
    this.#once();
    const { writer } = await this.#begin();
    return await this.#finish(writer);
  }

  async #finish(writer) {
    const handle = await this.#call.request(REQUEST.finalizeFile, { writer });
    this.#collect(handle);
    return handle;
  }
}

