//! Where methods run: beside marsh, in a container, or wherever a driver of an extension takes them.
//!
//! * The files of a repository do not say it: `driver` and `driverConfig` in definitions and workflows are refused, as
//!   everywhere in this format. Whoever starts a run does.
//! * Nothing secret is on a command line: arguments travel over the standard input of the host, and of variables of the
//!   environment only names are given.
//!
//! Held by the binary's `tests/it/drivers.rs`.

use std::path::{Path, PathBuf};

use marsh_types::TypeName;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::ModelError;

/// Container programs that are known by name.
const CONTAINER_PROGRAMS: [&str; 2] = ["docker", "podman"];

/// Where the methods of a run are executed.
#[derive(Debug, Clone, Default)]
pub enum Driver {
    /// In a host process on this machine.
    #[default]
    Raw,
    /// In a host process that a container program starts.
    Container(Box<Container>),
    /// By a driver of an extension.
    Extension { type_name: TypeName, config: Map<String, Value> },
}

/// A container to run a host in.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// What starts containers, by name or path. Default: as the driver is called.
    #[serde(default)]
    pub program: PathBuf,
    pub image: String,
    /// Where marsh is in the image. Default: this very binary is mounted.
    #[serde(default)]
    pub marsh: Option<PathBuf>,
    #[serde(default)]
    pub network: Option<String>,
    #[serde(default)]
    pub memory: Option<String>,
    #[serde(default)]
    pub cpus: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    /// Variables of our environment that the container gets, by name.
    #[serde(default)]
    pub env: Vec<String>,
    #[serde(default)]
    pub repository: RepositoryMount,
    /// Further options of the program, before the image.
    #[serde(default)]
    pub args: Vec<String>,
}

/// Whether code in a container sees the repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepositoryMount {
    #[default]
    None,
    ReadOnly,
    ReadWrite,
}

impl Driver {
    /// Whether the method's code sees the repository's files at the paths of this machine.
    pub fn sees_repository(&self) -> bool {
        match self {
            Driver::Container(container) => container.repository != RepositoryMount::None,
            Driver::Raw | Driver::Extension { .. } => true,
        }
    }

    /// The driver of this name: `raw`, `docker`, `podman`, or the type of an extension's.
    pub fn choose(name: &str, config: Map<String, Value>) -> Result<Driver, ModelError> {
        let invalid = |reason: String| ModelError::InvalidDriver { driver: name.to_owned(), reason };
        if name == "raw" {
            return match config.keys().next() {
                None => Ok(Driver::Raw),
                Some(key) => Err(invalid(format!("it takes no configuration, and `{key}` is given"))),
            };
        }
        if !CONTAINER_PROGRAMS.contains(&name) {
            let type_name = TypeName::parse(name)?;
            return Ok(Driver::Extension { type_name, config });
        }
        let mut container: Container =
            serde_json::from_value(Value::Object(config)).map_err(|error| invalid(error.to_string()))?;
        if container.program.as_os_str().is_empty() {
            container.program = PathBuf::from(name);
        }
        // A value would stand on the command line, where everybody can read it.
        if let Some(assigned) = container.env.iter().find_map(|name| name.split_once('=')) {
            return Err(invalid(format!(
                "`env` holds names, and `{}=…` is more: set the variable where marsh runs",
                assigned.0
            )));
        }
        if let Some(empty) = container.env.iter().find(|name| name.is_empty() || name.starts_with('-')) {
            return Err(invalid(format!("`{empty}` is no name of a variable")));
        }
        if container.image.is_empty() || container.image.starts_with('-') {
            return Err(invalid(format!("`{}` is no name of an image", container.image)));
        }
        Ok(Driver::Container(Box::new(container)))
    }

    /// As people and logs call it.
    pub fn name(&self) -> String {
        match self {
            Driver::Raw => "raw".to_owned(),
            Driver::Container(container) => container.program.display().to_string(),
            Driver::Extension { type_name, .. } => type_name.to_string(),
        }
    }
}

