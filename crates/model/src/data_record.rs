//! A data version as queries and expressions see it: the names of its fields, and its JSON.

use marsh_data::Row;
use serde_json::{Value, json};

/// The fields that a predicate and a selection can name.
pub const FIELDS: [&str; 28] = [
    "id",
    "name",
    "version",
    "isLatest",
    "createdAt",
    "attributes",
    "tags",
    "modelName",
    "modelId",
    "modelType",
    "specName",
    "dataType",
    "contentType",
    "lifetime",
    "lifecycle",
    "renamedTo",
    "ownerType",
    "streaming",
    "size",
    "content",
    "ownerRef",
    "workflowRunId",
    "workflowName",
    "jobName",
    "stepName",
    "source",
    "ns",
    "namespace",
];

/// A record of queries and expressions. Without content, `attributes` and `content` are empty.
pub fn record_json(row: &Row, content: Option<&Value>) -> Value {
    let attributes = content.filter(|content| content.is_object()).cloned().unwrap_or_else(|| json!({}));
    json!({
        "id": row.id, "name": row.name, "version": row.version, "isLatest": row.is_latest,
        "createdAt": row.created_at, "namespace": row.namespace, "attributes": attributes, "tags": row.tags,
        "modelName": row.model_name, "modelId": row.model_id, "modelType": row.type_normalized,
        "specName": row.spec_name, "dataType": row.data_type, "contentType": row.content_type,
        "lifetime": row.lifetime, "ownerType": row.owner_type, "streaming": row.streaming, "size": row.size,
        "content": content.cloned().unwrap_or_else(|| json!("")), "ownerRef": row.owner_ref,
        "workflowRunId": row.workflow_run_id, "workflowName": row.workflow_name, "jobName": row.job_name,
        "stepName": row.step_name, "source": row.source, "lifecycle": row.lifecycle, "renamedTo": row.renamed_to,
    })
}
