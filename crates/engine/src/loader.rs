//! Which modules a runtime can import, and turning their source into engine modules.
//!
//! Names: the module's own URL, the externals' specifiers, the shim, `node:*`, and the surface's `marsh:*`, which only
//! the surface itself may import (so that a module cannot reach the native functions). Nothing is resolved on disk.
//!
//! A thread of its own reads the files and their bytecode while the surface is being evaluated, so that digesting megabytes
//! delays nothing.
//!
//! Held by `tests/it/bytecode.rs`, `tests/it/node.rs`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex};

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::{Declared, WriteOptions};
use rquickjs::{Ctx, Error, Module};
use sha2::{Digest, Sha256};

use crate::api::Code;
use crate::bytecode::{Cache, Key};
use crate::lock::lock;
use crate::{node_missing, surface};

/// Where the text of a module comes from.
pub(crate) enum Text {
    Static(&'static str),
    Code(Code),
}

/// The modules that were loaded, for error messages and counters.
#[derive(Default)]
pub(crate) struct Record {
    /// Modules loaded, with whether their code came from the cache.
    pub(crate) loaded: Vec<(String, bool)>,
    /// The module whose source did not parse.
    pub(crate) syntax_error_in: Option<String>,
}

pub(crate) struct Modules {
    texts: HashMap<String, Text>,
    externals: HashSet<String>,
    cache: Option<Arc<Cache>>,
    ahead: Mutex<Ahead>,
    pub(crate) record: Mutex<Record>,
}

/// A text, and the bytecode of it that the cache has.
struct Found {
    code: Result<Vec<u8>, String>,
    cached: Option<(Key, Option<Vec<u8>>)>,
}

/// The text of a module, with its digest: from its file when that has the right one, else from elsewhere.
fn read(code: &Code) -> Result<(Vec<u8>, [u8; 32]), String> {
    let verified = |text: Vec<u8>, from: &str| {
        let digest: [u8; 32] = Sha256::digest(&text).into();
        if code.sha256.is_none_or(|wanted| wanted == digest) {
            Ok((text, digest))
        } else {
            Err(format!("{from} does not have the digest of the module"))
        }
    };
    let from_file = match &code.path {
        None => Err("the module has no file".to_owned()),
        Some(path) => std::fs::read(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
            .and_then(|text| verified(text, &path.display().to_string())),
    };
    match (from_file, &code.fetch) {
        (Err(reason), Some(fetch)) => fetch()
            .and_then(|text| verified(text, "the text that was sent"))
            .map_err(|error| format!("{reason}; {error}")),
        (result, _) => result,
    }
}

impl Found {
    fn read(name: &str, code: &Code, cache: Option<&Cache>) -> Found {
        match read(code) {
            Ok((text, digest)) => {
                let cached = cache.map(|cache| {
                    let key = Key::of(name, &digest);
                    let payload = cache.read(&key);
                    (key, payload)
                });
                Found { code: Ok(text), cached }
            }
            Err(error) => Found { code: Err(error), cached: None },
        }
    }
}

/// Files that were read before an import asked for them.
#[derive(Default)]
struct Ahead {
    coming: Option<Receiver<(String, Found)>>,
    here: HashMap<String, Found>,
}

impl Ahead {
    /// Reads in this order.
    fn start(files: Vec<(String, Code)>, cache: Option<Arc<Cache>>) -> Ahead {
        let (sender, receiver) = channel();
        let read = move || {
            for (name, code) in files {
                let found = Found::read(&name, &code, cache.as_deref());
                if sender.send((name, found)).is_err() {
                    return;
                }
            }
        };
        // Without a thread, `take` finds nothing and the caller reads the file.
        let started = std::thread::Builder::new().name("marsh-ahead".into()).spawn(read);
        Ahead { coming: started.is_ok().then_some(receiver), here: HashMap::new() }
    }

    fn take(&mut self, name: &str) -> Option<Found> {
        if let Some(found) = self.here.remove(name) {
            return Some(found);
        }
        while let Ok((other, found)) = self.coming.as_ref()?.recv() {
            if other == name {
                return Some(found);
            }
            self.here.insert(other, found);
        }
        self.coming = None;
        None
    }
}

/// Compiled surface modules of this process: the same for every runtime, and small.
static SURFACE_CODE: LazyLock<Mutex<CodeByName>> = LazyLock::new(Default::default);

type CodeByName = HashMap<&'static str, Arc<[u8]>>;

impl Modules {
    pub(crate) fn new(
        texts: HashMap<String, Text>,
        externals: HashSet<String>,
        cache: Option<Cache>,
    ) -> Modules {
        let cache = cache.map(Arc::new);
        let mut files: Vec<(String, Code)> = texts
            .iter()
            .filter_map(|(name, text)| match text {
                Text::Code(code) => Some((name.clone(), code.clone())),
                Text::Static(_) => None,
            })
            .collect();
        // The module is declared first, then what it imports.
        files.sort_by_key(|(name, _)| externals.contains(name));
        let ahead = Mutex::new(Ahead::start(files, cache.clone()));
        Modules { texts, externals, cache, ahead, record: Mutex::default() }
    }

    /// Lets go of what was read and never asked for.
    pub(crate) fn loaded(&self) {
        *lock(&self.ahead) = Ahead::default();
    }

    /// Whether `name` is a module that the caller provides beside the module itself and the shim.
    pub(crate) fn is_external(&self, name: &str) -> bool {
        self.externals.contains(name)
    }

    fn knows(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    pub(crate) fn declare<'js>(&self, ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Module<'js, Declared>> {
        let module = match self.texts.get(name) {
            None => self.declare_surface(ctx, name)?,
            Some(Text::Static(code)) => self.compile_or_load(ctx, name, code.as_bytes(), None)?.0,
            Some(Text::Code(code)) => {
                // In a statement of its own, as below.
                let ahead = lock(&self.ahead).take(name);
                let found = ahead.unwrap_or_else(|| Found::read(name, code, self.cache.as_deref()));
                let code = found.code.map_err(|error| Error::new_loading_message(name, error))?;
                self.compile_or_load(ctx, name, &code, found.cached)?.0
            }
        };
        module.meta()?.set("url", name)?;
        Ok(module)
    }

    fn declare_surface<'js>(&self, ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Module<'js, Declared>> {
        let Some((name, code)) = surface::find(name) else {
            return Module::declare(ctx.clone(), name, node_missing::module(name));
        };
        // In a statement of its own: loading comes back here for the module's imports, and must find the lock free.
        let known = lock(&SURFACE_CODE).get(name).cloned();
        if let Some(bytes) = known {
            // SAFETY: the bytes were written by `Module::write` of this very process and build, below.
            return unsafe { Module::load(ctx.clone(), &bytes) };
        }
        let (module, bytes) = self.compile_or_load(ctx, name, code.as_bytes(), None)?;
        // What came from the disk need not be written a second time to be known.
        let bytes = match bytes {
            Some(bytes) => Some(bytes),
            None => module.write(WriteOptions::default()).inspect_err(|_| drop(ctx.catch())).ok(),
        };
        if let Some(bytes) = bytes {
            lock(&SURFACE_CODE).insert(name, bytes.into());
        }
        Ok(module)
    }

    /// The module, and its bytecode where it had any before.
    fn compile_or_load<'js>(
        &self,
        ctx: &Ctx<'js>,
        name: &str,
        code: &[u8],
        cached: Option<(Key, Option<Vec<u8>>)>,
    ) -> rquickjs::Result<(Module<'js, Declared>, Option<Vec<u8>>)> {
        let (key, payload) = match (&self.cache, cached) {
            (None, _) => (None, None),
            (Some(cache), Some((key, payload))) => (Some((cache, key)), payload),
            (Some(cache), None) => {
                let key = Key::of(name, &Sha256::digest(code).into());
                let payload = cache.read(&key);
                (Some((cache, key)), payload)
            }
        };
        if let Some(payload) = payload {
            // SAFETY: `Cache::read` only returns bytes that this user wrote, in a directory and a file that no other user can
            // write, under a header that names this exact engine and this exact source, and whose digest matches; and
            // `Cache::write` below only ever stores what `Module::write` of that engine produced.
            if let Ok(module) = unsafe { Module::load(ctx.clone(), &payload) } {
                lock(&self.record).loaded.push((name.to_owned(), true));
                return Ok((module, Some(payload)));
            }
            // Genuine, and still not loaded: no stack or memory left for it. The source says the same, in words.
            ctx.catch();
        }
        let module = Module::declare(ctx.clone(), name, without_nul(code)).inspect_err(|_| {
            lock(&self.record).syntax_error_in = Some(name.to_owned());
        })?;
        let mut written = None;
        if let Some((cache, key)) = &key {
            match module.write(WriteOptions::default()) {
                Ok(bytes) => {
                    cache.write(key, &bytes);
                    written = Some(bytes);
                }
                // Too deep to be written; it runs all the same.
                Err(_) => drop(ctx.catch()),
            }
        }
        lock(&self.record).loaded.push((name.to_owned(), false));
        Ok((module, written))
    }
}

/// `code` without the character U+0000, which the engine's binding takes in no source. JavaScript allows it in literals and
/// comments: there `\x00` means the same, and after a backslash, which is then part of the escape, `x00`. Only the raw text
/// of a template shows the difference.
fn without_nul(code: &[u8]) -> Cow<'_, [u8]> {
    if !code.contains(&0) {
        return Cow::Borrowed(code);
    }
    let mut written = Vec::with_capacity(code.len() + 64);
    let mut escaping = false;
    for byte in code {
        if *byte != 0 {
            written.push(*byte);
            escaping = *byte == b'\\' && !escaping;
            continue;
        }
        let escape: &[u8] = if escaping { b"x00" } else { b"\\x00" };
        written.extend_from_slice(escape);
        escaping = false;
    }
    Cow::Owned(written)
}

pub(crate) struct Resolve(pub(crate) Arc<Modules>);

impl Resolver for Resolve {
    fn resolve<'js>(
        &mut self,
        _ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        if self.0.knows(name) {
            return Ok(name.to_owned());
        }
        let inside = base.starts_with("marsh:") || base.starts_with("node:");
        if name.starts_with("marsh:") && inside && surface::find(name).is_some() {
            return Ok(name.to_owned());
        }
        if let Some(node) = surface::node_name(name) {
            return Ok(node);
        }
        Err(Error::new_resolving_message(base, name, "the host does not provide this module"))
    }
}

pub(crate) struct Load(pub(crate) Arc<Modules>);

impl Loader for Load {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        self.0.declare(ctx, name)
    }
}
