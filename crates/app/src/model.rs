//! Definitions: create, show, edit, delete, validate.

use marsh_api::model::{
    EditStatus, ModelCreated, ModelDeleted, ModelDocument, ModelEdited, ModelEvaluation,
    ModelEvaluationDocument, ModelEvaluations, ModelRow, ModelSearch, ModelValidateRequest, ModelValidation,
    ModelValidationDocument, ModelValidations, ValidationCheck, ValidationWarning,
};
use marsh_data::Metadata;
use marsh_model::run::CheckFilter;
use marsh_model::validate::Preflight;
use marsh_model::{Definition, ModelError, Stored, direct};
use marsh_types::{Explain as _, yaml};
use serde_json::Value;

use crate::error::AppError;
use crate::input::DEFAULT_TIMEOUT;
use crate::session::{Read, Write};
use crate::types::{own_methods, parse_type};

/// The types that implementations keep tokens, grants and the like in.
const INTERNAL: &str = "swamp/";

/// A definition to delete.
#[derive(Debug, Clone)]
pub struct DeleteModel {
    /// Name or id.
    pub name: String,
    /// Whether its results go too.
    pub with_results: bool,
}

/// A definition that is being edited: its text, and what to call the file.
#[derive(Debug, Clone)]
pub struct ModelEdit {
    /// The name of the definition.
    pub name: String,
    /// The text before.
    pub text: String,
    stored: Stored,
}

fn read_text(path: &std::path::Path) -> Result<String, AppError> {
    marsh_fs::read_to_string(path)
        .map_err(|source| AppError::Read { what: path.display().to_string(), source })
}

