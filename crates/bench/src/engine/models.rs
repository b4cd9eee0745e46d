//! The modules for measuring hosts: their sources and bundles.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use marsh_host_client::{External, Limits, ModuleEngine, ModuleRef};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::BenchError;
use crate::fixture::{Fixture, write};

/// The file that the bundling worker writes beside the bundle.
#[derive(Debug, Deserialize)]
struct Meta {
    code_sha256: String,
    code_bytes: u64,
    externals: Vec<External>,
}

/// A model with one schema, like most local models.
const SMALL: &str = r#"import { z } from "npm:zod@4.3.6";
export const model = {
  type: "@bench/small", version: "2026.01.01.1",
  globalArguments: z.object({ name: z.string().default("x") }),
  methods: { run: { description: "Nothing", kind: "read", arguments: z.object({}), execute: async () => ({}) } },
};
"#;

/// A model that drives a program: a schema for each of a dozen methods, each of which runs `git`.
const GIT: &str = r#"import { z } from "npm:zod@4.3.6";
const Repo = z.object({ path: z.string().describe("Working tree"), timeout: z.number().int().positive().default(60) });
const names = ["status", "diff", "log", "commit", "amend", "branch", "switch", "clone", "fetch", "config", "tag", "stash"];
const git = async (args: string[], cwd?: string) => {
  const { code, stdout, stderr } = await new Deno.Command("git", { args, cwd, stdout: "piped", stderr: "piped" }).output();
  if (code !== 0) throw new Error(`git ${args[0]} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
};
const outcome = z.object({ command: z.string(), lines: z.array(z.string()), ok: z.boolean(), at: z.string().optional() });
const method = (name: string) => ({
  description: `git ${name}`,
  arguments: z.object({ flags: z.array(z.string()).default([]), ref: z.string().regex(/^[\w./-]+$/).optional() }),
  execute: async (args: { flags: string[] }, context: any) => {
    const lines = (await git([name, ...args.flags], context.globalArgs.path)).split("\n");
    return { dataHandles: [await context.writeResource("outcome", name, { command: name, lines, ok: true })] };
  },
});
export const model = {
  type: "@bench/git", version: "2026.01.01.1", globalArguments: Repo,
  resources: { outcome: { description: "What git said", schema: outcome, lifetime: "infinite", garbageCollection: 10 } },
  methods: {
    ...Object.fromEntries(names.map((name) => [name, method(name)])),
    run: { description: "Nothing", kind: "read", arguments: z.object({}), execute: async () => ({}) },
  },
};
"#;

/// A model over a client of the AWS SDK.
const AWS: &str = r#"import { z } from "npm:zod@4.3.6";
import { ListBucketsCommand, S3Client } from "npm:@aws-sdk/client-s3@3";
export const model = {
  type: "@bench/aws", version: "2026.01.01.1",
  globalArguments: z.object({ region: z.string().default("eu-central-1") }),
  resources: { buckets: { description: "b", schema: z.object({ names: z.array(z.string()) }), lifetime: "infinite", garbageCollection: 10 } },
  methods: {
    list: { description: "List the buckets", kind: "list", arguments: z.object({}), execute: async (_: unknown, context: any) => {
      const said = await new S3Client({ region: context.globalArgs.region }).send(new ListBucketsCommand({}));
      const names = (said.Buckets ?? []).map((bucket) => bucket.Name ?? "");
      return { dataHandles: [await context.writeResource("buckets", "all", { names })] };
    } },
    run: { description: "Nothing", kind: "read", arguments: z.object({}), execute: async () => ({}) },
  },
};
"#;

/// The kernels as a model: it prints its times.
const KERNELS: &str = r#"import { measureAll } from "./kernels.js";
const any = { _def: { type: "any" }, parse: (x: unknown) => x, safeParse: (x: unknown) => ({ success: true, data: x }) };
export const model = {
  type: "@bench/kernels", version: "2026.01.01.1",
  methods: { run: { description: "Compute", kind: "read", arguments: any, execute: async () => {
    console.log(JSON.stringify(await measureAll()));
    return {};
  } } },
};
"#;

/// The same under Deno.
const KERNELS_DENO: &str =
    "import { measureAll } from \"./kernels.js\";\nconsole.log(JSON.stringify(await measureAll()));\n";

/// Builds bundles below the fixture.
#[derive(Debug)]
pub struct Models<'a> {
    fixture: &'a Fixture,
}

impl<'a> Models<'a> {
    pub fn make(fixture: &'a Fixture) -> Result<Models<'a>, BenchError> {
        let models = Models { fixture };
        for (name, text) in [("small.ts", SMALL), ("git.ts", GIT), ("aws.ts", AWS), ("kernels.ts", KERNELS)] {
            write(&models.sources().join(name), text)?;
        }
        write(&models.sources().join("kernels.js"), include_str!("kernels.js"))?;
        write(&models.kernels_for_deno(), KERNELS_DENO)?;
        Ok(models)
    }

    fn sources(&self) -> PathBuf {
        self.fixture.top().join("engine")
    }

    pub fn kernels_for_deno(&self) -> PathBuf {
        self.sources().join("kernels-deno.js")
    }

    /// Bundles a source. Returns the module, the time in milliseconds, and the size in bytes.
    pub fn bundle(&self, name: &str) -> Result<(ModuleRef, f64, u64), BenchError> {
        let out_dir = self.fixture.top().join("bundles").join(name);
        marsh_fs::remove_tree(&out_dir)?;
        marsh_fs::create_dir_all(&out_dir)?;
        let request = json!({
            "entry": self.sources().join(format!("{name}.ts")),
            "root": self.sources(),
            "out_dir": out_dir,
            "cache_dir": self.fixture.top().join("cache"),
            "offline": false,
        });
        let start = Instant::now();
        let said = self.worker(&request)?;
        let wall = start.elapsed().as_secs_f64() * 1e3;
        let meta = std::fs::read(out_dir.join("bundle.json")).ok();
        let Some(meta) = meta.and_then(|text| serde_json::from_slice::<Meta>(&text).ok()) else {
            return Err(BenchError::Command { what: format!("bundle {name}.ts"), said });
        };
        let path = out_dir.join("bundle.js");
        let module = ModuleRef {
            url: format!("file://{}?fp={}", path.display(), meta.code_sha256),
            sha256: meta.code_sha256,
            path,
            externals: meta.externals,
            limits: Limits::default(),
            engine: ModuleEngine::default(),
        };
        Ok((module, wall, meta.code_bytes))
    }

    /// Bundles in a separate process, as every command does. Returns its answer.
    fn worker(&self, request: &Value) -> Result<String, BenchError> {
        let started = |source| BenchError::io("start the bundling worker", source);
        let mut child = Command::new(self.fixture.marsh())
            .arg("__bundle")
            .env_clear()
            .envs(self.fixture.job(self.fixture.top(), &[]).env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(started)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(request.to_string().as_bytes()).map_err(started)?;
        }
        let output = child.wait_with_output().map_err(started)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
