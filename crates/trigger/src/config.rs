//! What `.swamp/serve.yaml` says of triggers, and the same in the form of the command line.

use std::collections::BTreeMap;

use marsh_types::{near, yaml};
use serde_json::{Map, Value};

use crate::error::TriggerError;
use crate::signature::Scheme;

/// Keys of the file that are about other parts of a server than triggers.
const OTHERS: [&str; 22] = [
    "hot-reload",
    "detach-runs",
    "trust-proxy",
    "trusted-hosts",
    "grants-file",
    "grants-dir",
    "grant-reload",
    "ws-idle-timeout",
    "queue-timeout",
    "verify-on-enroll",
    "heartbeat-interval",
    "stale-ttl",
    "reconciliation-interval",
    "max-concurrent-runs",
    "max-runs-per-principal",
    "max-run-duration",
    "hydration-timeout",
    "enable-internal-api",
    "remote-only",
    "dashboard",
    "auth",
    "tls",
];
const OURS: [&str; 5] = ["host", "port", "schedule", "webhooks", "triggers"];

/// The parts of the file that a server reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The address to listen on, as the file names it.
    pub host: Option<String>,
    /// The port to listen on.
    pub port: Option<u16>,
    /// `Some(false)`: nothing is scheduled.
    pub schedule: Option<bool>,
    /// Webhooks, in the order of the file.
    pub webhooks: Vec<Webhook>,
    /// By workflow.
    pub triggers: BTreeMap<String, Override>,
    /// Sentences about parts that marsh does not know.
    pub warnings: Vec<String>,
}

/// What stands in the place of a workflow's own `trigger`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Override {
    /// The schedule that replaces that of the workflow.
    pub schedule: Option<String>,
    /// Inputs in the place of those of the same names of the workflow.
    pub inputs: Option<Map<String, Value>>,
}

/// A route, the workflow behind it, and how a call proves where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// With a slash first.
    pub route: String,
    /// The name of the workflow that a request starts.
    pub workflow: String,
    /// Where the secret of the signature is.
    pub secret: SecretSource,
    /// How requests are signed.
    pub scheme: Scheme,
}

/// Where a secret is. One that stands in the file or the command line itself is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The secret itself.
    Literal(String),
    /// The name of a variable of the environment.
    Env(String),
    /// The path of a file.
    File(String),
    /// A secret of a vault.
    Vault {
        /// The name of the vault.
        vault: String,
        /// The key of the secret.
        key: String,
    },
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretSource::Literal(_) => f.write_str("(secret)"),
            SecretSource::Env(name) => write!(f, "@env={name}"),
            SecretSource::File(path) => write!(f, "@file={path}"),
            SecretSource::Vault { vault, key } => write!(f, "@vault={vault}:{key}"),
        }
    }
}

impl SecretSource {
    fn parse(text: &str) -> Option<SecretSource> {
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match text.strip_prefix('@').and_then(|rest| rest.split_once('=')) {
            Some(("env", variable)) => name(variable).map(SecretSource::Env),
            Some(("file", path)) => name(path).map(SecretSource::File),
            Some(("vault", place)) => {
                let (vault, key) = place.split_once(':')?;
                Some(SecretSource::Vault { vault: name(vault)?, key: name(key)? })
            }
            _ => name(text).map(SecretSource::Literal),
        }
    }
}

impl Webhook {
    /// `<route>:<workflow>:<secret>[:<scheme>[:<header>[:<prefix>]]]`. Messages do not repeat the secret.
    pub fn parse(text: &str) -> Result<Webhook, TriggerError> {
        let mut parts: Vec<&str> = text.split(':').collect();
        let shown = parts.iter().take(2).copied().collect::<Vec<_>>().join(":") + ":…";
        let wrong =
            |message: &str| TriggerError::Webhook { text: shown.clone(), message: message.to_owned() };
        if parts.len() < 3 {
            return Err(wrong("it has fewer than three parts"));
        }
        // The place of a secret in a vault has a colon of its own.
        let vault = (parts[2].starts_with("@vault=") && parts.len() > 3).then(|| {
            let key = parts.remove(3);
            format!("{}:{key}", parts[2])
        });
        let secret = vault.as_deref().unwrap_or(parts[2]);
        let part = |index: usize| parts.get(index).copied().filter(|part| !part.is_empty());
        // A prefix may hold colons.
        let prefix = (parts.len() > 5).then(|| parts[5..].join(":"));
        Webhook::new(parts[0], parts[1], secret, part(3), part(4), prefix.as_deref())
            .map_err(|message| wrong(&message))
    }

