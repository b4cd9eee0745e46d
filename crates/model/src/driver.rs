//! Drivers: methods run on this machine, in a container, or through a driver of an extension.
//!
//! * The caller of a run chooses the driver. Definitions and workflows cannot: the format has no `driver` and
//!   `driverConfig` any more, and both keys are refused.
//! * Command lines hold no secrets: arguments pass through the standard input of the host, and environment variables are
//!   passed by name.
//!
//! Held by the binary's `tests/it/drivers.rs`.

use std::path::{Path, PathBuf};

use marsh_types::TypeName;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::ModelError;

/// Known container programs.
const CONTAINER_PROGRAMS: [&str; 2] = ["docker", "podman"];

/// Chooses where the methods of a run are executed.
#[derive(Debug, Clone, Default)]
pub enum Driver {
    /// In a host process on this machine.
    #[default]
    Raw,
    /// In a host process that a container program starts.
    Container(Box<Container>),
    /// By a driver of an extension.
    Extension {
        /// The driver's type.
        type_name: TypeName,
        /// Its configuration.
        config: Map<String, Value>,
    },
}

/// A container that runs a host.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// The program that starts containers, by name or path. Default: the name of the driver.
    #[serde(default)]
    pub program: PathBuf,
    /// The image.
    pub image: String,
    /// The path of marsh in the image. Default: this binary is mounted.
    #[serde(default)]
    pub marsh: Option<PathBuf>,
    /// The value of `--network`.
    #[serde(default)]
    pub network: Option<String>,
    /// The value of `--memory`.
    #[serde(default)]
    pub memory: Option<String>,
    /// The value of `--cpus`.
    #[serde(default)]
    pub cpus: Option<String>,
    /// The value of `--user`.
    #[serde(default)]
    pub user: Option<String>,
    /// Names of environment variables that the container gets.
    #[serde(default)]
    pub env: Vec<String>,
    /// How the container sees the repository.
    #[serde(default)]
    pub repository: RepositoryMount,
    /// Further options of the program, which come before the image.
    #[serde(default)]
    pub args: Vec<String>,
}

/// How code in a container sees the repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepositoryMount {
    /// Not at all.
    #[default]
    None,
    /// It can read files.
    ReadOnly,
    /// It can read and write files.
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

    /// The driver of this name: `raw`, `docker`, `podman`, or the type of a driver extension.
    ///
    /// # Errors
    ///
    /// [`ModelError::InvalidDriver`]: the configuration has unknown keys or invalid values.
    pub fn choose(name: &str, config: Map<String, Value>) -> Result<Driver, ModelError> {
        let invalid = |reason: String| ModelError::InvalidDriver { driver: name.to_owned(), reason };
        if name == "raw" {
            return match config.keys().next() {
                None => Ok(Driver::Raw),
                Some(key) => Err(invalid(format!("unknown key `{key}`: this driver has no configuration"))),
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
        // A value would be on the command line, which every user of the machine can read.
        if let Some(assigned) = container.env.iter().find_map(|name| name.split_once('=')) {
            return Err(invalid(format!(
                "expected a name in `env`, found `{}=…`: set the variable in the environment of marsh",
                assigned.0
            )));
        }
        if let Some(empty) = container.env.iter().find(|name| name.is_empty() || name.starts_with('-')) {
            return Err(invalid(format!("invalid variable name `{empty}`")));
        }
        if container.image.is_empty() || container.image.starts_with('-') {
            return Err(invalid(format!("invalid image name `{}`", container.image)));
        }
        Ok(Driver::Container(Box::new(container)))
    }

    /// The name for messages and logs.
    pub fn name(&self) -> String {
        match self {
            Driver::Raw => "raw".to_owned(),
            Driver::Container(container) => container.program.display().to_string(),
            Driver::Extension { type_name, .. } => type_name.to_string(),
        }
    }
}

impl Container {
    /// The arguments that start the host `marsh` in a new container of this name. Mounts have the same path as here, so paths
    /// mean the same inside. `writable` and everything below it can be written.
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
        // Outer directories first: a mount hides what was below its target.
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

/// The value of `--mount`, which the program parses as CSV.
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
    fn the_name_selects_the_kind_of_driver() {
        assert!(matches!(choose("raw", json!({})), Ok(Driver::Raw)));
        assert!(matches!(choose("@me/echo", json!({ "a": 1 })), Ok(Driver::Extension { .. })));
        for name in ["docker", "podman"] {
            assert_eq!(choose(name, json!({ "image": "debian" })).unwrap().name(), name);
        }
        let other = choose("docker", json!({ "image": "debian", "program": "/opt/nerdctl" })).unwrap();
        assert_eq!(other.name(), "/opt/nerdctl");
    }

    #[test]
    fn an_invalid_configuration_names_the_key() {
        assert!(refusal("raw", json!({ "image": "x" })).contains("`image`"));
        assert!(refusal("docker", json!({})).contains("image"));
        assert!(refusal("docker", json!({ "image": "x", "imge": 1 })).contains("imge"));
        assert!(refusal("docker", json!({ "image": "--privileged" })).contains("invalid image name"));
        assert!(refusal("docker", json!({ "image": "x", "env": ["-v"] })).contains("invalid variable name"));
        let secret = refusal("docker", json!({ "image": "x", "env": ["TOKEN=s3cret"] }));
        assert!(secret.contains("`TOKEN=…`") && !secret.contains("s3cret"), "{secret}");
    }

    #[test]
    fn mounts_keep_their_path_and_appear_once() {
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