impl Read<'_> {
    /// A definition, and what its type offers. When the type cannot be loaded, a warning says why.
    ///
    /// # Errors
    ///
    /// When the definition does not exist or cannot be read.
    pub fn model(&self, name: &str) -> Result<(ModelDocument, Option<String>), AppError> {
        let stored = self.models().definitions.find(name)?;
        let definition = &stored.definition;
        let mut document = ModelDocument {
            id: definition.id.clone(),
            name: definition.name.clone(),
            type_name: stored.type_name.to_string(),
            version: definition.version.into(),
            tags: definition.tags.clone(),
            global_arguments: definition.global_arguments.clone(),
            method_arguments: definition.methods.clone(),
            auto_created: stored.auto.then_some(true),
            type_version: definition.type_version.map(|version| version.to_string().into()),
            path: self.display(&stored.path),
            global_arguments_schema: None,
            methods: None,
        };
        // The definition can be shown even when its type cannot be loaded.
        let warning = match self.models().resolve_type(&stored.type_name) {
            Ok(code) => {
                let globals = code.description.global_arguments.as_ref();
                document.global_arguments_schema = globals.map(|globals| globals.schema.clone());
                document.methods = Some(own_methods(&code));
                None
            }
            Err(error) => Some(format!("cannot describe the type `{}`: {error}", stored.type_name)),
        };
        Ok((document, warning))
    }

    /// The definitions whose names or types contain `query`; with `all` also those that runs made by themselves and those
    /// of internal types. Files that cannot be read come as warnings.
    pub fn search_models(&self, query: &str, all_definitions: bool) -> (ModelSearch, Vec<String>) {
        let is_shown = |stored: &Stored| {
            all_definitions || !stored.auto && !stored.type_name.as_str().starts_with(INTERNAL)
        };
        let (all, broken) = self.models().definitions.list();
        let warnings = broken
            .iter()
            .map(|broken| {
                let place = broken
                    .error
                    .as_ref()
                    .and_then(|error| Some(format!(":{}:{}", error.line?, error.column?)))
                    .unwrap_or_default();
                let reason = broken.error.as_ref().map_or(&broken.message, |error| &error.message);
                format!("skipped {}{place}: {reason}", self.display(&broken.path))
            })
            .collect();
        let wanted = query.to_lowercase();
        let results = all
            .into_iter()
            .filter(is_shown)
            .filter(|stored| {
                stored.definition.name.to_lowercase().contains(&wanted)
                    || stored.type_name.as_str().contains(&wanted)
            })
            .map(|stored| ModelRow {
                id: stored.definition.id,
                name: stored.definition.name,
                type_name: stored.type_name.to_string(),
            })
            .collect();
        (ModelSearch { query: query.to_owned(), results }, warnings)
    }

    /// How many living results a definition has, before it is deleted.
    ///
    /// # Errors
    ///
    /// When the definition does not exist, or a workflow uses it.
    pub fn check_delete_model(&self, request: &DeleteModel) -> Result<String, AppError> {
        let stored = self.models().definitions.find(&request.name)?;
        self.refuse_if_used(&stored)?;
        let data = self.models().data.list_model(&stored.type_name, &stored.definition.id)?;
        // Reports are made from results, and go with them.
        let is_result =
            |metadata: &&Metadata| !metadata.is_deleted() && metadata.tags.get("type") != Some("report");
        let living = data.iter().filter(is_result).count();
        let name = stored.definition.name;
        if living > 0 && !request.with_results {
            let plural = if living == 1 { "" } else { "s" };
            return Err(AppError::Refused {
                message: format!("`{name}` still has {living} result{plural}"),
                hint: Some(format!("`marsh model delete {name} --force` deletes them too")),
            });
        }
        Ok(name)
    }

    /// A workflow that names the model would fail at its next run.
    fn refuse_if_used(&self, stored: &Stored) -> Result<(), AppError> {
        let Ok(entries) = std::fs::read_dir(self.models().repo.layout.workflows()) else { return Ok(()) };
        let (name, id) = (stored.definition.name.as_str(), stored.definition.id.as_str());
        for entry in entries.flatten() {
            let Ok(text) = marsh_fs::read_to_string(entry.path()) else { continue };
            let Ok(workflow) = yaml::from_str::<Value>(&text) else { continue };
            let jobs = workflow.get("jobs").and_then(Value::as_array).into_iter().flatten();
            let steps = jobs.flat_map(|job| job.get("steps").and_then(Value::as_array).into_iter().flatten());
            let used = steps
                .filter_map(|step| step.get("task")?.get("modelIdOrName")?.as_str())
                .any(|model| model == name || model == id);
            if used {
                let workflow = workflow.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
                return Err(AppError::Refused {
                    message: format!("the workflow `{workflow}` uses `{name}`"),
                    hint: Some(format!(
                        "remove it from the workflow first: `marsh workflow edit {workflow}`"
                    )),
                });
            }
        }
        Ok(())
    }

    /// Checks one definition, or all, and runs their pre-flight checks.
    ///
    /// # Errors
    ///
    /// When the definition that is named does not exist.
    pub fn validate_models(
        &self,
        request: &ModelValidateRequest,
    ) -> Result<ModelValidationDocument, AppError> {
        let name = request.model.as_deref();
        let (list, broken) = match name {
            Some(name) => (vec![self.models().definitions.find(name)?], Vec::new()),
            None => self.models().definitions.list(),
        };
        if list.is_empty() && broken.is_empty() {
            return Err(AppError::not_found(
                "no models found",
                "create one: `marsh model create <type> <name>`",
            ));
        }
        let mut models: Vec<ModelValidation> =
            list.iter().map(|stored| self.validated(stored, request)).collect();
        models.extend(broken.iter().map(|broken| ModelValidation {
            model_id: None,
            model_name: self.display(&broken.path),
            type_name: None,
            validations: vec![ValidationCheck {
                name: "definition".into(),
                passed: false,
                error: Some(broken.message.clone()),
            }],
            warnings: Vec::new(),
            passed: false,
        }));
        if let (Some(_), 1) = (name, models.len()) {
            return Ok(ModelValidationDocument::One(models.remove(0)));
        }
        let total_passed = models.iter().filter(|model| model.passed).count();
        Ok(ModelValidationDocument::All(ModelValidations {
            total_passed,
            total_failed: models.len() - total_passed,
            total_warnings: models.iter().map(|model| model.warnings.len()).sum(),
            passed: total_passed == models.len(),
            models,
        }))
    }

    fn validated(&self, stored: &Stored, request: &ModelValidateRequest) -> ModelValidation {
        let preflight = Preflight {
            filter: CheckFilter { labels: request.labels.clone(), method: request.method.clone() },
            deadline: DEFAULT_TIMEOUT,
            cancel: self.models().loader.cancel(),
        };
        let report = self.models().validate(stored, &preflight);
        let checks = report.checks.iter().map(|check| ValidationCheck {
            name: check.name.clone(),
            passed: check.error.is_none(),
            error: check.error.clone(),
        });
        let warnings = report
            .warnings
            .iter()
            .map(|(name, message)| ValidationWarning { name: name.clone(), message: message.clone() });
        ModelValidation {
            model_id: Some(report.model_id.clone()),
            model_name: report.model_name.clone(),
            type_name: Some(report.model_type.clone()),
            validations: checks.collect(),
            warnings: warnings.collect(),
            passed: report.passed(),
        }
    }

    /// The text of a definition, to edit.
    ///
    /// # Errors
    ///
    /// When the definition does not exist or cannot be read.
    pub fn begin_model_edit(&self, name: &str) -> Result<ModelEdit, AppError> {
        let stored = self.models().definitions.find(name)?;
        let text = read_text(&stored.path)?;
        Ok(ModelEdit { name: stored.definition.name.clone(), text, stored })
    }

    /// Replaces the text of a definition. The text is parsed and checked first; one that is invalid replaces nothing.
    /// `editor` is the program that made the text, for the document.
    ///
    /// # Errors
    ///
    /// When the text is invalid, or the file cannot be written.
    pub fn finish_model_edit(
        &self,
        edit: &ModelEdit,
        text: &str,
        editor: Option<String>,
    ) -> Result<ModelEdited, AppError> {
        let stored = &edit.stored;
        let is_same = text == edit.text;
        if !is_same {
            let edited = Definition::parse(&stored.path, text)?;
            direct::check_edit(stored, &edited)?;
            match self.models().resolve_type(&stored.type_name) {
                Ok(code) => {
                    self.models().refuse_sensitive_literals(&code, &edited.name, &edited.global_arguments)?;
                }
                // Without the type's code its sensitive arguments are unknown; the next run checks them.
                Err(error) => marsh_types::ignore::<(), _>(Err(error.code()), "the type cannot be loaded"),
            }
            marsh_fs::atomic_write(&stored.path, text.as_bytes(), marsh_fs::Durability::Synced)?;
        }
        Ok(ModelEdited {
            path: self.display(&stored.path),
            editor,
            status: if is_same { EditStatus::Unchanged } else { EditStatus::Updated },
            name: stored.definition.name.clone(),
            type_name: stored.type_name.to_string(),
            edit_type: "definition".to_owned(),
        })
    }

    /// Makes a definition of a type. `globals`: `key=value` texts.
    ///
    /// # Errors
    ///
    /// When the type is unknown, the name is taken, or an argument is invalid.
    pub fn create_model(
        &self,
        type_name: &str,
        name: &str,
        globals: &[String],
    ) -> Result<ModelCreated, AppError> {
        let code = self.models().resolve_type(&parse_type(type_name)?)?;
        let globals = self.parse_inputs(globals)?;
        let stored = self.models().create(&code, name, globals)?;
        Ok(ModelCreated {
            id: stored.definition.id.clone(),
            type_name: code.type_name.to_string(),
            name: stored.definition.name.clone(),
            path: self.display(&stored.path),
            version: code.description.version.clone(),
            global_arguments: code
                .description
                .global_arguments
                .as_ref()
                .map(|globals| globals.schema.clone()),
            methods: own_methods(&code),
        })
    }
}