    fn new(
        route: &str,
        workflow: &str,
        secret: &str,
        scheme: Option<&str>,
        header: Option<&str>,
        prefix: Option<&str>,
    ) -> Result<Webhook, String> {
        let route = format!("/{}", route.trim_matches('/'));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
        if route == "/" || route == "/health" || !route.bytes().all(is_plain) {
            return Err(format!("`{route}` cannot be a route: letters, digits, `-`, `_`, `.` and `/`"));
        }
        if workflow.is_empty() {
            return Err("it names no workflow".to_owned());
        }
        let secret = SecretSource::parse(secret).ok_or(
            "its secret is empty: give it, or where it is: `@env=NAME`, `@file=PATH` or `@vault=VAULT:KEY`",
        )?;
        let scheme = match scheme.unwrap_or("github") {
            "github" => Scheme::Github,
            "linear" => Scheme::Linear,
            "stripe" => Scheme::Stripe,
            "slack" => Scheme::Slack,
            "generic" => Scheme::Generic {
                header: header.ok_or("the scheme `generic` needs the name of a header")?.to_owned(),
                prefix: prefix.unwrap_or_default().to_owned(),
            },
            other => {
                let near = near::did_you_mean(other, Scheme::NAMES)
                    .unwrap_or_else(|| format!("known: {}", Scheme::NAMES.join(", ")));
                return Err(format!("unknown scheme `{other}`; {near}"));
            }
        };
        if header.is_some() && !matches!(scheme, Scheme::Generic { .. }) {
            return Err(format!("the scheme `{}` has a header of its own", scheme.name()));
        }
        Ok(Webhook { route, workflow: workflow.to_owned(), secret, scheme })
    }
}

impl Config {
    /// Reads the text of the file. Unknown keys cause a warning; keys of other parts of the server are ignored.
    ///
    /// # Errors
    ///
    /// When the text is not YAML, or a known key has an invalid value.
    pub fn parse(text: &str) -> Result<Config, TriggerError> {
        let wrong = |place: &str, message: String| TriggerError::Config { place: place.to_owned(), message };
        let value: Value = yaml::from_str(text).map_err(|error| wrong("the file", error.to_string()))?;
        let map = match value {
            Value::Null => Map::new(),
            Value::Object(map) => map,
            _ => return Err(wrong("the file", "it must be a map".to_owned())),
        };
        let mut config = Config::default();
        for (key, value) in &map {
            match key.as_str() {
                "host" => config.host = Some(text_of(value, key)?),
                "port" => {
                    let port = value.as_u64().and_then(|port| u16::try_from(port).ok());
                    config.port = Some(port.ok_or_else(|| wrong(key, "it must be a port".to_owned()))?);
                }
                "schedule" => {
                    let truth = value.as_bool();
                    config.schedule =
                        Some(truth.ok_or_else(|| wrong(key, "it must be true or false".to_owned()))?);
                }
                "webhooks" => {
                    let list = value.as_array().ok_or_else(|| wrong(key, "it must be a list".to_owned()))?;
                    for (index, item) in list.iter().enumerate() {
                        config.webhooks.push(webhook(item, &format!("webhooks[{index}]"))?);
                    }
                }
                "triggers" => {
                    let map = value.as_object().ok_or_else(|| wrong(key, "it must be a map".to_owned()))?;
                    for (workflow, item) in map {
                        let place = format!("triggers.{workflow}");
                        config.triggers.insert(workflow.clone(), replaced(item, &place)?);
                    }
                }
                other if OTHERS.contains(&other) => {}
                other => {
                    let near = near::did_you_mean(other, OURS).map(|near| format!("; {near}"));
                    config.warnings.push(format!(
                        "serve.yaml: unknown key `{other}` is ignored{}",
                        near.unwrap_or_default()
                    ));
                }
            }
        }
        Ok(config)
    }
}

fn text_of(value: &Value, place: &str) -> Result<String, TriggerError> {
    value.as_str().map(str::to_owned).ok_or_else(|| TriggerError::Config {
        place: place.to_owned(),
        message: "it must be text".to_owned(),
    })
}

fn webhook(item: &Value, place: &str) -> Result<Webhook, TriggerError> {
    let wrong = |message: String| TriggerError::Config { place: place.to_owned(), message };
    if let Value::String(text) = item {
        return Webhook::parse(text);
    }
    let map = item.as_object().ok_or_else(|| wrong("it must be a map or text".to_owned()))?;
    let field = |key: &str| map.get(key).map(|value| text_of(value, &format!("{place}.{key}"))).transpose();
    let needed = |key: &str| field(key)?.ok_or_else(|| wrong(format!("it needs `{key}`")));
    let (scheme, header, prefix) = (field("scheme")?, field("header")?, field("prefix")?);
    Webhook::new(
        &needed("route")?,
        &needed("workflow")?,
        &needed("secret")?,
        scheme.as_deref(),
        header.as_deref(),
        prefix.as_deref(),
    )
    .map_err(wrong)
}

fn replaced(item: &Value, place: &str) -> Result<Override, TriggerError> {
    let wrong = |message: &str| TriggerError::Config { place: place.to_owned(), message: message.to_owned() };
    let map = item.as_object().ok_or_else(|| wrong("it must be a map of `schedule` and `inputs`"))?;
    let schedule =
        map.get("schedule").map(|value| text_of(value, &format!("{place}.schedule"))).transpose()?;
    let inputs = match map.get("inputs") {
        None | Some(Value::Null) => None,
        Some(Value::Object(inputs)) => Some(inputs.clone()),
        Some(_) => return Err(wrong("`inputs` must be a map")),
    };
    Ok(Override { schedule, inputs })
}
