//! The worker process: found, started, and started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use parking_lot::Mutex;

use super::frame::{Load, Loaded, Settings};
use super::link::{Link, LoadStep, RemoteReply};
use crate::api::error::{Error, ErrorKind, Result};

/// The program that is the worker, by itself or as the command.
const PROGRAM: &str = if cfg!(windows) { "zerohop.exe" } else { "zerohop" };

/// How long a program may take to say that it is a worker.
const HELLO_PATIENCE: Duration = Duration::from_secs(20);

/// Models in a worker process.
#[derive(Debug)]
pub(crate) struct Isolated {
    program: PathBuf,
    settings: Settings,
    /// To the process that runs now, or ran last.
    link: Mutex<Option<Arc<Link>>>,
    closed: AtomicBool,
}

impl Isolated {
    /// Starts a worker process, which loads the models.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when there is no worker program; otherwise those of loading.
    pub(crate) fn start(program: Option<&Path>, settings: Settings) -> Result<(Self, Loaded)> {
        let program = match program {
            Some(program) => program.to_path_buf(),
            None => find_program()?,
        };
        let isolated = Isolated { program, settings, link: Mutex::new(None), closed: AtomicBool::new(false) };
        let (link, loaded) = isolated.load()?;
        *isolated.link.lock() = Some(link);
        Ok((isolated, loaded))
    }

    /// Sends a request to the worker; starts another if the last has ended.
    ///
    /// # Errors
    ///
    /// `Closed` after [`close`](Self::close); `Unavailable` when no worker can be started.
    pub(crate) fn submit(&self, request: &Request<impl AsRef<[u8]>>, needs_key: bool) -> Result<RemoteReply> {
        self.link()?.submit(request, needs_key)
    }

    /// Ends the worker and returns when it has gone.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let link = self.link.lock().take();
        if let Some(link) = link {
            link.close();
        }
    }

    fn link(&self) -> Result<Arc<Link>> {
        // Others wait while one starts the worker anew.
        let mut link = self.link.lock();
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::closed());
        }
        match &*link {
            Some(running) if running.ended().is_none() => Ok(running.clone()),
            _ => {
                let (started, _) = self.load().map_err(|error| {
                    Error::new(
                        ErrorKind::Unavailable,
                        format!("the worker process cannot be started again: {}", error.message()),
                    )
                    .with_source(error)
                })?;
                *link = Some(started.clone());
                Ok(started)
            }
        }
    }

    fn load(&self) -> Result<(Arc<Link>, Loaded)> {
        let link = Link::start(self.spawn()?, &Load { settings: self.settings.clone() })?;
        self.check_version(&link)?;
        // The options of the model whose loading its progress callback has stopped.
        let mut stopped = None;
        loop {
            match link.load_step(None) {
                Some(LoadStep::Progress(model, fraction)) => {
                    let options = self.settings.models.get(model).map(|(_, options)| options);
                    if let Some(options) = options.filter(|options| stopped.is_none() && !options.report(fraction)) {
                        link.stop_loading();
                        stopped = Some(options);
                    }
                }
                Some(LoadStep::Done(Ok(loaded))) => match stopped {
                    None => return Ok((link, loaded)),
                    // It was loaded before it heard that.
                    Some(options) => return Err(Error::loading_stopped(&options.path)),
                },
                Some(LoadStep::Done(Err(error))) => return Err(error),
                Some(LoadStep::Hello(_)) | None => {}
            }
        }
    }

    /// The worker says its version before anything else.
    fn check_version(&self, link: &Link) -> Result<()> {
        let refuse = |what: String| {
            let message = format!("{}: {what}", self.program.display());
            Err(Error::new(ErrorKind::InvalidArgument, message).with_path(&self.program))
        };
        match link.load_step(Some(Instant::now() + HELLO_PATIENCE)) {
            Some(LoadStep::Hello(version)) if version == crate::version() => Ok(()),
            Some(LoadStep::Hello(version)) => {
                refuse(format!("the worker program is version {version}, and this is {}", crate::version()))
            }
            Some(LoadStep::Done(Err(error))) => refuse(format!("the program is no worker: {}", error.message())),
            _ => refuse("the program is no worker: it does not answer".to_owned()),
        }
    }

    fn spawn(&self) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A Ctrl-C in the host's terminal is the host's business.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("{}: the worker process cannot be started: {error}", self.program.display()),
            )
            .with_path(&self.program)
            .with_source(error)
        })
    }
}

/// The program beside this one, or in the folders of `PATH`.
fn find_program() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join(PROGRAM)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join(PROGRAM));
    beside.into_iter().chain(installed).find(|program| program.is_file()).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "isolation needs the program '{PROGRAM}', which is neither beside this one nor in PATH; give its path"
            ),
        )
    })
}