impl Write<'_> {
    /// Writes the evaluated copy of a definition, or of all.
    ///
    /// # Errors
    ///
    /// When the definition does not exist, a file of a definition cannot be read, or a copy cannot be written.
    pub fn evaluate_models(&self, name: Option<&str>) -> Result<ModelEvaluationDocument, AppError> {
        let models = self.models();
        let evaluation = |stored: &Stored| -> Result<ModelEvaluation, AppError> {
            let copy = models.evaluate_definition(stored)?;
            Ok(ModelEvaluation {
                id: stored.definition.id.clone(),
                name: stored.definition.name.clone(),
                type_name: stored.type_name.to_string(),
                had_expressions: copy.had_expressions,
                output_path: copy.path.display().to_string(),
                global_arguments: Some(copy.global_arguments),
            })
        };
        if let Some(name) = name {
            let stored = models.definitions.find(name)?;
            return evaluation(&stored).map(ModelEvaluationDocument::One);
        }
        let (list, broken) = models.definitions.list();
        if let Some(broken) = broken.first() {
            return Err(ModelError::InvalidDefinition {
                path: broken.path.clone(),
                reason: broken.message.clone(),
            }
            .into());
        }
        let mut items = list.iter().map(evaluation).collect::<Result<Vec<_>, _>>()?;
        items.iter_mut().for_each(|item| item.global_arguments = None);
        let evaluated = items.iter().filter(|item| item.had_expressions).count();
        Ok(ModelEvaluationDocument::All(ModelEvaluations { total: items.len(), evaluated, items }))
    }

    /// Deletes a definition, its results and its run records.
    ///
    /// # Errors
    ///
    /// Those of [`Read::check_delete_model`], and when a file cannot be removed.
    pub fn delete_model(&self, request: &DeleteModel) -> Result<ModelDeleted, AppError> {
        self.check_delete_model(request)?;
        let models = self.models();
        let stored = models.definitions.find(&request.name)?;
        let definition = &stored.definition;
        let (type_name, id) = (&stored.type_name, &definition.id);
        let mut deleted = 0;
        for metadata in &models.data.list_model(type_name, id)? {
            deleted += models.data.delete(type_name, id, &metadata.name, None)?;
        }
        let mut outputs = 0;
        for output in models.outputs.list_type(type_name)?.outputs {
            if output.record.definition_id == *id && models.outputs.remove(&output)? {
                outputs += 1;
            }
        }
        let evaluated =
            marsh_fs::remove_file_if_exists(&models.definitions.evaluated_path(definition, type_name))?;
        marsh_fs::remove_file_if_exists(&stored.path)?;
        Ok(ModelDeleted {
            id: id.clone(),
            name: definition.name.clone(),
            type_name: type_name.to_string(),
            input_path: self.display(&stored.path),
            resource_deleted: deleted > 0,
            outputs_deleted: outputs,
            evaluated_input_deleted: evaluated,
            data_deleted: deleted,
            expired_data_auto_collected: 0,
        })
    }
}
