// The context object that a method or a check receives.

import { lazy } from "marsh:core";

/** Fills `{name}` placeholders from `props`, as the loggers of existing extensions expect. */
const fillPlaceholders = (message, props) =>
  message.replace(/\{(\*|[^{}]+)\}/g, (whole, name) => {
    if (name === "*") return JSON.stringify(props);
    const key = name.trim();
    return props && key in props ? String(props[key]) : whole;
  });

const createLogger = (call, category = [], bound = {}) => {
  const log = (level) => (message, ...rest) => {
    let text;
    if (Array.isArray(message) && "raw" in message) {
      // The template-literal form: logger.info`…${value}…`
      text = message.reduce((out, part, i) => out + part + (i < rest.length ? String(rest[i]) : ""), "");
    } else {
      const props = { ...bound, ...(typeof rest[0] === "object" && rest[0] !== null ? rest[0] : {}) };
      text = fillPlaceholders(String(message), props);
    }
    call.notify(NOTICE.log, { level, message: text, category });
  };
  return {
    category,
    trace: log("trace"),
    debug: log("debug"),
    info: log("info"),
    warn: log("warning"),
    warning: log("warning"),
    error: log("error"),
    fatal: log("fatal"),
    with: (props) => createLogger(call, category, { ...bound, ...props }),
    getChild: (name) => createLogger(call, [...category, ...(Array.isArray(name) ? name : [name])], bound),
  };
};

/**
 * Global arguments that read as a plain object. A value that still holds an expression could not be evaluated; using
 * it would be a silent mistake, so reading it throws.
 */
const guardedArguments = (values, unresolved) => {
  if (Object.keys(unresolved).length === 0) return values;
  return new Proxy({ ...values }, {
    get(target, key, receiver) {
      if (typeof key === "string" && Object.hasOwn(unresolved, key)) {
        throw coded(
          "unresolved_expression",
          `the global argument \`${key}\` could not be evaluated: ${unresolved[key]}`,
          { field: key },
        );
      }
      return Reflect.get(target, key, receiver);
    },
  });
};

const modelTypeObject = (raw, normalized) => ({
  raw,
  normalized,
  toDirectoryPath: () => normalized,
  toString: () => normalized,
});

/** A predicate over all data; `select` says what to make of each record. */
const dataQuery = (predicate, { select, limit } = {}) => ({
  predicate: String(predicate), select: select ?? null, limit: limit ?? null,
});

/** The vaults of the repository. Marsh masks each secret that it hands out, wherever it appears later. */
const vaultService = (call) => {
  const about = (request) => (vault, key) => call.request(REQUEST[request], { vault, key });
  const supports = (operation) => (vault) => call.requestSync(REQUEST.vaultSupport, { vault })[operation];
  const set = (request, vault, key, value) => call.request(REQUEST[request], { vault, key, value });
  return {
    get: about("vaultGet"),
    put: async (vault, key, value, tags) => {
      await call.request(REQUEST.vaultPut, { vault, key, value: String(value), tags: tags ?? {} });
    },
    delete: about("vaultDelete"),
    list: (vault) => call.request(REQUEST.vaultList, { vault }),
    getVaultNames: () => call.requestSync(REQUEST.vaultNames, {}),
    getDefaultVaultName: () => call.requestSync(REQUEST.vaultDefault, {}) ?? undefined,
    supportsDelete: supports("delete"),
    supportsAnnotations: supports("annotations"),
    supportsRefreshHooks: supports("refresh"),
    getAnnotation: about("vaultGetAnnotation"),
    putAnnotation: (vault, key, annotation) => set("vaultSetAnnotation", vault, key, annotation),
    deleteAnnotation: (vault, key) => set("vaultSetAnnotation", vault, key, null),
    getRefreshHook: about("vaultGetRefreshHook"),
    putRefreshHook: (vault, key, hook) => set("vaultSetRefreshHook", vault, key, hook),
    deleteRefreshHook: (vault, key) => set("vaultSetRefreshHook", vault, key, null),
  };
};

/** Runs a method of another model. A failure there is a result; options that are not an object throw. */
const runModel = async (call, options) => {
  if (options === null || typeof options !== "object") {
    throw new TypeError("context.runModel takes an object: { definition, method, arguments }");
  }
  const { definition, modelType, name, method, arguments: given } = options;
  return await call.request(REQUEST.runModel, {
    definition, modelType: modelType === undefined ? undefined : typeText(modelType), name, method: String(method),
    arguments: given ?? {},
  });
};

const readResource = async (call, instance, version) => {
  const text = await call.request(REQUEST.readResource, { instance, version });
  if (text === null) return null;
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw coded("not_json", `the content of \`${instance}\` is not a JSON object`, { instance });
  }
  return value;
};

/** Definitions as they are stored, with their expressions. */
const definitionRepository = (call) => {
  const findById = (type, id) => call.request(REQUEST.findDefinitionById, { type: typeText(type), id });
  const findAll = (type) => call.request(REQUEST.findDefinitions, { type });
  return refusing({
    findByNameGlobal: (name) => call.request(REQUEST.findDefinitionByName, { name }),
    findById,
    findByName: async (type, name) => {
      const found = (await findAll(typeText(type))).find(({ definition }) => definition.name === name);
      return found?.definition ?? null;
    },
    findAll: async (type) => (await findAll(typeText(type))).map(({ definition }) => definition),
    findAllGlobal: () => findAll(undefined),
    exists: async (type, id) => (await findById(type, id)) !== null,
    getPath: (type, id) => call.requestSync(REQUEST.definitionPath, { type: typeText(type), id }),
    nextId: () => crypto.randomUUID(),
  }, "definitionRepository", ["save", "delete"]);
};

