//! The macro behind the tables of methods.

/// Why a message names no method of a table, or has unusable parameters.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// The table has no method of this name.
    #[error("unknown method `{0}`")]
    Unknown(String),
    /// The parameters do not have the method's shape.
    #[error("invalid parameters of `{method}`: {source}")]
    Params {
        /// The method's name on the wire.
        method: &'static str,
        /// What is wrong with them.
        source: serde_json::Error,
    },
}

/// Declares a table of methods: an enum of names, and an enum of names with their parameters.
macro_rules! methods {
    (
        $(#[$table_doc:meta])* $Table:ident, $(#[$name_doc:meta])* $Name:ident {
            $( $(#[$doc:meta])* $Variant:ident($Params:ty) = $text:literal ),* $(,)?
        }
    ) => {
        $(#[$name_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $Name {
            $( $(#[$doc])* #[serde(rename = $text)] $Variant, )*
        }

        impl $Name {
            /// Every name, in the order of the table.
            pub const ALL: &[$Name] = &[$( $Name::$Variant ),*];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $( $Name::$Variant => $text ),* }
            }

            /// The method of a name on the wire.
            pub fn parse(text: &str) -> Option<$Name> {
                match text { $( $text => Some($Name::$Variant), )* _ => None }
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        $(#[$table_doc])*
        #[derive(Debug, Clone)]
        pub enum $Table {
            $( $(#[$doc])* $Variant($Params), )*
        }

        impl $Table {
            /// Which method this is.
            pub fn name(&self) -> $Name {
                match self { $( $Table::$Variant(_) => $Name::$Variant ),* }
            }

            /// The parameters as JSON text.
            ///
            /// # Errors
            /// When they have no JSON form, such as a path that is not UTF-8.
            pub fn params(&self) -> Result<Box<serde_json::value::RawValue>, serde_json::Error> {
                match self { $( $Table::$Variant(params) => serde_json::value::to_raw_value(params) ),* }
            }

            /// Reads a method from its name on the wire and the JSON text of its parameters.
            ///
            /// # Errors
            /// [`MethodError`](crate::MethodError): the name is unknown, or the parameters have another shape.
            pub fn parse(name: &str, params: &str) -> Result<$Table, crate::MethodError> {
                let name = $Name::parse(name).ok_or_else(|| crate::MethodError::Unknown(name.to_owned()))?;
                match name {
                    $( $Name::$Variant => serde_json::from_str(params).map($Table::$Variant), )*
                }
                .map_err(|source| crate::MethodError::Params { method: name.as_str(), source })
            }
        }
    };
}

pub(crate) use methods;
