//! The assumption that all freshness rests on: two module URLs that differ only in `?fp=` are two modules, and two equal ones are
//! one. An engine, or a loader in front of it, that drops or normalizes the query would go on running old code while
//! everything else says that it is new. So a host tries it on the production path before it takes calls, once for each
//! build of marsh and each cache; if it does not hold, the host refuses to run anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use marsh_fs::Durability;
use marsh_host_protocol::{CallError, Limits, ModuleEngine, ModuleRef};
use marsh_types::Digest;
use serde::Deserialize;

use crate::engine::{Bridge, Engine, OpName, Shim};
use crate::modules::Modules;

const PATIENCE: Duration = Duration::from_secs(10);

/// Answers what a module holds, and which evaluation of it.
const WITNESS: Shim = Shim {
    name: "marsh:witness",
    code: "let seen; export const init = ({ namespace }) => { seen = namespace; };\n\
           export const dispatch = () => ({ text: seen.text, evaluation: seen.evaluation });\n",
};

/// What a module version was seen to be.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Seen {
    pub text: String,
    pub evaluation: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("two module URLs that differ only in `?fp=` gave one module: {0}")]
    Merged(String),
    #[error("one module URL gave two modules: {0}")]
    Split(String),
    #[error("the check of module identity could not run: {0}")]
    NotRun(String),
}

/// Loads a module URL and looks at it.
pub trait Look {
    fn look(&mut self, url: &str) -> Result<Seen, IdentityError>;
}

/// Runs the check. `write` replaces the text that the file of the module exports.
pub fn check(
    base_url: &str,
    mut write: impl FnMut(&str) -> Result<(), IdentityError>,
    engine: &mut impl Look,
) -> Result<(), IdentityError> {
    let (first, second) = (format!("{base_url}?fp=a"), format!("{base_url}?fp=b"));
    write("old")?;
    let old = engine.look(&first)?;
    write("new")?;
    let new = engine.look(&second)?;
    if old.text != "old" || new.text != "new" || old.evaluation == new.evaluation {
        return Err(IdentityError::Merged(format!("`{}` and `{}`", old.text, new.text)));
    }
    let again = engine.look(&first)?;
    if again != old {
        return Err(IdentityError::Split(format!("`{}`, then `{}`", old.text, again.text)));
    }
    Ok(())
}

/// The check against the engine of this build, unless it has passed before. `cache` keeps that it has.
pub fn check_once(
    js: &Arc<dyn Engine>,
    bridge: &Arc<dyn Bridge>,
    cache: Option<&Path>,
) -> Result<(), IdentityError> {
    let passed = cache.map(|cache| cache.join("identity").join(this_build(&js.version())));
    if passed.as_ref().is_some_and(|passed| passed.is_file()) {
        return Ok(());
    }
    let not_run = |error: &dyn std::fmt::Display| IdentityError::NotRun(error.to_string());
    let parent = cache.map_or_else(std::env::temp_dir, Path::to_path_buf);
    marsh_fs::create_dir_all(&parent).map_err(|error| not_run(&error))?;
    let scratch = parent.join(format!("identity-{}", std::process::id()));
    marsh_fs::create_dir_all(&scratch).map_err(|error| not_run(&error))?;
    let path = scratch.join("module.js");
    let write = |text: &str| {
        let code = format!("export const text = '{text}'; export const evaluation = Math.random();\n");
        marsh_fs::atomic_write(&path, code.as_bytes(), Durability::Atomic).map_err(|error| not_run(&error))
    };
    let mut engine = Production {
        modules: Modules::new(Arc::clone(js), Arc::clone(bridge), None, WITNESS),
        path: path.clone(),
    };
    let outcome = check("file:///identity/module.js", write, &mut engine);
    marsh_fs::remove_tree(&scratch).map_err(|error| not_run(&error))?;
    outcome?;
    if let Some(passed) = passed
        && let Some(dir) = passed.parent()
        && marsh_fs::create_dir_all(dir).is_ok()
    {
        marsh_types::ignore(
            marsh_fs::atomic_write(&passed, b"", Durability::Atomic),
            "without the mark the next host checks again",
        );
    }
    Ok(())
}

/// A name that changes with the engine and with every build of this program.
fn this_build(engine: &str) -> String {
    let built = std::env::current_exe().and_then(std::fs::metadata).ok();
    let stamp = built.map(|built| (built.len(), built.modified().ok()));
    let text = format!("{engine} {} {stamp:?}", env!("CARGO_PKG_VERSION"));
    Digest::of(text.as_bytes()).to_hex()[..32].to_owned()
}

/// The path that calls take: the table of versions, the loader, the engine.
struct Production {
    modules: Modules,
    path: PathBuf,
}

impl Look for Production {
    fn look(&mut self, url: &str) -> Result<Seen, IdentityError> {
        let not_run = |error: &dyn std::fmt::Display| IdentityError::NotRun(error.to_string());
        let text = std::fs::read(&self.path).map_err(|error| not_run(&error))?;
        let module = ModuleRef {
            url: url.to_owned(),
            sha256: Digest::of(&text).to_hex(),
            path: self.path.clone(),
            externals: Vec::new(),
            limits: Limits::default(),
            engine: ModuleEngine::default(),
        };
        self.modules.declare(module);
        let (sender, receiver) = channel::<Result<String, CallError>>();
        let done = move |outcome, _| {
            if sender.send(outcome).is_err() {
                // The check has given up on it.
            }
        };
        self.modules
            .call(url, "identity", OpName::Other("look"), "{}", done)
            .map_err(|error| not_run(&error))?;
        let answer = receiver.recv_timeout(PATIENCE).map_err(|error| not_run(&error))?;
        serde_json::from_str(&answer.map_err(|error| not_run(&error))?).map_err(|error| not_run(&error))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use super::{IdentityError, Look, Seen, check};

    /// An engine that caches modules under a name it makes from their URL.
    struct Engine<'a> {
        file: &'a RefCell<String>,
        name: fn(&str, u32) -> String,
        modules: HashMap<String, Seen>,
        evaluations: u32,
    }

    impl Look for Engine<'_> {
        fn look(&mut self, url: &str) -> Result<Seen, IdentityError> {
            self.evaluations += 1;
            let seen = Seen { text: self.file.borrow().clone(), evaluation: f64::from(self.evaluations) };
            Ok(self.modules.entry((self.name)(url, self.evaluations)).or_insert(seen).clone())
        }
    }

    fn verdict(name: fn(&str, u32) -> String) -> Result<(), IdentityError> {
        let file = RefCell::default();
        let mut engine = Engine { file: &file, name, modules: HashMap::new(), evaluations: 0 };
        check(
            "file:///m.js",
            |text| {
                text.clone_into(&mut file.borrow_mut());
                Ok(())
            },
            &mut engine,
        )
    }

    #[test]
    fn an_engine_that_keeps_the_query_passes() {
        verdict(|url, _| url.to_owned()).unwrap();
    }

    #[test]
    fn an_engine_that_drops_the_query_is_refused() {
        let error = verdict(|url, _| url.split('?').next().unwrap_or_default().to_owned()).unwrap_err();
        assert!(matches!(error, IdentityError::Merged(_)), "{error}");
    }

    #[test]
    fn an_engine_that_never_shares_is_refused() {
        let error = verdict(|url, evaluation| format!("{url}#{evaluation}")).unwrap_err();
        assert!(matches!(error, IdentityError::Split(_)), "{error}");
    }
}
