//! The repositories in which commands are measured.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use marsh_fs::Durability;
use tempfile::TempDir;

use crate::error::BenchError;
use crate::measure::Job;

/// The number of local models in the large repository.
pub const MANY: usize = 500;
/// The number of runs of a command that reads its inputs line by line.
pub const BATCH: usize = 11;
/// Every command reads a file that is younger than this again (`extension::stat`), so a warm case waits until it is older.
const AGE: Duration = Duration::from_millis(2300);

/// Scratch repositories below one directory, which is removed on drop.
#[derive(Debug)]
pub struct Fixture {
    top: TempDir,
    marsh: PathBuf,
    deno: PathBuf,
    env: Vec<(OsString, OsString)>,
}

impl Fixture {
    pub fn make(dir: Option<&Path>, marsh: &Path, deno: &Path) -> Result<Fixture, BenchError> {
        let dir = dir.map_or_else(std::env::temp_dir, Path::to_owned);
        let top = tempfile::Builder::new()
            .prefix("marsh-bench-")
            .tempdir_in(&dir)
            .map_err(|source| BenchError::io(format!("make a directory below {}", dir.display()), source))?;
        let mut fixture = Fixture { env: Vec::new(), marsh: marsh.to_owned(), deno: deno.to_owned(), top };
        fixture.env = fixture.environment();
        write(&fixture.top.path().join("empty.ts"), "")?;
        let lines = "{\"greeting\":\"hello\"}\n".repeat(BATCH);
        write(&fixture.batch_input(), &lines)?;
        for repo in [fixture.trivial(), fixture.edited(), fixture.fresh(), fixture.uncached()] {
            fixture.trivial_repo(&repo)?;
        }
        fixture.many_repo()?;
        copy_tree(&quickstart(), &fixture.quickstart())?;
        marsh_fs::create_dir_all(&fixture.inits())?;
        std::thread::sleep(AGE);
        Ok(fixture)
    }

    pub fn top(&self) -> &Path {
        self.top.path()
    }

    pub fn marsh(&self) -> &Path {
        &self.marsh
    }

    /// One trivial zod model with a definition, and a definition of `command/shell`.
    pub fn trivial(&self) -> PathBuf {
        self.top().join("trivial")
    }

    /// The same repository, whose model is edited before each run.
    pub fn edited(&self) -> PathBuf {
        self.top().join("edited")
    }

    /// The same repository, whose derived files are removed before each run.
    pub fn fresh(&self) -> PathBuf {
        self.top().join("fresh")
    }

    /// The same repository, with its own cache, which is removed before each run.
    pub fn uncached(&self) -> PathBuf {
        self.top().join("uncached")
    }

    pub fn uncached_cache(&self) -> PathBuf {
        self.top().join("cache-uncached")
    }

    /// [`MANY`] models with a shared helper, and a definition of one.
    pub fn many(&self) -> PathBuf {
        self.top().join("many")
    }

    /// A copy of `examples/quickstart`.
    pub fn quickstart(&self) -> PathBuf {
        self.top().join("quickstart")
    }

    /// The directory in which `marsh init` creates repositories.
    pub fn inits(&self) -> PathBuf {
        self.top().join("inits")
    }

    pub fn batch_input(&self) -> PathBuf {
        self.top().join("batch.jsonl")
    }

    /// The environment of this process, without the variables that configure marsh or Deno.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        let foreign =
            |name: &str| ["MARSH_", "SWAMP_", "DENO_"].iter().any(|prefix| name.starts_with(prefix));
        let mut env: Vec<(OsString, OsString)> =
            std::env::vars_os().filter(|(name, _)| !foreign(&name.to_string_lossy())).collect();
        let mut set = |name: &str, value: OsString| env.push((name.into(), value));
        set("MARSH_CACHE_DIR", self.top().join("cache").into());
        set("MARSH_HOME", self.top().join("home").into());
        set("DENO_DIR", self.top().join("deno").into());
        set("DENO_NO_UPDATE_CHECK", "1".into());
        set("NO_COLOR", "1".into());
        env
    }

    /// A run of marsh in a directory.
    pub fn job(&self, cwd: &Path, args: &[&str]) -> Job {
        Job {
            program: self.marsh.clone(),
            args: args.iter().map(OsString::from).collect(),
            cwd: cwd.to_owned(),
            env: self.env.clone(),
            stdin: None,
        }
    }

    /// The command whose time is D.
    pub fn deno_job(&self) -> Job {
        Job {
            program: self.deno.clone(),
            args: vec!["run".into(), "empty.ts".into()],
            ..self.job(self.top(), &[])
        }
    }

    fn marsh_in(&self, cwd: &Path, args: &[&str]) -> Result<(), BenchError> {
        let output = Command::new(&self.marsh)
            .args(args)
            .current_dir(cwd)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .output()
            .map_err(|source| BenchError::io("start marsh", source))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(BenchError::Command { what: format!("marsh {}", args.join(" ")), said })
    }

    fn trivial_repo(&self, repo: &Path) -> Result<(), BenchError> {
        marsh_fs::create_dir_all(repo)?;
        self.marsh_in(repo, &["init", "--quiet"])?;
        write(&trivial_source(repo), TRIVIAL)?;
        self.marsh_in(repo, &["model", "create", "@bench/trivial", "trivial", "--global-arg", "name=world"])?;
        self.marsh_in(repo, &["model", "create", "command/shell", "shell"])
    }

    fn many_repo(&self) -> Result<(), BenchError> {
        let repo = self.many();
        marsh_fs::create_dir_all(&repo)?;
        self.marsh_in(&repo, &["init", "--quiet"])?;
        let models = repo.join("extensions").join("models");
        write(&models.join("_lib").join("text.ts"), HELPER)?;
        for number in 0..MANY {
            // A few directories, as in real repositories.
            let dir = models.join(format!("group_{:02}", number % 20));
            write(&dir.join(format!("model_{number:03}.ts")), &model(number))?;
        }
        self.marsh_in(&repo, &["model", "create", "@bench/model-250", "one", "--global-arg", "region=eu-1"])
    }
}