impl Container {
    /// The arguments that start the host `marsh` in a new container of this name. What is mounted is where it is here,
    /// so that paths mean the same inside; `writable` and everything below it can be written to.
    pub fn run_arguments(
        &self,
        name: &str,
        marsh: &Path,
        read_only: &[&Path],
        writable: Option<&Path>,
        host_arguments: &[String],
    ) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["run", "--rm", "--init", "--interactive", "--name", name].map(str::to_owned).to_vec();
        let options = [
            ("--network", &self.network),
            ("--memory", &self.memory),
            ("--cpus", &self.cpus),
            ("--user", &self.user),
        ];
        for (option, value) in options {
            if let Some(value) = value {
                arguments.extend([option.to_owned(), value.clone()]);
            }
        }
        for variable in &self.env {
            arguments.extend(["--env".to_owned(), variable.clone()]);
        }
        let mut mount = |path: &Path, is_writable: bool| {
            arguments.extend(["--mount".to_owned(), mount_option(path, is_writable)]);
        };
        // The wider ones first: a mount hides what was below its target.
        if let Some(writable) = writable {
            mount(writable, true);
        }
        let mut mounted: Vec<&Path> = Vec::new();
        let mut paths = read_only.to_vec();
        if self.marsh.is_none() {
            paths.push(marsh);
        }
        paths.sort_by_key(|path| path.components().count());
        for path in paths {
            let within = |outer: &&Path| path.starts_with(outer);
            if !mounted.iter().any(within) && !writable.iter().any(within) {
                mount(path, false);
                mounted.push(path);
            }
        }
        arguments.extend(self.args.iter().cloned());
        let program = self.marsh.as_deref().unwrap_or(marsh);
        arguments.extend(["--entrypoint".to_owned(), program.display().to_string(), self.image.clone()]);
        arguments.extend(host_arguments.iter().cloned());
        arguments
    }
}

/// The program splits this option at commas, as CSV.
fn mount_option(path: &Path, is_writable: bool) -> String {
    let field = |key: &str| {
        let field = format!("{key}={}", path.display());
        if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    };
    let suffix = if is_writable { "" } else { ",readonly" };
    format!("type=bind,{},{}{suffix}", field("source"), field("target"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::{Driver, mount_option};
    use crate::error::ModelError;

    fn choose(name: &str, config: Value) -> Result<Driver, ModelError> {
        let Value::Object(config) = config else { panic!("a configuration is a map") };
        Driver::choose(name, config)
    }

    fn refusal(name: &str, config: Value) -> String {
        choose(name, config).unwrap_err().to_string()
    }

    #[test]
    fn the_name_says_which_kind_of_driver_it_is() {
        assert!(matches!(choose("raw", json!({})), Ok(Driver::Raw)));
        assert!(matches!(choose("@me/echo", json!({ "a": 1 })), Ok(Driver::Extension { .. })));
        for name in ["docker", "podman"] {
            assert_eq!(choose(name, json!({ "image": "debian" })).unwrap().name(), name);
        }
        let other = choose("docker", json!({ "image": "debian", "program": "/opt/nerdctl" })).unwrap();
        assert_eq!(other.name(), "/opt/nerdctl");
    }

    #[test]
    fn a_configuration_that_cannot_work_is_refused_by_name() {
        assert!(refusal("raw", json!({ "image": "x" })).contains("`image`"));
        assert!(refusal("docker", json!({})).contains("image"));
        assert!(refusal("docker", json!({ "image": "x", "imge": 1 })).contains("imge"));
        assert!(refusal("docker", json!({ "image": "--privileged" })).contains("no name of an image"));
        assert!(refusal("docker", json!({ "image": "x", "env": ["-v"] })).contains("no name of a variable"));
        let secret = refusal("docker", json!({ "image": "x", "env": ["TOKEN=s3cret"] }));
        assert!(secret.contains("`TOKEN=…`") && !secret.contains("s3cret"), "{secret}");
    }

    #[test]
    fn what_is_mounted_is_where_it_is_here_and_only_once() {
        let Ok(Driver::Container(container)) = choose("docker", json!({ "image": "i", "env": ["TOKEN"] }))
        else {
            panic!("it is a container")
        };
        let paths = [Path::new("/repo/bundles/a"), Path::new("/cache/zod.js"), Path::new("/repo")];
        let arguments =
            container.run_arguments("n", Path::new("/bin/marsh"), &paths, None, &["__host".into()]);
        assert_eq!(
            arguments.join(" "),
            "run --rm --init --interactive --name n --env TOKEN \
             --mount type=bind,source=/repo,target=/repo,readonly \
             --mount type=bind,source=/cache/zod.js,target=/cache/zod.js,readonly \
             --mount type=bind,source=/bin/marsh,target=/bin/marsh,readonly \
             --entrypoint /bin/marsh i __host"
        );
    }

    #[test]
    fn a_path_with_a_comma_is_one_field() {
        let option = mount_option(Path::new("/a,b"), true);
        assert_eq!(option, r#"type=bind,"source=/a,b","target=/a,b""#);
    }
}
