//! A source of every kind, and functions that read which version of each a running process serves.
//!
//! Each source returns one word, and appends it to its own file when it is evaluated. So a test sees which code serves
//! ([`KindSource::said`]) and how often it was evaluated ([`KindSource::evaluations`]): a shared version is evaluated once.

use serde_json::{Value, json};

use crate::{ExtensionProcess, Scratch};

/// A source to edit, and the type of its row in the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSource {
    /// `model`, `graft`, `vault`, `datastore`, `driver` or `report`.
    pub kind: &'static str,
    /// The path of the source below the repository.
    pub file: &'static str,
    /// The type in the status. A method extension (`graft`) is part of the type that it extends.
    pub type_name: &'static str,
}

/// One source of each kind that can be reloaded.
pub const EVERY_KIND: [KindSource; 6] = [
    KindSource { kind: "model", file: "extensions/models/word.ts", type_name: "@kinds/word" },
    KindSource { kind: "graft", file: "extensions/models/graft.ts", type_name: "@kinds/base" },
    KindSource { kind: "vault", file: "extensions/vaults/box.ts", type_name: "@kinds/box" },
    KindSource { kind: "datastore", file: "extensions/datastores/disk.ts", type_name: "@kinds/disk" },
    KindSource { kind: "driver", file: "extensions/drivers/echo.ts", type_name: "@kinds/echo" },
    KindSource { kind: "report", file: "extensions/reports/about.ts", type_name: "@kinds/about" },
];

/// The start of the vault's secret. The rest is the word.
const SECRET: &str = "of-the-vault:";

/// Writes the sources that no test edits: the model that the method extension extends, the model that reads the vault, the
/// model that the report follows, and a vault `main` of the vault's type.
pub fn write_surroundings(repo: &Scratch) {
    let constant = |type_name: &str, members: &str, word: &str| {
        let text = model(type_name, members, word);
        format!("import {{ z }} from \"npm:zod@4.3.6\";\n{text}")
    };
    repo.write("extensions/models/base.ts", constant("@kinds/base", "", "'base'"));
    let globals = "globalArguments: z.object({ token: z.string() }),";
    let word = format!("context.globalArgs.token.slice({})", SECRET.len());
    repo.write("extensions/models/reader.ts", constant("@kinds/reader", globals, &word));
    repo.write("extensions/models/told.ts", constant("@kinds/told", "reports: ['@kinds/about'],", "'told'"));
    repo.write(
        "models/@kinds/reader/reader.yaml",
        "type: \"@kinds/reader\"\nid: 11111111-2222-4333-8444-555555555555\nname: reader\nversion: 1\ntags: {}\n\
         globalArguments:\n  token: ${{ vault.get('main', 'token') }}\n",
    );
    repo.write("evaluated/.keep", "");
    let vault = KindSource::of("vault");
    vault.write(repo, "", "''");
    repo.marsh(&["vault", "create", vault.type_name, "main"]).ok();
    repo.remove(&vault.evaluated());
}

fn model(type_name: &str, members: &str, word: &str) -> String {
    format!(
        "export const model = {{ type: \"{type_name}\", version: \"2026.01.01.1\", {members}\n\
         resources: {{ out: {{ description: \"anything\", schema: z.any(), lifetime: \"infinite\", garbageCollection: 1 }} }},\n\
         methods: {{ {} }} }};\n",
        method("run", word)
    )
}

fn method(name: &str, word: &str) -> String {
    format!(
        "{name}: {{ description: \"Say it\", arguments: z.object({{}}), execute: async (_args, context) => {{\n\
         await context.writeResource(\"out\", \"said\", {{ word: {word} }}); }} }}"
    )
}

impl KindSource {
    /// The source of `kind`, by the directory of the kind.
    pub fn of(kind: &str) -> KindSource {
        let found = EVERY_KIND.into_iter().find(|source| source.kind == kind);
        found.unwrap_or_else(|| panic!("unknown kind {kind}"))
    }

    /// Whether calls of clients load it. Otherwise only reloads of a server with `--watch` do.
    pub fn is_called(self) -> bool {
        !matches!(self.kind, "datastore" | "driver")
    }

    /// The source that returns this expression. `top` comes first, with imports.
    pub fn source(self, repo: &Scratch, top: &str, word: &str) -> String {
        let evaluated = repo.path(&self.evaluated());
        let identity =
            format!("type: \"{}\", name: \"N\", description: \"of {}\"", self.type_name, self.kind);
        let export = match self.kind {
            "model" => model(self.type_name, "", "word"),
            "graft" => format!(
                "export const extension = {{ type: \"{}\", methods: [{{ {} }}] }};\n",
                self.type_name,
                method("more", "word")
            ),
            "vault" => format!(
                "export const vault = {{ {identity}, createProvider: (name) => ({{ getName: () => name, \
                 get: async () => \"{SECRET}\" + word, put: async () => {{}}, list: async () => [\"token\"] }}) }};\n"
            ),
            "datastore" => format!(
                "export const datastore = {{ {identity}, createProvider: () => ({{ resolveDatastorePath: () => word }}) }};\n"
            ),
            "driver" => format!(
                "export const driver = {{ {identity}, createDriver: () => ({{ type: \"{}\", \
                 execute: async () => ({{ status: \"success\", outputs: [], logs: [word], durationMs: 1 }}) }}) }};\n",
                self.type_name
            ),
            _ => format!(
                "export const report = {{ name: \"{}\", description: \"About a run\", scope: \"method\", \
                 execute: async () => ({{ markdown: word, json: {{ word }} }}) }};\n",
                self.type_name
            ),
        };
        format!(
            "import {{ z }} from \"npm:zod@4.3.6\";\n{top}\nconst word = String({word});\n\
             Deno.writeTextFileSync({evaluated:?}, word + \"\\n\", {{ append: true }});\n{export}"
        )
    }

    /// Replaces the source with one that returns `word`, by a rename, as editors do.
    pub fn write(self, repo: &Scratch, top: &str, word: &str) {
        repo.replace(self.file, self.source(repo, top, word));
    }

    fn evaluated(self) -> String {
        // Written outside the root, which a server watches.
        format!("evaluated/{}", self.kind)
    }

    /// The words of all evaluations so far.
    pub fn evaluations(self, repo: &Scratch) -> Vec<String> {
        let file = self.evaluated();
        if !repo.exists(&file) {
            return Vec::new();
        }
        repo.read(&file).lines().map(str::to_owned).collect()
    }

    /// The word that a call to this source returns. If no call reaches it, the word of its last evaluation.
    #[track_caller]
    pub fn said(self, repo: &Scratch, process: &ExtensionProcess) -> String {
        let said = match self.kind {
            "model" => process.run(self.type_name, "run")["word"].clone(),
            "graft" => process.run(self.type_name, "more")["word"].clone(),
            "vault" => {
                let params = json!({ "target": "reader", "method": "run" });
                let run = process.connect().ask("call", params).unwrap_or_else(|error| panic!("{error:#}"));
                run["dataArtifacts"][0]["attributes"]["word"].clone()
            }
            "report" => {
                let run = process.try_run("@kinds/told", "run").unwrap_or_else(|error| panic!("{error:#}"));
                run["reports"][self.type_name]["json"]["word"].clone()
            }
            _ => self.evaluations(repo).pop().into(),
        };
        let Value::String(said) = said else { panic!("the {} said {said}", self.kind) };
        said
    }
}