/// The source of the trivial model of a repository.
pub fn trivial_source(repo: &Path) -> PathBuf {
    repo.join("extensions").join("models").join("trivial.ts")
}

pub fn write(path: &Path, text: &str) -> Result<(), BenchError> {
    if let Some(parent) = path.parent() {
        marsh_fs::create_dir_all(parent)?;
    }
    Ok(marsh_fs::atomic_write(path, text.as_bytes(), Durability::Atomic)?)
}

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart")
}

/// Copies files and directories, without the files that a run of the example left.
fn copy_tree(from: &Path, to: &Path) -> Result<(), BenchError> {
    let read = |source| BenchError::io(format!("read {}", from.display()), source);
    marsh_fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).map_err(read)? {
        let entry = entry.map_err(read)?;
        let target = to.join(entry.file_name());
        if entry.file_name() == ".swamp" {
            continue;
        }
        if entry.file_type().map_err(read)?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            marsh_fs::copy_file(&entry.path(), &target, Durability::Atomic)?;
        }
    }
    Ok(())
}

/// A model that does the minimum: validate and write one resource.
pub const TRIVIAL: &str = r#"import { z } from "npm:zod@4.3.6";

const Arguments = z.object({ greeting: z.string().default("hello") });

export const model = {
  type: "@bench/trivial",
  version: "2026.01.01.1",
  globalArguments: z.object({ name: z.string() }),
  resources: {
    greeting: {
      description: "A greeting",
      schema: z.object({ text: z.string() }),
      lifetime: "infinite",
      garbageCollection: 10,
    },
  },
  methods: {
    greet: {
      description: "Write a greeting",
      arguments: Arguments,
      execute: async (args: z.infer<typeof Arguments>, context: any) => {
        const text = `${args.greeting}, ${context.globalArgs.name}`;
        return { dataHandles: [await context.writeResource("greeting", "greeting", { text })] };
      },
    },
  },
};
"#;

const HELPER: &str = r#"/** `3 volumes`, `1 volume`. */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
"#;

/// One of many models: about 50 lines, as a model for one kind of remote resource has.
fn model(number: usize) -> String {
    MODEL.replace("NUMBER", &number.to_string())
}

const MODEL: &str = r#"import { z } from "npm:zod@4.3.6";
import { plural } from "../_lib/text.ts";

/** Where the volumes of service NUMBER are. */
const Globals = z.object({
  region: z.string().describe("The region that volumes are listed in"),
  profile: z.string().optional().describe("Credentials to use"),
});

const ListArguments = z.object({
  limit: z.number().int().min(1).max(1000).default(100).describe("How many volumes to return"),
  tags: z.record(z.string(), z.string()).default({}),
});

const CreateArguments = z.object({
  name: z.string().min(1).regex(/^[a-z][a-z0-9-]*$/),
  size: z.number().positive(),
  encrypted: z.boolean().default(true),
});

const Volume = z.object({
  id: z.string(),
  name: z.string(),
  size: z.number(),
  state: z.enum(["creating", "available", "in-use", "deleting"]),
});

export const model = {
  type: "@bench/model-NUMBER",
  version: "2026.01.01.1",
  globalArguments: Globals,
  resources: {
    volume: { description: "A volume", schema: Volume, lifetime: "infinite", garbageCollection: 10 },
  },
  methods: {
    list: {
      description: "List the volumes of a region",
      kind: "read",
      arguments: ListArguments,
      execute: async (args: z.infer<typeof ListArguments>, context: any) => {
        context.logger.info("asking for {volumes}", { volumes: plural(args.limit, "volume") });
        const volume = { id: "v-NUMBER", name: context.globalArgs.region, size: args.limit, state: "available" };
        return { dataHandles: [await context.writeResource("volume", "first", volume)] };
      },
    },
    create: {
      description: "Create a volume",
      arguments: CreateArguments,
      execute: async (args: z.infer<typeof CreateArguments>, context: any) => {
        const volume = { id: "v-NUMBER", name: args.name, size: args.size, state: "creating" };
        return { dataHandles: [await context.writeResource("volume", args.name, volume)] };
      },
    },
  },
};
"#;
