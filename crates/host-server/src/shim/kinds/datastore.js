// Datastores: what the export must look like, and what can be called on it.

const datastoreProvider = (params) =>
  instanceOf("datastore", params, (datastore, config) => datastore.createProvider(config));

const datastoreCall = async (params, member, ...args) =>
  await callMember(await datastoreProvider(params), "the datastore's provider", member, ...args);

const syncService = async (params) => {
  const service = await datastoreCall(params, "createSyncService", params.repoDir, params.cachePath);
  if (!service) throw coded("unsupported", "the datastore has nothing to synchronize", { member: "createSyncService" });
  return service;
};

const syncOptions = (params, call) => ({ ...(params.options ?? {}), signal: call.signal });

const syncCall = async (params, call, member) => {
  const result = await callMember(await syncService(params), "the datastore's sync service", member, syncOptions(params, call));
  return typeof result === "number" ? result : null;
};

const DATASTORE_OPERATIONS = {
  verify: async (params) => {
    const verifier = await datastoreCall(params, "createVerifier");
    const found = await callMember(verifier, "the datastore's verifier", "verify");
    if (found === null || typeof found !== "object" || typeof found.healthy !== "boolean") {
      throw coded("contract_violation", "`verify` must return an object with `healthy`", { field: "datastore.verify" });
    }
    return found;
  },
  /** Where data are: beside the repository, in a copy of the extension's choice or ours, or at a path of its own. */
  place: async (params) => {
    const provider = await datastoreProvider(params);
    return {
      syncs: typeof provider.createSyncService === "function",
      path: await callMember(provider, "the datastore's provider", "resolveDatastorePath", params.repoDir),
      cachePath: typeof provider.resolveCachePath === "function" ? provider.resolveCachePath(params.repoDir) ?? null : null,
    };
  },
  resolvePath: (params) => datastoreCall(params, "resolveDatastorePath", params.repoDir),
  resolveCachePath: async (params) => {
    const provider = await datastoreProvider(params);
    return typeof provider.resolveCachePath === "function" ? provider.resolveCachePath(params.repoDir) ?? null : null;
  },
  /**
   * Holds the lock while the caller works. Timers run only while a call is in flight, and locks renew themselves by
   * timers, so the lock's whole life is one call.
   */
  withLock: async (params, call) => {
    const lock = await datastoreCall(params, "createLock", params.path, params.options ?? {});
    await callMember(lock, "the datastore's lock", "acquire");
    try {
      return await call.request(REQUEST.datastoreLocked, {});
    } finally {
      await callMember(lock, "the datastore's lock", "release");
    }
  },
  inspectLock: async (params) => {
    const lock = await datastoreCall(params, "createLock", params.path, params.options ?? {});
    return (await callMember(lock, "the datastore's lock", "inspect")) ?? null;
  },
  forceReleaseLock: async (params) => {
    const lock = await datastoreCall(params, "createLock", params.path, params.options ?? {});
    return (await callMember(lock, "the datastore's lock", "forceRelease", params.nonce)) ?? null;
  },
  pull: (params, call) => syncCall(params, call, "pullChanged"),
  push: (params, call) => syncCall(params, call, "pushChanged"),
  markDirty: (params, call) => syncCall(params, call, "markDirty"),
  capabilities: async (params) => {
    const service = await syncService(params);
    return typeof service.capabilities === "function" ? await service.capabilities() : {};
  },
};

registerKind("datastore", {
  check: checkProvided("datastore"),
  describe: describePlugin("datastore"),
  operations: DATASTORE_OPERATIONS,
});
