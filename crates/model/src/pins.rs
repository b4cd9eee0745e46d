//! Pins: types that stay on one module version during a run, even if their sources change.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use marsh_extension::Pin;
use marsh_types::TypeName;

use crate::Models;
use crate::error::ModelError;
use crate::types::{Code, TypeCode, Types};

/// The pins of one run. A type is pinned at its first use.
#[derive(Debug, Default)]
pub struct Pins {
    known: Mutex<BTreeMap<TypeName, Pin>>,
    new: Mutex<Vec<Pin>>,
}

impl Pins {
    /// Pins that an earlier process recorded.
    pub fn of(pins: impl IntoIterator<Item = Pin>) -> Pins {
        let known = pins.into_iter().map(|pin| (pin.type_name.clone(), pin)).collect();
        Pins { known: Mutex::new(known), new: Mutex::default() }
    }

    /// The pins since the last call.
    pub fn take_new(&self) -> Vec<Pin> {
        std::mem::take(&mut *self.new.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn get(&self, type_name: &TypeName) -> Option<Pin> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(type_name).cloned()
    }

    /// The first pin of a type stays.
    fn add(&self, asked: &TypeName, pin: Pin) -> Pin {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = known.get(asked) {
            return first.clone();
        }
        known.insert(asked.clone(), pin.clone());
        known.insert(pin.type_name.clone(), pin.clone());
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(pin.clone());
        pin
    }
}

impl Types {
    /// The code of a type: the newest, or the one to which the run is pinned.
    ///
    /// # Errors
    ///
    /// The type is unknown, its code does not load, or the pinned code is gone.
    pub fn resolve_pinned(&self, type_name: &TypeName, pins: Option<&Pins>) -> Result<TypeCode, ModelError> {
        let Some(pins) = pins else { return self.resolve(type_name) };
        let pin = match pins.get(type_name) {
            Some(pin) => pin,
            None => {
                let code = self.resolve(type_name)?;
                let Code::Module(loaded) = &code.code else { return Ok(code) };
                let pin = pins.add(type_name, Pin::from(&**loaded));
                if pin.fingerprint == loaded.fingerprint {
                    return Ok(code);
                }
                pin
            }
        };
        Ok(crate::types::module(self.loader().load_pinned(&pin)?))
    }
}

impl Models {
    /// [`Types::resolve_pinned`].
    ///
    /// # Errors
    ///
    /// The type is unknown, its code does not load, or the pinned code is gone.
    pub fn code(&self, type_name: &TypeName, pins: Option<&Pins>) -> Result<TypeCode, ModelError> {
        self.types.resolve_pinned(type_name, pins)
    }
}
