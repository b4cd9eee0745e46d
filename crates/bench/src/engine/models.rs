//! The modules that hosts are measured with: their sources, and the bundles made of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use marsh_bundle::{BundleRequest, Worker};
use marsh_host::{External, Limits, ModuleRef};

use crate::error::BenchError;
use crate::fixture::{Fixture, write};

/// Bundling may download packages the first time.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A model with one schema: what most local models are.
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

/// Makes bundles below the fixture.
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

    /// Bundles a source; the module, how long it took in milliseconds, and how many bytes it has.
    pub fn bundle(&self, name: &str) -> Result<(ModuleRef, f64, u64), BenchError> {
        let out_dir = self.fixture.top().join("bundles").join(name);
        marsh_fs::remove_tree(&out_dir)?;
        marsh_fs::create_dir_all(&out_dir)?;
        let request = BundleRequest {
            entry: self.sources().join(format!("{name}.ts")),
            root: self.sources(),
            out_dir: out_dir.clone(),
            cache_dir: self.fixture.top().join("cache"),
            offline: false,
        };
        let worker = Worker::new(self.fixture.marsh(), ["__bundle"]);
        let start = Instant::now();
        let meta = marsh_bundle::bundle_in_worker(&worker, &request, TIMEOUT).map_err(|error| {
            let said = match &error {
                marsh_bundle::BundleError::Diagnostics(list) => {
                    list.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                }
                other => other.to_string(),
            };
            BenchError::Command { what: format!("bundle {name}.ts"), said }
        })?;
        let wall = start.elapsed().as_secs_f64() * 1e3;
        let path = out_dir.join("bundle.js");
        let externals = meta
            .externals
            .iter()
            .map(|external| External { specifier: external.specifier.clone(), path: external.path.clone() });
        let module = ModuleRef {
            url: format!("file://{}?fp={}", path.display(), meta.code_sha256),
            path,
            externals: externals.collect(),
            limits: Limits::default(),
        };
        Ok((module, wall, meta.code_bytes))
    }
}
