//! What extension code can ask of marsh while a call runs, and what it reports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Nothing;
use crate::methods::methods;

methods! {
    /// A request of running code, with its parameters.
    ContextRequest,
    /// The name of a request of running code.
    ContextRequestName {
        /// Writes a resource. Answer: its handle.
        WriteResource(WriteResource) = "context/writeResource",
        /// Reads a resource. Answer: its JSON text, or null.
        ReadResource(ReadResource) = "context/readResource",
        /// Deletes a resource.
        DeleteResource(DeleteResource) = "context/deleteResource",
        /// Reads the data of a model. Answer: records.
        ReadModelData(ReadModelData) = "context/readModelData",
        /// Finds a definition by name. Answer: `{definition, type}`, or null.
        FindDefinitionByName(FindDefinition) = "context/definition/findByName",
        /// Finds a definition by type and id. Answer: the definition, or null.
        FindDefinitionById(FindDefinition) = "context/definition/findById",
        /// Lists definitions, of one type or all. Answer: `{definition, type}` each.
        FindDefinitions(FindDefinition) = "context/definition/findAll",
        /// Answer: the file of a definition on this machine, or null.
        DefinitionPath(FindDefinition) = "context/definition/getPath",
        /// Asks for a file of the extension. Answer: its path on this machine.
        ExtensionFile(ExtensionFile) = "context/extensionFile",
        /// Asks for the repository. Answer: its path on this machine.
        RepoDir(Nothing) = "context/repoDir",
        /// Stores the definition after its upgrade.
        Upgraded(Upgraded) = "context/upgraded",
        /// Opens a file output. Answer: [`OpenedFile`].
        BeginFile(BeginFile) = "context/file/begin",
        /// Appends to a file output.
        AppendFile(AppendFile) = "context/file/append",
        /// Publishes a file output. Answer: its handle.
        FinalizeFile(FinalizeFile) = "context/file/finalize",
        /// Reads the content of a datum. Answer: base64, or null.
        DataGetContent(DataQuery) = "context/data/getContent",
        /// Finds the metadata of a datum by name. Answer: metadata, or null.
        DataFindByName(DataQuery) = "context/data/findByName",
        /// Finds the metadata of a datum by id. Answer: metadata, or null.
        DataFindById(DataQuery) = "context/data/findById",
        /// Lists the data of a model. Answer: metadata.
        DataFindAllForModel(DataQuery) = "context/data/findAllForModel",
        /// Lists the data of a type. Answer: metadata.
        DataFindAllForType(DataQuery) = "context/data/findAllForType",
        /// Lists all data. Answer: `{data, modelType, modelId}` each.
        DataFindAllGlobal(DataQuery) = "context/data/findAllGlobal",
        /// Lists the versions of a datum. Answer: numbers.
        DataListVersions(DataQuery) = "context/data/listVersions",
        /// Answer: the directory of a datum on this machine, or null.
        DataGetPath(DataQuery) = "context/data/getPath",
        /// Answer: the content file of a datum on this machine, or null.
        DataGetContentPath(DataQuery) = "context/data/getContentPath",
        /// Deletes a datum, or one version of it. Answer: how many versions.
        DataDelete(DataQuery) = "context/data/delete",
        /// Writes a version of a datum past the outputs that the type declares. Answer: its number.
        DataSave(Box<DataSave>) = "context/data/save",
        /// Renames a datum. Answer: `{oldName, newName, copiedVersion, newVersion}`.
        DataRename(DataRename) = "context/data/rename",
        /// Deletes what the lifetimes and policies of a model's data no longer keep. Answer: what was deleted.
        DataCollect(DataCollect) = "context/data/collectGarbage",
        /// Asks the records that a predicate selects. Answer: records, or what `select` makes of each.
        QueryData(QueryData) = "context/queryData",
        /// Runs a method of another model. Answer: `{ok: true, resources}`, or `{ok: false, error}`.
        RunModel(RunModel) = "context/runModel",
        /// Reads a secret. Answer: its text.
        VaultGet(VaultKey) = "context/vault/get",
        /// Stores a secret.
        VaultPut(VaultPut) = "context/vault/put",
        /// Deletes a secret. Answer: whether there was one.
        VaultDelete(VaultKey) = "context/vault/delete",
        /// Lists the keys of a vault. Answer: texts.
        VaultList(VaultName) = "context/vault/list",
        /// Lists the vaults. Answer: names.
        VaultNames(Nothing) = "context/vault/names",
        /// Answer: the vault that the marker names as the default, or null.
        VaultDefault(Nothing) = "context/vault/default",
        /// Asks what a vault supports. Answer: `{delete, annotations, refresh}`.
        VaultSupport(VaultName) = "context/vault/support",
        /// Reads the annotation of a secret. Answer: the annotation, or null.
        VaultGetAnnotation(VaultKey) = "context/vault/annotation/get",
        /// Replaces the annotation of a secret; null removes it.
        VaultSetAnnotation(VaultNote) = "context/vault/annotation/set",
        /// Reads the command that refreshes a secret. Answer: the hook, or null.
        VaultGetRefreshHook(VaultKey) = "context/vault/refreshHook/get",
        /// Replaces the command that refreshes a secret; null removes it.
        VaultSetRefreshHook(VaultNote) = "context/vault/refreshHook/set",
        /// Masks the secrets of the run in a text. Answer: the text.
        Redact(Redact) = "context/redactor/redact",
        /// Adds a secret that the run masks from now on.
        AddSecret(AddSecret) = "context/redactor/addSecret",
        /// Asks whether the run knows any secret. Answer: true or false.
        HasSecrets(Nothing) = "context/redactor/hasSecrets",
        /// The lock of a datastore is held: the caller works now.
        DatastoreLocked(Nothing) = "datastore/locked",
    }
}

