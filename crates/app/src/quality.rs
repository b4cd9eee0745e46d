//! The quality of an extension before it is published: the rubric of registries, and formatting.
//!
//! Formatting and lint rules are those of Deno. marsh has no formatter of its own and runs the `deno` on the PATH; without one
//! `fmt` fails and says so, and `quality` leaves the check out with a warning. Nothing is sent to a service: the packages that
//! an extension imports are not audited, and the row says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use marsh_api::publish::{
    DependencyTrust, ExtensionFormatted, ExtensionQuality, FormatIssue, FormatStatus, QualityFactor,
    QualityFactorStatus as Row, QualityStatus, TrustIssue,
};
use marsh_extension::publish::{self, Prepared};

use crate::audit::find_program;
use crate::error::AppError;
use crate::extension::Extensions;

/// The version of the rubric.
const RUBRIC: u32 = 3;
/// Hosts of repositories that registries verify.
const FORGES: [&str; 4] = ["github.com", "gitlab.com", "codeberg.org", "bitbucket.org"];
/// The share of documented exports that earns the point, in percent.
const DOCUMENTED: usize = 80;
/// The length of a rich README, in characters.
const RICH: usize = 500;

/// What to format or to judge.
#[derive(Debug, Clone, Default)]
pub struct QualityRequest {
    /// The manifest file, against the caller's directory.
    pub manifest: PathBuf,
    /// The directory of the sources, in place of the repository.
    pub extensions_dir: Option<PathBuf>,
}

/// The runner of Deno's formatter and linter.
struct Deno {
    program: PathBuf,
    dir: PathBuf,
    config: Vec<String>,
    files: Vec<PathBuf>,
}

impl Deno {
    /// Whether a command succeeded, and what it printed.
    fn run(&self, arguments: &[&str]) -> Result<(bool, String), AppError> {
        let (command, options) = arguments.split_first().unwrap_or((&"", &[]));
        let output = Command::new(&self.program)
            .arg(command)
            .args(options)
            .args(&self.config)
            .args(&self.files)
            .current_dir(&self.dir)
            .env("NO_COLOR", "1")
            .output()
            .map_err(|source| AppError::Read { what: self.program.display().to_string(), source })?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok((output.status.success(), text.concat().trim().to_owned()))
    }

    /// What formatter and linter find.
    fn issues(&self) -> Result<Vec<FormatIssue>, AppError> {
        let mut issues = Vec::new();
        for (check, arguments) in [("fmt", &["fmt", "--check"][..]), ("lint", &["lint"][..])] {
            let (passed, output) = self.run(arguments)?;
            if !passed {
                issues.push(FormatIssue { check: check.to_owned(), output });
            }
        }
        Ok(issues)
    }
}

impl Extensions {
    /// Formats the sources of an extension, or with `check` only says what is not formatted.
    ///
    /// # Errors
    ///
    /// When the manifest or a file is missing, the extension is an installed one, or there is no `deno`.
    pub fn format(&self, request: &QualityRequest, check: bool) -> Result<ExtensionFormatted, AppError> {
        let (repo, path) = self.sources(&request.manifest, request.extensions_dir.as_deref())?;
        self.refuse_installed(&path)?;
        let files = publish::code_files(&repo, &path)?;
        let mut document = ExtensionFormatted {
            status: FormatStatus::Passed,
            file_count: files.len(),
            fmt_output: None,
            lint_output: None,
            remaining_issues: None,
            issues: None,
        };
        if files.is_empty() {
            return Ok(document);
        }
        let Some(deno) = self.deno(&path, files) else {
            return Err(AppError::NotFound {
                message: "formatting needs `deno`, which is not on the PATH".into(),
                hint: Some("install Deno (https://deno.com); nothing else of marsh needs it".into()),
            });
        };
        if check {
            let issues = deno.issues()?;
            document.status = if issues.is_empty() { FormatStatus::Passed } else { FormatStatus::Failed };
            document.issues = Some(issues);
            return Ok(document);
        }
        document.fmt_output = Some(deno.run(&["fmt"])?.1);
        document.lint_output = Some(deno.run(&["lint", "--fix"])?.1);
        let remaining = deno.issues()?;
        document.status = if remaining.is_empty() { FormatStatus::Fixed } else { FormatStatus::Partial };
        document.remaining_issues = Some(remaining);
        Ok(document)
    }