/** Masks the secrets that the run knows, and those that the code adds. Marsh holds them; the host holds none. */
const redactor = (call) => ({
  addSecret: (value) => {
    if (typeof value === "string") call.requestSync(REQUEST.addSecret, { value });
  },
  redact: (text) => (typeof text === "string" ? call.requestSync(REQUEST.redact, { text }) : text),
  get hasSecrets() {
    return call.requestSync(REQUEST.hasSecrets, {});
  },
});

/** The repository's path: given by a parent whose files the host sees, else asked for when it is read. */
const withRepoDir = (context, given, call) =>
  given === null || given === undefined
    ? Object.defineProperty(context, "repoDir", {
        get: () => call.requestSync(REQUEST.repoDir, {}), enumerable: true, configurable: true,
      })
    : Object.assign(context, { repoDir: given });

/** What methods and checks share. */
const baseContext = (run, call) => {
  let repository;
  let logger;
  const context = {
    globalArgs: run.guardedGlobals,
    // Made when they are asked for: dozens of functions that most calls never use.
    get dataRepository() {
      return (repository ??= dataRepository(call));
    },
    set dataRepository(other) {
      repository = other;
    },
    get logger() {
      return (logger ??= createLogger(call));
    },
    set logger(other) {
      logger = other;
    },
    modelType: modelTypeObject(run.rawType, run.type),
    modelId: run.definition.id,
    readResource: (instance, version) => readResource(call, instance, version),
    readModelData: (modelName, spec) => call.request(REQUEST.readModelData, { modelName, spec }),
    signal: call.signal,
    methodName: run.method,
    definition: {
      id: run.definition.id,
      name: run.definition.name,
      version: run.definition.version,
      tags: run.definition.tags,
    },
    definitionRepository: definitionRepository(call),
    unresolvedMethodArgs: run.unresolvedMethodArgs,
    createCelEnvironment: () => lazy("marsh:cel").createCelEnvironment(),
    extensionFile: (path) => call.requestSync(REQUEST.extensionFile, { path }),
    onEvent: (event) => call.notify(NOTICE.event, event),
    redactor: redactor(call),
    vaultService: vaultService(call),
    // Marsh puts secrets in their places itself.
    vaultSecrets: {},
    dataQueryService: {
      query: (predicate, options) => call.request(REQUEST.queryData, dataQuery(predicate, options)),
      querySync: (predicate, options) => call.requestSync(REQUEST.queryData, dataQuery(predicate, options)),
    },
    // Code looks whether they are there: they exist on a server of another kind only.
    outputRepository: undefined,
    cloudControlClientFactory: undefined,
    approveWorkflowGate: undefined,
    rejectWorkflowGate: undefined,
  };
  return withRepoDir(context, run.repoDir, call);
};

/** The context of a method: the shared part and what writes. */
const methodContext = (run, call, handles) => {
  const model = theModel();
  const collect = (handle) => handles.push(handle);
  const specOf = (specs, kind, name) => {
    if (!specs || !Object.hasOwn(specs, name)) {
      const declared = Object.keys(specs ?? {});
      throw coded("unknown_output", `the model declares no ${kind} \`${name}\`; it declares: ${declared.join(", ") || "none"}`, { name, declared });
    }
    return specs[name];
  };
  return Object.assign(baseContext(run, call), {
    async writeResource(specName, instance, data, overrides) {
      const spec = specOf(model.resources, "resource", specName);
      const checked = spec.schema.safeParse(data);
      if (!checked.success) {
        const error = validationError(`resource \`${specName}\``, checked.error);
        call.notify(NOTICE.schemaWarning, { specName, instanceName: instance, error: error.message });
      }
      const sensitive = spec.sensitiveOutput === true
        ? Object.keys(data ?? {}).filter((key) => data[key] !== null && data[key] !== undefined)
        : sensitiveFields(spec.schema).map(({ path }) => path).filter((path) => valueAt(data, path) !== undefined);
      const content = jsonText(data);
      if (content === undefined) {
        throw coded("not_serializable", `the data of resource \`${specName}\` has no JSON form`, { specName });
      }
      const handle = await call.request(REQUEST.writeResource, {
        spec: specName, instance, content, sensitive, overrides: overrides ?? null,
      });
      // The secrets are in a vault now, and the data holds references to them.
      for (const { path, reference } of handle.replaced ?? []) setAt(data, path, reference);
      delete handle.replaced;
      handle.attributes = { ...data };
      collect(handle);
      return handle;
    },
    createFileWriter(specName, instance, overrides) {
      specOf(model.files, "file", specName);
      return new DataWriter(call, collect, { spec: specName, instance, overrides: overrides ?? null });
    },
    deleteResource: (instance) => call.request(REQUEST.deleteResource, { instance }),
    queryData: (predicate, select) => call.request(REQUEST.queryData, dataQuery(predicate, { select })),
    runModel: (options) => runModel(call, options),
  });
};

// The JSON of a value, readable by every parser. A lone surrogate becomes U+FFFD, as when text is written.
const jsonText = (value) => {
  const text = JSON.stringify(value);
  if (!text?.includes("\\ud")) return text;
  return text.replace(/\\(?:ud[89a-f][0-9a-f]{2}|[^])/g, (escape) => escape.length > 2 ? "\\ufffd" : escape);
};

const setAt = (data, path, value) => {
  const keys = path.split(".");
  const last = keys.pop();
  const holder = keys.reduce((current, key) => current?.[key], data);
  if (holder !== null && typeof holder === "object" && !Object.isFrozen(holder)) holder[last] = value;
};

const valueAt = (data, path) => {
  let current = data;
  for (const key of path.split(".")) {
    if (current === null || typeof current !== "object") return undefined;
    current = current[key];
  }
  return current === null ? undefined : current;
};

