// Every name that crosses the protocol: what the shim asks marsh for, and what it reports. The operations that marsh asks
// for are the keys of `OPERATIONS` (dispatch.js). A test compares all of them with the tables of marsh-host-protocol.

const REQUEST = Object.freeze({
  writeResource: "context/writeResource",
  readResource: "context/readResource",
  deleteResource: "context/deleteResource",
  readModelData: "context/readModelData",
  findDefinitionByName: "context/definition/findByName",
  findDefinitionById: "context/definition/findById",
  extensionFile: "context/extensionFile",
  repoDir: "context/repoDir",
  upgraded: "context/upgraded",
  beginFile: "context/file/begin",
  appendFile: "context/file/append",
  finalizeFile: "context/file/finalize",
  getContent: "context/data/getContent",
  findByName: "context/data/findByName",
  findById: "context/data/findById",
  findAllForModel: "context/data/findAllForModel",
  findAllForType: "context/data/findAllForType",
  findAllGlobal: "context/data/findAllGlobal",
  listVersions: "context/data/listVersions",
  getPath: "context/data/getPath",
  getContentPath: "context/data/getContentPath",
  deleteData: "context/data/delete",
  redact: "context/redactor/redact",
  addSecret: "context/redactor/addSecret",
  hasSecrets: "context/redactor/hasSecrets",
  datastoreLocked: "datastore/locked",
});

const NOTICE = Object.freeze({
  log: "context/log",
  schemaWarning: "context/schemaWarning",
  executing: "context/executing",
  event: "context/event",
  output: "output",
});