impl ContextRequestName {
    /// Whether the request is about vaults and their secrets.
    pub fn is_of_vaults(self) -> bool {
        use ContextRequestName as Name;
        matches!(
            self,
            Name::VaultGet
                | Name::VaultPut
                | Name::VaultDelete
                | Name::VaultList
                | Name::VaultNames
                | Name::VaultDefault
                | Name::VaultSupport
                | Name::VaultGetAnnotation
                | Name::VaultSetAnnotation
                | Name::VaultGetRefreshHook
                | Name::VaultSetRefreshHook
        )
    }
}

methods! {
    /// A report of running code, with its parameters.
    ContextNotice,
    /// The name of a report of running code.
    ContextNoticeName {
        /// The code logs.
        Log(Log) = "context/log",
        /// A resource does not match its schema.
        SchemaWarning(SchemaWarning) = "context/schemaWarning",
        /// The checks are done and the method's own code starts.
        Executing(Executing) = "context/executing",
        /// An event of the extension's own.
        Event(Event) = "context/event",
        /// A line of output.
        Output(Output) = "output",
        /// The module is loaded, and the time of the call starts.
        Loaded(Nothing) = "call/loaded",
        /// The code started a process group.
        ProcessStarted(ProcessGroup) = "process/started",
        /// A process group has ended.
        ProcessEnded(ProcessGroup) = "process/ended",
    }
}

/// The answer to a [`ContextRequest`]. Which variant answers which request, the table of requests says.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ContextAnswer {
    /// No value.
    Nothing,
    /// True or false.
    Flag(bool),
    /// A number of versions.
    Count(usize),
    /// A text, or none.
    Text(Option<String>),
    /// A path on this machine, or none.
    Path(Option<PathBuf>),
    /// Version numbers.
    Versions(Vec<u32>),
    /// An open file output.
    File(OpenedFile),
    /// Metadata, a handle, a definition or records.
    Document(Value),
}

/// What a call of `writeResource` or `createFileWriter` may override.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overrides {
    /// How long the result lives.
    #[serde(default)]
    pub lifetime: Option<String>,
    /// How many versions are kept, or for how long.
    #[serde(default)]
    pub garbage_collection: Option<Value>,
    /// Tags beside those of the specification.
    #[serde(default)]
    pub tags: Option<Map<String, Value>>,
    /// The content type.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Whether the content is a stream.
    #[serde(default)]
    pub streaming: Option<bool>,
    /// The vault for sensitive fields.
    #[serde(default)]
    pub vault_name: Option<String>,
}