    /// Judges an extension by the rubric of registries. Asks no registry and no service.
    ///
    /// # Errors
    ///
    /// When a check of `push` refuses the extension, its sources are not formatted, or it cannot be packed.
    pub fn quality(&self, request: &QualityRequest) -> Result<(ExtensionQuality, Vec<String>), AppError> {
        let (repo, path) = self.sources(&request.manifest, request.extensions_dir.as_deref())?;
        self.refuse_installed(&path)?;
        let prepared = publish::prepare(&repo, &path, None)?;
        let mut warnings = prepared.files.warnings.clone();
        let code = publish::code_files(&repo, &path)?;
        match self.deno(&path, code) {
            Some(deno) => {
                if let Some(first) = deno.issues()?.first() {
                    return Err(AppError::Refused {
                        message: format!("the sources do not pass `deno {}`: {}", first.check, first.output),
                        hint: Some(format!(
                            "format them with `marsh extension fmt {}`",
                            request.manifest.display()
                        )),
                    });
                }
            }
            None => warnings.push("formatting was not checked: `deno` is not on the PATH".to_owned()),
        }
        let scratch = marsh_fs::StagedDir::new(&std::env::temp_dir())?;
        let shipped = publish::build(&repo, &prepared.files, self.builder(), scratch.path())?;
        warnings.extend(shipped.warnings.iter().cloned());
        let packed = publish::pack(&prepared, &shipped, std::io::sink())?;
        let (factors, trust) = factors(&prepared)?;
        let earned = factors.iter().map(|row| row.earned_points).sum();
        let most = factors.iter().map(|row| row.max_points).sum::<u32>();
        let provisional = factors
            .iter()
            .filter(|row| row.status == Row::Provisional)
            .map(|row| row.max_points)
            .sum::<u32>();
        let all_passed = factors.iter().all(|row| matches!(row.status, Row::Earned | Row::Provisional));
        let document = ExtensionQuality {
            status: if all_passed { QualityStatus::Passed } else { QualityStatus::Failed },
            rubric_version: RUBRIC,
            earned_points: earned,
            max_earnable_points: most,
            max_client_earnable_points: most - provisional,
            provisional_points: provisional,
            percentage: earned * 100 / (most - provisional).max(1),
            all_passed,
            factors,
            dependency_trust: trust,
            cache_hash: packed.sha256.to_string(),
            archive_size: packed.bytes,
            cache_hit: false,
        };
        Ok((document, warnings))
    }

    /// The runner for these files; `None`: there is no `deno` on the PATH.
    fn deno(&self, manifest: &Path, files: Vec<PathBuf>) -> Option<Deno> {
        let program = find_program(self.path_variable(), "deno")?;
        let root = self.repo().layout.root();
        // The configuration of the project is what its author formats with.
        let configs = manifest
            .ancestors()
            .skip(1)
            .take_while(|dir| dir.starts_with(root))
            .flat_map(|dir| [dir.join("deno.json"), dir.join("deno.jsonc")])
            .find(|file| file.is_file());
        let config = match configs {
            Some(file) => vec!["--config".to_owned(), file.display().to_string()],
            None => vec!["--no-config".to_owned()],
        };
        Some(Deno { program, dir: root.to_path_buf(), config, files })
    }

    /// Installed extensions are read-only copies.
    fn refuse_installed(&self, manifest: &Path) -> Result<(), AppError> {
        let state = self.repo().layout.state();
        let real = manifest.canonicalize().unwrap_or_else(|_| manifest.to_owned());
        if manifest.starts_with(&state) || real.starts_with(&state) {
            return Err(AppError::Refused {
                message: format!(
                    "{} belongs to an installed extension, which is a read-only copy",
                    manifest.display()
                ),
                hint: Some("run the command in the repository where the extension is written".into()),
            });
        }
        Ok(())
    }
}

/// A row that is earned as a whole or not at all.
fn row(id: &str, label: &str, points: u32, earned: bool, remediation: &str) -> QualityFactor {
    QualityFactor {
        id: id.to_owned(),
        label: label.to_owned(),
        earned_points: if earned { points } else { 0 },
        max_points: points,
        status: if earned { Row::Earned } else { Row::Missing },
        remediation: (!earned).then(|| remediation.to_owned()),
    }
}

fn provisional(mut row: QualityFactor, remediation: &str) -> QualityFactor {
    row.status = Row::Provisional;
    row.earned_points = 0;
    row.remediation = Some(remediation.to_owned());
    row
}

