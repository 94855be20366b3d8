//! Calls of the API's methods: keyword arguments to a request's body.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PyString};

use crate::caller::Caller;
use crate::handle::Handle;
use crate::json::Json;
use crate::reply::Reading;
use crate::request::{self, Call};
use crate::{convert, errors, types};

/// A method that posts its arguments to a path. If it has a `model`, that may be left out for an engine
/// with only one.
pub(crate) struct Method {
    /// What exceptions call it.
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    /// The API's parameters, as openai's SDK names them; extensions go into `extra_body`.
    pub(crate) parameters: &'static [&'static str],
    pub(crate) required: &'static [&'static str],
    /// Parameters that may be any iterable, a generator say, as in openai's SDK.
    pub(crate) iterables: &'static [&'static str],
    pub(crate) reading: Reading,
}

impl Method {
    /// The call with these arguments.
    pub(crate) fn call(
        &self,
        handle: &Handle,
        arguments: Option<&Bound<'_, PyDict>>,
        py: Python<'_>,
    ) -> PyResult<Call> {
        let none = PyDict::new(py);
        let arguments = arguments.unwrap_or(&none);
        request::check_arguments(self.name, arguments, self.parameters, self.required)?;
        let mut call = Call::post(self.path).with_options_of(arguments)?;
        if self.parameters.contains(&"model") && !arguments.contains("model")? {
            call.set("model", Json::Text(only_model(self.name, handle, py)?));
        }
        for &name in self.parameters {
            if let Some(value) = arguments.get_item(name)? {
                call.set(name, read_parameter(name, &value, self.iterables.contains(&name))?);
            }
        }
        call.merge_extra_body(arguments)?;
        Ok(call)
    }

    /// Sends the call.
    pub(crate) fn send<'py>(
        &self,
        py: Python<'py>,
        caller: &Caller,
        arguments: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        caller.send(py, self.call(&caller.handle, arguments, py)?, self.reading.clone())
    }
}

/// The name of the engine's only model, for a method that was given none.
pub(crate) fn only_model(method: &str, handle: &Handle, py: Python<'_>) -> PyResult<String> {
    handle.engine(py)?;
    match &handle.models()[..] {
        [only] => Ok(only.clone()),
        several => {
            let hint = format!("; this engine has {}", several.join(", "));
            Err(request::missing_argument(method, "model", &hint))
        }
    }
}

/// A parameter of the body as JSON.
pub(crate) fn read_parameter(name: &str, value: &Bound<'_, PyAny>, is_iterable: bool) -> PyResult<Json> {
    let py = value.py();
    // An object iterates over its fields.
    let whole = value.is_none()
        || value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyMapping>()
        || value.is_instance_of::<types::BaseModel>();
    let list = if is_iterable && !whole && !value.is_instance_of::<PyList>() {
        // What is no iterable is refused like any other wrong type.
        value.try_iter().ok().map(Iterator::collect::<PyResult<Vec<_>>>).transpose()?
    } else {
        None
    };
    let json = match list {
        Some(items) => convert::to_json(PyList::new(py, items)?.as_any()),
        None => convert::to_json(value),
    };
    json.map_err(|refusal| refusal.within_key(name).into_error(|path, message| errors::bad_request(py, path, message)))
}