impl Overrides {
    /// Overrides of tags alone.
    pub fn with_tags(tags: Map<String, Value>) -> Overrides {
        Overrides { tags: Some(tags), ..Overrides::default() }
    }
}

/// Parameters of `context/writeResource`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WriteResource {
    /// The output that the type declares.
    pub spec: String,
    /// The name of the result.
    pub instance: Option<String>,
    /// The JSON text.
    pub content: String,
    /// Paths of sensitive fields.
    #[serde(default)]
    pub sensitive: Vec<String>,
    /// Overrides of this call.
    pub overrides: Option<Overrides>,
}

/// Parameters of `context/readResource`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadResource {
    /// The name of the result.
    pub instance: String,
    /// A version; the latest when absent.
    pub version: Option<u32>,
}

/// Parameters of `context/deleteResource`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteResource {
    /// The name of the result.
    pub instance: String,
}

/// Parameters of `context/readModelData`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadModelData {
    /// The name or id of the model.
    pub model_name: String,
    /// One output; all when absent.
    pub spec: Option<String>,
}

/// Parameters of `context/definition/…`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FindDefinition {
    /// The name, when it is asked for by name.
    #[serde(default)]
    pub name: Option<String>,
    /// The type, when it is asked for by id.
    #[serde(default)]
    pub r#type: Option<String>,
    /// The id, when it is asked for by id.
    #[serde(default)]
    pub id: Option<String>,
}

/// Parameters of `context/extensionFile`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExtensionFile {
    /// The path, relative to the extension.
    pub path: String,
}

/// Parameters of `context/upgraded`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upgraded {
    /// The upgraded global arguments, with their expressions.
    pub global_arguments: Map<String, Value>,
    /// The version of the type.
    pub to_version: String,
    /// The upgrades that were applied.
    pub applied: Vec<String>,
}

/// The number of an open file output.
pub type FileWriter = u64;

/// Parameters of `context/file/begin`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BeginFile {
    /// The output that the type declares.
    pub spec: String,
    /// The name of the result.
    pub instance: String,
    /// Overrides of this call.
    pub overrides: Option<Overrides>,
}

/// The answer to `context/file/begin`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenedFile {
    /// Names the file in later requests.
    pub writer: FileWriter,
    /// The id of the version to be.
    pub data_id: String,
    /// The file on this machine that code may write itself.
    pub path: Option<PathBuf>,
}

/// Parameters of `context/file/append`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppendFile {
    /// The open file.
    pub writer: FileWriter,
    /// Bytes as base64.
    #[serde(default)]
    pub base64: Option<String>,
    /// Text.
    #[serde(default)]
    pub text: Option<String>,
}

/// Parameters of `context/file/finalize`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FinalizeFile {
    /// The open file.
    pub writer: FileWriter,
}

/// Parameters of `context/data/…`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataQuery {
    /// The type; the caller's own when absent.
    #[serde(rename = "type", default)]
    pub type_name: Option<String>,
    /// The id of the model.
    #[serde(default)]
    pub model_id: String,
    /// The name of the datum.
    #[serde(default)]
    pub name: String,
    /// The id of the datum.
    #[serde(default)]
    pub id: String,
    /// A version; the latest when absent.
    #[serde(default)]
    pub version: Option<u32>,
}

/// Parameters of `context/data/save`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSave {
    /// The type; the caller's own when absent.
    #[serde(rename = "type", default)]
    pub type_name: Option<String>,
    /// The id of the model.
    pub model_id: String,
    /// Name, content type, policies, tags and owner, as metadata files have them.
    pub data: Value,
    /// The content as base64.
    pub base64: String,
}