fn factors(prepared: &Prepared) -> Result<(Vec<QualityFactor>, DependencyTrust), AppError> {
    let manifest = &prepared.manifest;
    let read = |path: &Path| {
        marsh_fs::read_to_string(path)
            .map_err(|source| AppError::Read { what: path.display().to_string(), source })
    };
    let top = |accept: &dyn Fn(&str) -> bool| {
        prepared.files.files.iter().find(|(path, _)| {
            let text = path.to_string();
            let name = text.strip_prefix("files/").unwrap_or(&text);
            !name.contains('/') && accept(name)
        })
    };
    let readme = match top(&|name| name.eq_ignore_ascii_case("readme.md")) {
        Some((_, file)) => read(&file.source)?,
        None => String::new(),
    };
    let licence = top(&|name| {
        let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        matches!(stem.as_str(), "license" | "licence" | "copying")
    });
    let (mut total, mut documented, mut has_module) = (0, 0, false);
    for entry in &prepared.files.entries {
        let found = marsh_bundle::documented_exports(&read(&entry.source)?, &entry.source)
            .map_err(|diagnostic| AppError::usage(diagnostic.message))?;
        total += found.total;
        documented += found.documented;
        has_module |= found.module;
    }
    let share = (documented * 100).checked_div(total).unwrap_or(100);
    let blocks = readme.lines().filter(|line| line.trim_start().starts_with("```")).count() / 2;
    let repository = manifest.repository.as_deref().unwrap_or_default();
    let host = repository.strip_prefix("https://").and_then(|rest| rest.split('/').next());
    let is_forge = host.is_some_and(|host| FORGES.contains(&host.trim_start_matches("www.")));
    let verified = row(
        "repository-verified",
        "The repository is verified",
        2,
        false,
        "set `repository` to an https URL on a public forge",
    );
    let trust = trust(prepared)?;
    let trusted = row(
        "dependency-trust",
        "Dependencies can be trusted",
        2,
        trust.passed,
        "import packages in exact versions, e.g. npm:name@1.2.3",
    );
    let is_unaudited = trust.passed && !trust.warnings.is_empty();
    let rows = vec![
        row(
            "has-readme",
            "There is a README or module documentation",
            2,
            !readme.is_empty() || has_module,
            "add README.md to `additionalFiles`",
        ),
        row("readme-example", "The README has an example", 1, blocks >= 1, "add a fenced code block"),
        row(
            "rich-readme",
            "The README is rich",
            1,
            readme.chars().count() >= RICH && blocks >= 2,
            "write at least 500 characters and two fenced code blocks",
        ),
        row(
            "symbols-docs",
            "Exports are documented",
            1,
            share >= DOCUMENTED,
            &format!("document at least {DOCUMENTED} % of the exports; {documented} of {total} are"),
        ),
        row("fast-check", "No slow types", 1, true, ""),
        row(
            "description",
            "The manifest has a description",
            1,
            manifest.description.as_deref().is_some_and(|text| !text.trim().is_empty()),
            "set `description` in the manifest",
        ),
        row("platforms", "The platforms are stated", 2, true, ""),
        row("has-license", "There is a licence", 1, licence.is_some(), "add LICENSE to `additionalFiles`"),
        if is_forge {
            provisional(verified, "the registry verifies the repository when the version is published")
        } else {
            verified
        },
        if is_unaudited {
            provisional(trusted, "marsh asks no public service about packages; the registry does")
        } else {
            trusted
        },
    ];
    Ok((rows, trust))
}

/// The packages that the sources import. `zod` is part of the runtime, and `jsr:` packages are trusted.
fn trust(prepared: &Prepared) -> Result<DependencyTrust, AppError> {
    let mut trust =
        DependencyTrust { passed: true, audited: Vec::new(), errors: Vec::new(), warnings: Vec::new() };
    let mut seen: Vec<String> = Vec::new();
    for file in prepared.files.files.values().filter(|file| publish::is_source(&file.source)) {
        let text = marsh_fs::read_to_string(&file.source)
            .map_err(|source| AppError::Read { what: file.source.display().to_string(), source })?;
        let quoted = text.split(['"', '\'', '`']).filter_map(|piece| piece.strip_prefix("npm:"));
        for specifier in quoted {
            let (scope, rest) = match specifier.strip_prefix('@') {
                Some(rest) => ("@", rest),
                None => ("", specifier),
            };
            let (name, version) = rest.split_once('@').unwrap_or((rest, ""));
            let name = format!("{scope}{name}");
            let version = version.split('/').next().unwrap_or_default();
            if name == "zod" || name.is_empty() || seen.iter().any(|known| known == specifier) {
                continue;
            }
            seen.push(specifier.to_owned());
            let is_exact =
                version.split('.').count() >= 3 && version.starts_with(|c: char| c.is_ascii_digit());
            let issue =
                |message: &str| TrustIssue { dependency: format!("npm:{name}"), message: message.to_owned() };
            if is_exact {
                trust.warnings.push(issue("not audited: marsh asks no public service about packages"));
            } else {
                trust.errors.push(issue("the version is not exact"));
            }
        }
    }
    trust.passed = trust.errors.is_empty();
    Ok(trust)
}
