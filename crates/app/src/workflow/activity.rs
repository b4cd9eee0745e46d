//! Recent activity: what ran, and what is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::time::Duration;

use marsh_api::workflow::{
    ActivitySummary, MethodActivity, MethodRunActivity, ModelActivity, StoredData, StoredDataOfType,
};
use marsh_data::{OutputStatus, StoredOutput, TriggeredBy};
use marsh_model::ModelError;

use super::history::since;
use crate::error::AppError;
use crate::method::run_status;
use crate::session::Read;

impl Read<'_> {
    /// What ran within this time, with the last `limit` failures and as many runs of each method and workflow, and what is
    /// stored now.
    ///
    /// # Errors
    ///
    /// When the runs, the records of methods or the data cannot be listed.
    pub fn activity(&self, within: Duration, limit: usize) -> Result<ActivitySummary, AppError> {
        let since = since(within);
        let mut summary = self.workflows().activity(&since, limit)?;
        summary.method_executions = self.method_executions(&since, limit)?;
        summary.data = self.stored_data_counts()?;
        let is_empty = summary.workflow_runs + summary.method_runs + summary.data.total_items == 0;
        summary.message = is_empty.then(|| "nothing ran in this period, and nothing is stored".to_owned());
        Ok(summary)
    }

    /// The method runs that no workflow started, by model and method.
    fn method_executions(&self, since: &str, limit: usize) -> Result<Vec<ModelActivity>, AppError> {
        let definitions = self.models().definitions.list().0.into_iter();
        let names: HashMap<String, String> =
            definitions.map(|stored| (stored.definition.id, stored.definition.name)).collect();
        let mut outputs = self.models().outputs.list()?.outputs;
        outputs.retain(|output| {
            output.record.started_at.as_str() >= since
                && output.record.provenance.triggered_by != TriggeredBy::Workflow
        });
        outputs.sort_by(|a, b| b.record.started_at.cmp(&a.record.started_at));
        let mut models: BTreeMap<(String, String), BTreeMap<String, MethodActivity>> = BTreeMap::new();
        for StoredOutput { record, type_path, .. } in outputs {
            let name = names.get(&record.definition_id).unwrap_or(&record.definition_id).clone();
            let methods = models.entry((name, type_path.to_string())).or_default();
            let method = methods.entry(record.method_name.clone()).or_insert_with(|| MethodActivity {
                method: record.method_name,
                succeeded: 0,
                failed: 0,
                total: 0,
                runs: Vec::new(),
                truncated: false,
            });
            method.total += 1;
            method.succeeded += usize::from(record.status == OutputStatus::Succeeded);
            method.failed += usize::from(record.status == OutputStatus::Failed);
            if method.runs.len() == limit {
                method.truncated = true;
                continue;
            }
            let triggered_by = match record.provenance.triggered_by {
                TriggeredBy::Manual => "manual",
                TriggeredBy::Workflow => "workflow",
                TriggeredBy::Model => "model",
            };
            method.runs.push(MethodRunActivity {
                id: record.id,
                definition_id: record.definition_id,
                started_at: record.started_at,
                duration_ms: record.duration_ms,
                status: run_status(record.status),
                error: record.error.map(|error| error.message),
                triggered_by: triggered_by.to_owned(),
            });
        }
        let models = models.into_iter().map(|((model_name, type_name), methods)| {
            let methods: Vec<MethodActivity> = methods.into_values().collect();
            let sum = |of: fn(&MethodActivity) -> usize| methods.iter().map(of).sum();
            ModelActivity {
                model_name,
                type_name,
                succeeded: sum(|method| method.succeeded),
                failed: sum(|method| method.failed),
                total: sum(|method| method.total),
                methods,
            }
        });
        Ok(models.collect())
    }

    /// How many results are stored, by the type of their models. Deleted ones do not count.
    fn stored_data_counts(&self) -> Result<StoredData, AppError> {
        let mut types: BTreeMap<String, (BTreeSet<(String, String)>, usize)> = BTreeMap::new();
        let mut models = BTreeSet::new();
        let counted = self.models().catalog()?.select(&[], None, &mut |row| {
            if row.lifecycle.is_empty() {
                models.insert((row.type_normalized.clone(), row.model_id.clone()));
                let (items, versions) = types.entry(row.type_normalized).or_default();
                items.insert((row.model_id, row.name));
                *versions += 1;
            }
            ControlFlow::Continue(())
        });
        counted.map_err(ModelError::from)?;
        let by_model_type: Vec<StoredDataOfType> = types
            .into_iter()
            .map(|(model_type, (items, versions))| StoredDataOfType {
                model_type,
                items: items.len(),
                versions,
            })
            .collect();
        Ok(StoredData {
            total_items: by_model_type.iter().map(|of_type| of_type.items).sum(),
            total_versions: by_model_type.iter().map(|of_type| of_type.versions).sum(),
            unique_models: models.len(),
            by_model_type,
        })
    }
}