/// Parameters of `context/data/rename`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataRename {
    /// The type; the caller's own when absent.
    #[serde(rename = "type", default)]
    pub type_name: Option<String>,
    /// The id of the model.
    pub model_id: String,
    /// The present name.
    pub old_name: String,
    /// The name that it gets.
    pub new_name: String,
}

/// Parameters of `context/data/collectGarbage`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataCollect {
    /// The type; the caller's own when absent.
    #[serde(rename = "type", default)]
    pub type_name: Option<String>,
    /// The id of the model.
    pub model_id: String,
    /// Only tell what would be deleted.
    #[serde(default)]
    pub dry_run: bool,
}

/// Parameters of `context/queryData`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueryData {
    /// The predicate, in CEL.
    pub predicate: String,
    /// What to make of each record, in CEL; the record itself when absent.
    #[serde(default)]
    pub select: Option<String>,
    /// At most so many; all when absent.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Parameters of `context/runModel`: a definition, or a type and a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunModel {
    /// The name or id of a definition.
    #[serde(default)]
    pub definition: Option<String>,
    /// A type, in place of a definition.
    #[serde(default)]
    pub model_type: Option<String>,
    /// The name of the definition of that type, which is created if there is none.
    #[serde(default)]
    pub name: Option<String>,
    /// The method.
    pub method: String,
    /// Arguments of the method, and global arguments for this call.
    #[serde(default)]
    pub arguments: Option<Map<String, Value>>,
}

/// Parameters of `context/vault/…` about a vault.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VaultName {
    /// The name of the vault.
    pub vault: String,
}

/// Parameters of `context/vault/…` about a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VaultKey {
    /// The name of the vault.
    pub vault: String,
    /// The key of the secret.
    pub key: String,
}

/// Parameters of `context/vault/put`.
#[derive(Clone, Serialize, Deserialize)]
pub struct VaultPut {
    /// The name of the vault.
    pub vault: String,
    /// The key of the secret.
    pub key: String,
    /// The secret.
    pub value: String,
    /// Tags for vaults that keep them.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl std::fmt::Debug for VaultPut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VaultPut({}, {})", self.vault, self.key)
    }
}

/// Parameters of `context/vault/annotation/set` and `context/vault/refreshHook/set`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VaultNote {
    /// The name of the vault.
    pub vault: String,
    /// The key of the secret.
    pub key: String,
    /// The annotation or the hook; null removes it.
    pub value: Option<Value>,
}

/// Parameters of `context/redactor/redact`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Redact {
    /// The text to mask.
    pub text: String,
}

/// Parameters of `context/redactor/addSecret`.
#[derive(Clone, Serialize, Deserialize)]
pub struct AddSecret {
    /// The secret.
    pub value: String,
}

impl std::fmt::Debug for AddSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddSecret")
    }
}

/// How serious a log message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the levels of every logger")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

/// Parameters of `context/log`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Log {
    /// How serious it is.
    pub level: LogLevel,
    /// The message.
    pub message: String,
    /// The logger's names, outermost first.
    #[serde(default)]
    pub category: Vec<Value>,
}

/// Parameters of `context/schemaWarning`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaWarning {
    /// The output that the type declares.
    pub spec_name: String,
    /// The name of the result, if the code gave one.
    #[serde(default)]
    pub instance_name: Option<String>,
    /// What the schema complains about.
    pub error: String,
}

/// Parameters of `context/executing`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Executing {
    /// The method.
    pub method: String,
    /// The checks that ran.
    #[serde(default)]
    pub checks: Vec<String>,
}

/// Parameters of `context/event`: whatever the extension sends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Event(pub Value);

/// Which stream a line of output belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the streams")]
pub enum OutputStream {
    Stdout,
    Stderr,
}

impl OutputStream {
    /// `stdout` or `stderr`.
    pub fn as_str(self) -> &'static str {
        match self {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        }
    }
}

/// Parameters of `output`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Output {
    /// The stream.
    pub stream: OutputStream,
    /// The line, without its end.
    pub line: String,
}

/// Parameters of `process/started` and `process/ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessGroup {
    /// The number of the process group.
    pub pgid: i32,
}
