//! Methods that post their arguments as a form, with files.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyMapping, PyString, PyTuple};

use crate::caller::Caller;
use crate::handle::Handle;
use crate::reply::Reading;
use crate::request::{self, Call};
use crate::{errors, method};

/// How deep a parameter's value may be nested.
const DEPTH: usize = 8;

/// A form's fields that are no files, by name.
pub(crate) type Fields = Vec<(String, String)>;

/// A method that posts a form.
pub(crate) struct Upload {
    /// What exceptions call it.
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) required: &'static [&'static str],
    /// The parameters that are files: what openai's SDK takes as one, or a list of them.
    pub(crate) files: &'static [&'static str],
    /// What is made of the reply.
    pub(crate) reading: fn(&Fields) -> Reading,
}

impl Upload {
    pub(crate) fn send<'py>(
        &self,
        py: Python<'py>,
        caller: &Caller,
        arguments: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (call, reading) = self.call(py, &caller.handle, arguments)?;
        caller.send(py, call, reading)
    }

    fn call(
        &self,
        py: Python<'_>,
        handle: &Handle,
        arguments: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<(Call, Reading)> {
        let none = PyDict::new(py);
        let arguments = arguments.unwrap_or(&none);
        request::check_arguments(self.name, arguments, self.parameters, self.required)?;
        let mut fields = Fields::new();
        if !arguments.contains("model")? {
            fields.push(("model".to_owned(), method::only_model(self.name, handle, py)?));
        }
        let mut files = Vec::new();
        for &name in self.parameters {
            let Some(value) = arguments.get_item(name)? else { continue };
            if !self.files.contains(&name) {
                add_field(&mut fields, name, &value, DEPTH)?;
            } else if self.required.contains(&name) || !value.is_none() {
                add_files(&mut files, name, value)?;
            }
        }
        if let Some(extra) = arguments.get_item("extra_body")?.filter(|extra| !extra.is_none()) {
            for item in extra.cast::<PyMapping>()?.items()?.iter() {
                let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
                // It goes before the method's own parameters.
                fields.retain(|(field, _)| field.split('[').next() != Some(&name));
                add_field(&mut fields, &name, &value, DEPTH)?;
            }
        }
        let files: Vec<_> = files.iter().map(|(name, file)| (name.as_str(), file.clone())).collect();
        let call = Call::post_files(py, self.path, &fields, &files)?.with_options_of(arguments)?;
        Ok((call, (self.reading)(&fields)))
    }
}

/// Adds a file, or each of a list.
fn add_files<'py>(files: &mut Vec<(String, Bound<'py, PyAny>)>, name: &str, value: Bound<'py, PyAny>) -> PyResult<()> {
    if is_list(&value)? {
        for file in value.try_iter()? {
            files.push((format!("{name}[]"), file?));
        }
    } else {
        files.push((name.to_owned(), value));
    }
    Ok(())
}

/// Whether it is several files: a list, or a tuple that is not a name and a content.
fn is_list(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if value.is_instance_of::<PyList>() {
        return Ok(true);
    }
    let Ok(tuple) = value.cast::<PyTuple>() else { return Ok(false) };
    Ok(!(2..=4).contains(&tuple.len()) || tuple.get_item(0)?.extract::<Option<String>>().is_err())
}

/// The form's parts for a parameter, as openai's SDK has them.
fn add_field(fields: &mut Fields, name: &str, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    if value.is_none() {
        return Ok(());
    }
    let Some(depth) = depth.checked_sub(1) else {
        let message = format!("Invalid '{name}': it is nested too deeply, or contains itself");
        return Err(errors::bad_request(value.py(), name, &message));
    };
    if let Ok(truth) = value.cast::<PyBool>() {
        fields.push((name.to_owned(), truth.is_true().to_string()));
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        for item in mapping.items()?.iter() {
            let (key, value): (String, Bound<'_, PyAny>) = item.extract()?;
            add_field(fields, &format!("{name}[{key}]"), &value, depth)?;
        }
    } else if value.is_instance_of::<PyString>() || value.extract::<f64>().is_ok() {
        fields.push((name.to_owned(), value.str()?.to_str()?.to_owned()));
    } else {
        let items = value.try_iter().map_err(|_| {
            errors::bad_request(value.py(), name, &format!("Invalid '{name}': expected a text, a number or a list"))
        })?;
        for item in items {
            add_field(fields, &format!("{name}[]"), &item?, depth)?;
        }
    }
    Ok(())
}
