//! What a step does.

pub use marsh_api::workflow::Severity;
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Task {
    ModelMethod(ModelMethod),
    Workflow {
        workflow_id_or_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        inputs: Option<Value>,
    },
    ManualApproval {
        prompt: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        timeout: Option<f64>,
    },
    Assert {
        expr: String,
        message: String,
        severity: Severity,
    },
}

impl Task {
    pub const TYPES: [&'static str; 4] = ["model_method", "workflow", "manual_approval", "assert"];

    pub fn type_name(&self) -> &'static str {
        match self {
            Task::ModelMethod(_) => "model_method",
            Task::Workflow { .. } => "workflow",
            Task::ManualApproval { .. } => "manual_approval",
            Task::Assert { .. } => "assert",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelMethod {
    #[serde(flatten)]
    pub target: ModelTarget,
    pub method_name: String,
    /// A map, or one expression that gives a map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum ModelTarget {
    Definition {
        model_id_or_name: String,
    },
    /// The definition is made on the way.
    Direct {
        model_type: String,
        model_name: String,
        /// As `inputs`.
        #[serde(skip_serializing_if = "Option::is_none")]
        global_args: Option<Value>,
    },
}

impl ModelTarget {
    /// What the code is found by: the definition, or the type.
    pub fn type_or_definition(&self) -> &str {
        match self {
            ModelTarget::Definition { model_id_or_name } => model_id_or_name,
            ModelTarget::Direct { model_type, .. } => model_type,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            ModelTarget::Definition { model_id_or_name } => model_id_or_name,
            ModelTarget::Direct { model_name, .. } => model_name,
        }
    }
}
