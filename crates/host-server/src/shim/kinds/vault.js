// Vaults: what the export must look like, and what can be called on it.

const vaultProvider = (params) =>
  instanceOf("vault", params, (vault, config) => vault.createProvider(params.name, config));

const vaultCall = async (params, member, ...args) => {
  const provider = await vaultProvider(params);
  return await callMember(provider, `the vault \`${params.name}\``, member, ...args);
};

const wantKeys = (keys) => {
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== "string")) {
    throw coded("contract_violation", "`list` of the vault's provider must return an array of texts", { field: "vault.list" });
  }
  return keys;
};

const VAULT_OPERATIONS = {
  get: async (params) => {
    const value = await vaultCall(params, "get", params.key);
    if (typeof value !== "string") {
      throw coded("contract_violation", "`get` of the vault's provider must return a text", { field: "vault.get" });
    }
    return value;
  },
  put: async (params) => {
    const options = params.tags ? [{ tags: params.tags }] : [];
    await vaultCall(params, "put", params.key, params.value, ...options);
    return null;
  },
  list: async (params) => wantKeys(await vaultCall(params, "list")),
  delete: async (params) => {
    await vaultCall(params, "delete", params.key);
    return null;
  },
  /** The optional members that this provider has. */
  members: async (params) => {
    const provider = await vaultProvider(params);
    const optional = [
      "delete", "getAnnotation", "putAnnotation", "deleteAnnotation", "listAnnotations",
      "getRefreshHook", "putRefreshHook", "deleteRefreshHook",
    ];
    return optional.filter((member) => typeof provider[member] === "function");
  },
  getAnnotation: async (params) => (await vaultCall(params, "getAnnotation", params.key)) ?? null,
  putAnnotation: async (params) => {
    await vaultCall(params, "putAnnotation", params.key, params.annotation);
    return null;
  },
  deleteAnnotation: async (params) => {
    await vaultCall(params, "deleteAnnotation", params.key);
    return null;
  },
  listAnnotations: async (params) => Object.fromEntries(await vaultCall(params, "listAnnotations")),
};

registerKind("vault", { check: checkProvided("vault"), describe: describePlugin("vault"), operations: VAULT_OPERATIONS });
