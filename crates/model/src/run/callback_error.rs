//! Errors as extension code gets them.

use marsh_data::DataError;
use marsh_host_client::CallbackError;
use marsh_types::Explain as _;

use crate::error::ModelError;

pub(super) fn data_error(error: DataError) -> CallbackError {
    CallbackError { code: error.code().to_string(), message: error.to_string(), data: error.details() }
}

pub(super) fn callback_error(error: ModelError) -> CallbackError {
    match error {
        ModelError::Data(error) => data_error(error),
        error => CallbackError::new(error.code().as_str(), error.to_string()),
    }
}
