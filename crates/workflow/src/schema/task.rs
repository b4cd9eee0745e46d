//! What a step does.

pub use marsh_api::workflow::Severity;
use serde::Serialize;
use serde_json::Value;

/// What a step runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Task {
    /// A method of a model.
    ModelMethod(ModelMethod),
    /// Another workflow.
    Workflow {
        /// Its name or id.
        workflow_id_or_name: String,
        /// The inputs, a map or an expression.
        #[serde(skip_serializing_if = "Option::is_none")]
        inputs: Option<Value>,
    },
    /// A question to a person.
    ManualApproval {
        /// The question.
        prompt: String,
        /// How long the question stands, in seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        timeout: Option<f64>,
    },
    /// An expression that has to be true.
    Assert {
        /// The expression.
        expr: String,
        /// What a failure says.
        message: String,
        /// How bad a failure is.
        severity: Severity,
    },
}

impl Task {
    /// The words of all types of tasks.
    pub const TYPES: [&'static str; 4] = ["model_method", "workflow", "manual_approval", "assert"];

    /// The word of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Task::ModelMethod(_) => "model_method",
            Task::Workflow { .. } => "workflow",
            Task::ManualApproval { .. } => "manual_approval",
            Task::Assert { .. } => "assert",
        }
    }
}

/// A method to call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelMethod {
    /// The model.
    #[serde(flatten)]
    pub target: ModelTarget,
    /// The name of the method.
    pub method_name: String,
    /// A map, or one expression that gives a map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
}

/// Which model a step means.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum ModelTarget {
    /// A definition.
    Definition {
        /// Its name or id.
        model_id_or_name: String,
    },
    /// The definition is made on the way.
    Direct {
        /// The type.
        model_type: String,
        /// The name that the definition gets.
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

    /// The name of the model.
    pub fn name(&self) -> &str {
        match self {
            ModelTarget::Definition { model_id_or_name } => model_id_or_name,
            ModelTarget::Direct { model_name, .. } => model_name,
        }
    }
}
